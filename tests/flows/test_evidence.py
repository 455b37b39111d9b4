"""The judged answers that a release keeps are those that its scores are made of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asof import releases
from asof.flows import evidence

Ran = tuple[Path, Mapping[str, Any]]


def kept(ran: Ran) -> tuple[pl.DataFrame, Mapping[str, Any]]:
    """Judged answers of the release of a run, and what the run told."""
    told = releases.read(Path(ran[1]["files"]["release"])).judged()
    assert told is not None
    return told, ran[1]


def test_answers_of_a_panel_give_the_scores_of_the_release(finished: Ran) -> None:
    told, result = kept(finished)
    assert told.columns == [
        *("place", "start", "end", "as_of", "horizon"),
        *("label", "prediction", "low", "high", "baseline", "outside", "loss", "base_loss"),
    ]
    squared = (told["label"] - told["prediction"]) ** 2
    assert float(squared.mean() or 0) ** 0.5 == pytest.approx(result["holdout"]["rmse"]["value"])  # type: ignore[arg-type]
    held = told.select(pl.col("label").is_between("low", "high").mean()).item()
    assert held == pytest.approx(result["coverage"])
    assert told["loss"].mean() == pytest.approx(result["holdout"][result["metric"]]["value"])
    assert told["start"].is_sorted()
    assert told["outside"].dtype == pl.Boolean


def test_answers_of_classes_are_their_names_with_a_chance_of_each(grown: Ran) -> None:
    told, result = kept(grown)
    classes = [name.removeprefix("chance_") for name in told.columns if name.startswith("chance_")]
    assert set(told["label"]) == set(classes)
    hit = told.select((pl.col("label") == pl.col("prediction")).mean()).item()
    assert hit == pytest.approx(result["holdout"]["accuracy"]["value"])
    assert told["outside"].null_count() == 0
    chances = told.select(pl.sum_horizontal(pl.col("^chance_.*$"))).to_series()
    assert chances.to_list() == pytest.approx([1.0] * told.height)


def test_too_many_answers_lose_the_furthest_horizons_and_then_the_earliest_periods(
    finished: Ran, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, _ = kept(finished)
    nearest = told.filter(horizon="1d")
    monkeypatch.setattr(evidence, "MOST", nearest.height)
    assert evidence._fewer(told).equals(nearest)
    monkeypatch.setattr(evidence, "MOST", 10)
    assert evidence._fewer(told).equals(nearest.tail(10))
