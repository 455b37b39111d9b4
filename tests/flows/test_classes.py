"""Three classes through the whole path: run, report, predict."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import metrics
from tests.flows.commands import Capture, shown
from tests.flows.flowers import flowers

Ran = tuple[Path, Mapping[str, Any]]
CLASSES = ("aster", "bluebell", "clover")
CHANCES = [f"chance_{name}" for name in CLASSES]


def test_every_figure_of_classes_is_told_and_beats_the_baseline(grown: Ran) -> None:
    """Two lengths tell three species in most cases; without them one in three would be right."""
    _, result = grown
    told = {name: figure["value"] for name, figure in result["holdout"].items()}
    assert set(told) == {"log_loss", "accuracy", "auc", "f1", "brier"}
    assert result["judged_by"] == "nested folds"
    assert 0.75 < told["accuracy"] < 0.97
    assert 0.9 < told["auc"] < 1
    assert 0.75 < told["f1"] < 0.97
    assert told["log_loss"] < 0.6 < result["baseline"]["value"]
    assert told["brier"] < 0.35
    assert result["skill"]["low"] > 0
    assert result["promoted"] is True


def test_chances_are_calibrated_and_the_likeliest_class_is_told(grown: Ran, capsys: Capture) -> None:
    """Asked about what it has learnt: the chances sum to one, and are as high as they are right, within noise."""
    folder, _ = grown
    rows = flowers().filter(pl.col("species").is_not_null())
    rows.drop("species").write_csv(folder / "known.csv")
    out = folder / "known.parquet"
    shown(capsys, "predict", folder, "--input", folder / "known.csv", "--out", out)
    told = pl.read_parquet(out)
    assert told["learnt"].all()
    chances = told.select(CHANCES).to_numpy()
    assert np.allclose(chances.sum(axis=1), 1)
    assert told["prediction"].to_list() == [CLASSES[code] for code in chances.argmax(axis=1)]
    assert told["probability"].to_numpy() == pytest.approx(chances.max(axis=1))
    right = (told["prediction"] == rows["species"]).to_numpy()
    assert abs(chances.max(axis=1).mean() - right.mean()) < 0.06
    label = pl.Series([CLASSES.index(name) for name in rows["species"]], dtype=pl.Float64)
    assert metrics.find("auc")(label, chances) > 0.93


def test_the_report_and_the_release_name_the_classes_and_what_tells_them(grown: Ran) -> None:
    """Importance puts the two lengths before the colour, and the code says nothing."""
    _, result = grown
    page = Path(result["files"]["report"]).read_text()
    assert all(name in page for name in (*CLASSES, "leaf", "stem"))
    release = Path(result["files"]["release"])
    facts = json.loads((release / "manifest.json").read_text())["facts"]
    assert json.loads(facts["classes"]) == list(CLASSES)
    kept = json.loads((release / "intervals.json").read_text())
    assert (kept["kind"], kept["classes"], kept["threshold"]) == ("class", 3, 0.5)
