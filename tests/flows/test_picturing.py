"""What the pictures show, counted by hand on a few answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import metrics
from asof.data import UTC_TIME
from asof.flows import picturing
from asof.panels import Panel
from asof.places import Places
from asof.probabilities import Calibrated
from asof.times import Step

MAE = metrics.find("mae")
DAY = datetime(2021, 3, 1, tzinfo=UTC)
NO_TIME = pl.Series("start", [None], dtype=UTC_TIME)


def answers(label: list[float], prediction: Any, baseline: Any, **more: Any) -> pl.DataFrame:
    """Answers of one place, a day each, as a run judges them."""
    count = len(label)
    told = {
        "place": ["a"] * count,
        "start": pl.Series([DAY + timedelta(days=day) for day in range(count)], dtype=UTC_TIME),
        "as_of": pl.Series([DAY + timedelta(days=day - 1) for day in range(count)], dtype=UTC_TIME),
        "label": label,
        "prediction": prediction,
        "baseline": baseline,
    }
    return pl.DataFrame({**told, **more})


def chances(*rows: list[float]) -> pl.Series:
    return pl.Series(rows, dtype=pl.Array(pl.Float64, len(rows[0])))


def panel(kind: str = "column", ids: tuple[str, ...] = ("a", "b")) -> Panel:
    places = Places(pl.Series("place", ids), names=pl.Series("name", [f"the {one}" for one in ids]), kind=kind)  # type: ignore[arg-type]
    return Panel(places, Step(1, "d"), "UTC", "calls")


def test_two_classes_are_told_by_the_second() -> None:
    told = picturing.plain(
        answers([1.0, 0.0], chances([0.2, 0.8], [0.6, 0.4]), chances([0.5, 0.5], [0.5, 0.5])),
        "class",
        metrics.find("log_loss"),
    )
    assert told.select("label", "prediction", "baseline").rows() == [(1.0, 0.8, 0.5), (0.0, 0.4, 0.5)]
    assert told["loss"].to_list() == pytest.approx([-np.log(0.8), -np.log(0.6)])
    assert told["base_loss"].to_list() == pytest.approx([-np.log(0.5)] * 2)


def test_of_more_classes_the_likeliest_came_or_not() -> None:
    prediction = chances([0.2, 0.7, 0.1], [0.6, 0.3, 0.1])
    told = picturing.plain(answers([1.0, 2.0], prediction, prediction), "class", metrics.find("log_loss"))
    assert told.select("label", "prediction").rows() == [(1.0, 0.7), (0.0, 0.6)]


def test_periods_are_those_of_the_nearest_question() -> None:
    twice = answers([3.0, 3.0], [1.0, 2.0], [5.0, 5.0], start=[DAY, DAY], as_of=[DAY - timedelta(days=2), DAY])
    other = twice.with_columns(place=pl.lit("b"), label=pl.lit(5.0))
    both = pl.concat([twice, other]).with_columns(pl.col("start", "as_of").cast(UTC_TIME))
    assert picturing.periods(both, "count").rows() == [(DAY, 8.0, 4.0, 2.0, 1.0)]  # type: ignore[union-attr]
    assert picturing.periods(both, "number").rows() == [(DAY, 4.0, 2.0, 2.0, 1.0)]  # type: ignore[union-attr]
    assert picturing.periods(both.with_columns(start=NO_TIME.new_from_index(0, 4)), "count") is None


def judged_places(days: int, level: float) -> pl.DataFrame:
    """In place a the model is right and the rule is one too high; in place b the other way round, without noise."""
    label = [level + day % 2 for day in range(days)]
    right, wrong = label, [value + 1 for value in label]
    a = answers(label, right, wrong)
    b = answers(label, wrong, right).with_columns(place=pl.lit("b"))
    return picturing.plain(pl.concat([a, b]), "number", metrics.find("mae"))


def test_a_place_is_better_worse_or_not_told() -> None:
    told = picturing.by_place(judged_places(20, 4.0), panel(), "number", MAE)
    assert told is not None
    first, second = told.to_dicts()
    assert (first["name"], first["skill"], first["skill_low"] > 0, first["sure"]) == ("the a", 1.0, True, False)
    assert (second["observed"], second["predicted"], second["sure"]) == (4.5, 5.5, True)
    assert second["skill"] is None, "the rule makes no error there, so no share of it can be saved"
    few = picturing.by_place(judged_places(7, 4.0), panel(), "number", MAE)
    assert few is not None
    assert few["sure"].to_list() == [False, False]
    assert few["skill_low"].to_list() == [None, None]


def test_the_skill_of_a_place_is_that_of_the_metric() -> None:
    label = [4.0, 5.0] * 10
    ours, rule = [value + 1 for value in label], [value + 2 for value in label]
    for name, skill in (("mae", 0.5), ("rmse", 0.5)):
        metric = metrics.find(name)
        one = picturing.plain(answers(label, ours, rule), "number", metric)
        told = picturing.by_place(one, panel(), "number", metric)
        assert told is not None
        assert told.row(0, named=True)["skill"] == pytest.approx(skill)
        assert told["skill_low"][0] == pytest.approx(skill), "every period saves the same"


def test_a_place_with_few_events_is_not_told() -> None:
    busy = picturing.by_place(judged_places(20, 4.0), panel(), "count", MAE)
    quiet = picturing.by_place(
        judged_places(20, 0.0).with_columns(pl.col("label", "prediction") / 3), panel(), "count", MAE
    )
    assert busy is not None
    assert quiet is not None
    assert busy["skill_low"][0] is not None
    assert quiet["skill_low"][0] is None


def test_what_lies_nowhere_has_no_map() -> None:
    assert picturing.by_place(judged_places(20, 4.0), panel("all", ("all",)), "number", MAE) is None
    nowhere = judged_places(20, 4.0).with_columns(place=pl.lit(None, pl.String))
    assert picturing.by_place(nowhere, panel(), "number", MAE) is None


def test_cells_have_closed_outlines() -> None:
    pytest.importorskip("polars_h3")
    (outline,) = picturing.cells(pl.Series(["872a1072dffffff"])).values()
    ring = outline["coordinates"][0]
    assert outline["type"] == "Polygon"
    assert len(ring) == 7
    assert ring[0] == ring[-1]
    assert all(-74.1 < lon < -73.9 and 40.6 < lat < 40.8 for lon, lat in ring)


def test_groups_of_predictions_are_equally_large() -> None:
    rising = [float(value) for value in range(100)]
    told = picturing.calibration(answers(rising, rising, rising), "number")
    assert told["predicted"].to_list() == [4.5 + 10 * group for group in range(10)]
    assert told["rows"].to_list() == [10] * 10
    assert told["observed"].to_list() == told["predicted"].to_list()
    shares = picturing.calibration(answers([0.0] * 40, [0.01] * 40, [0.01] * 40), "class")
    assert shares.height == 5
    assert shares["low"].to_list() == [0.0] * 5
    assert all(0.2 < high < 0.4 for high in shares["high"]), "eight times not does not mean never (Wilson)"


def test_coverage_is_told_by_quarters() -> None:
    whole = answers(
        [1.0] * 8, [float(value) for value in range(8)], [0.0] * 8, low=[0.0] * 8, high=[1.0] * 4 + [0.5] * 4
    )
    told = picturing.coverages(whole)
    assert told is not None
    assert told.filter(pl.col("by") == "periods").rows() == [
        ("periods", "first quarter", 2, 1.0),
        ("periods", "second quarter", 2, 1.0),
        ("periods", "third quarter", 2, 0.0),
        ("periods", "last quarter", 2, 0.0),
    ]
    assert told.filter(pl.col("by") == "predictions")["group"].to_list()[0] == "lowest quarter"
    assert picturing.coverages(whole.drop("low")) is None


def test_decisions_are_counted() -> None:
    prediction = chances([0.9, 0.1], [0.55, 0.45], [0.3, 0.7], [0.8, 0.2])
    told = answers([0.0, 1.0, 1.0, 0.0], prediction, prediction)
    counted = picturing.confusion(told, Calibrated(2, threshold=0.15), ("no", "yes"))
    assert counted.rows() == [("no", "no", 1), ("no", "yes", 1), ("yes", "yes", 2)]


def test_the_curve_flags_equal_chances_together() -> None:
    told = answers([1.0, 0.0, 1.0, 0.0, 1.0], [0.9, 0.5, 0.5, 0.2, 0.2], [0.0] * 5)
    curve = picturing.roc(told)
    assert curve is not None
    third = pytest.approx(1 / 3)
    assert curve.rows() == [(0.0, 0.0), (0.0, third), (0.5, pytest.approx(2 / 3)), (1.0, 1.0)]
    assert picturing.roc(told.with_columns(label=pl.lit(1.0))) is None


def test_each_threshold_says_what_it_would_mean() -> None:
    told = picturing.thresholds(answers([1.0, 0.0, 1.0, 0.0], [0.85, 0.5, 0.35, 0.1], [0.0] * 4), 0.35)
    rows = {row["threshold"]: row for row in told.to_dicts()}
    assert rows[0.35] == {"threshold": 0.35, "flagged": 0.75, "precision": pytest.approx(2 / 3), "recall": 1.0}
    assert rows[0.8] == {"threshold": 0.8, "flagged": 0.25, "precision": 1.0, "recall": 0.5}
    assert rows[0.9] == {"threshold": 0.9, "flagged": 0.0, "precision": None, "recall": 0.0}
