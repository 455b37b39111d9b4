"""Error over time as truth arrives, and looks at what a release has answered."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from asof.flows import keeping, oracles, outcomes, preparation
from asof.ui import curves, drifts
from asof.ui.sights import Sight
from tests.ui import glances

DAYS = 21


@pytest.fixture(scope="module")
def sight(squares: Path) -> Sight:
    return glances.of(squares)


def answered(sight: Sight) -> pl.DataFrame:
    """Answer three weeks of the past, as if it had served then; they are kept. Returns them with what came."""
    now = sight.standing
    last = now.prepared.last
    asked = preparation.ask(now.prepared, last - timedelta(days=DAYS + 3), last)
    asked = asked.filter(pl.col("label").is_not_null())
    told = oracles.answer(sight.workspace, now.prepared, now.oracle, asked)
    keeping.write(sight.workspace, told, oracles.identity(now.prepared.panel), keeping.RUN)
    return told.with_columns(asked["label"])


def test_the_error_as_it_was_judged_is_that_of_the_kept_answers(sight: Sight) -> None:
    found = drifts.errors(sight)
    kept = sight.release.judged()
    assert kept is not None
    assert found.judged is not None
    first: datetime = found.judged["start"].min()  # type: ignore[assignment]
    mine = kept.filter(start=first)
    miss = (mine["prediction"] - mine["label"]).abs().mean()
    rule = (mine["baseline"] - mine["label"]).abs().mean()
    held = mine.select(pl.col("label").is_between("low", "high").mean()).item()
    figures = {"answers": mine.height, "error": miss, "rule": rule, "coverage": held}
    assert found.judged.drop("start").row(0, named=True) == pytest.approx(figures)
    assert found.judged["answers"].sum() == kept.height


def test_what_has_no_truth_yet_has_no_error(sight: Sight) -> None:
    found = drifts.errors(sight)
    assert (found.answers, found.known, found.served) == (6, 0, None)
    assert (found.level, found.measure) == (0.9, "mean miss, calls")


def test_truth_that_arrives_makes_an_error_and_a_look_is_kept(squares: Path, tmp_path: Path) -> None:
    sight = glances.of(Path(shutil.copytree(squares, tmp_path / "world")))
    told = answered(sight)
    found = drifts.errors(sight)
    assert (found.answers, found.known) == (told.height + 6, told.height)
    assert found.served is not None
    misses = told.group_by("start").agg(error=(pl.col("prediction") - pl.col("label")).abs().mean()).sort("start")
    assert found.served["error"].to_list() == pytest.approx(misses["error"].to_list())
    assert found.served["rule"].null_count() == found.served.height, "no rule is asked in use"
    assert drifts.looks(sight) == []
    seen = drifts.look(sight)
    (kept,) = drifts.looks(sight)
    assert (kept["served"], kept["known"], kept["why"]) == (seen["served"], seen["known"], seen["why"])
    tests = drifts.tests(sight, kept)
    assert "Predictions" in {one.about for one in tests}
    assert [one.figure for one in tests] == [one["figure"] for one in [*kept["promises"], *kept["tests"]]]
    drawn = curves.errors(found.judged, found.served, "UTC", found.measure)
    assert [line.name for line in drawn.data] == ["simple rule", "when it was judged", "in use"]
    assert list(drawn.data[2].y) == found.served["error"].to_list()


def test_tests_are_told_in_words_and_places_by_their_names(sight: Sight) -> None:
    figures = {"figure": 0.5, "usual": 0.1, "limit": 0.4, "p": 0.001, "alarm": True}
    names = ["truth at z1", "input calls_7d", "prediction"]
    told = {"promises": [], "tests": [{"name": name, **figures} for name in names]}
    assert [(one.about, one.subject, one.alarm) for one in drifts.tests(sight, told)] == [
        ("What came at Area z1", "", True),
        ("Values of", "calls_7d", True),
        ("Predictions", "", True),
    ]
    assert drifts.rate({"rate": 0.01}) == "one look in 100 alarms though nothing is wrong, all its tests together"


def test_classes_are_right_or_wrong_and_long_stretches_are_weeks(sight: Sight) -> None:
    prepared = sight.standing.prepared
    first = datetime.fromisoformat("2021-01-04T05:00:00+00:00")  # a Monday, midnight in New York
    rows = 2 * outcomes.POINTS
    starts = [first + timedelta(days=at) for at in range(rows)]
    said = pl.DataFrame({"start": starts, "prediction": ["a", "b"] * outcomes.POINTS, "label": ["a"] * rows})
    told = outcomes.by_period(prepared, said.with_columns(pl.col("start").cast(pl.Datetime("us", "UTC"))))
    assert told is not None
    assert told["answers"].to_list() == [7] * (rows // 7) + [rows % 7]
    assert told["error"].to_list()[:2] == pytest.approx([3 / 7, 4 / 7])
    assert told["coverage"].null_count() == told.height
    assert outcomes.by_period(prepared, said.with_columns(label=pl.lit(None, pl.String))) is None
