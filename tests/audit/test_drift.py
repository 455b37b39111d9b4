"""Drift: training and test told apart, by which columns, and never a failure."""

from datetime import timedelta

import numpy as np
import polars as pl

from asof.audit import Outcome, drift
from asof.audit.drift import Part
from asof.data import UTC_TIME, Severity
from tests.audit.evidence import NOON


def table(rows: int, shift: float = 0.0, seed: int = 1) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    return pl.DataFrame(
        {"level": draw.normal(shift, 1, rows), "noise": draw.normal(0, 1, rows), "kind": draw.choice(["a", "b"], rows)}
    )


def timeless(features: pl.DataFrame) -> Part:
    nothing = pl.Series([None] * features.height, dtype=UTC_TIME)
    return Part(features, nothing, nothing)


def test_sides_that_are_alike_pass_without_a_word() -> None:
    verdict = drift.check(timeless(table(800)), timeless(table(400, seed=2)))
    assert (verdict.outcome, verdict.findings) == (Outcome.PASSED, ())
    area = float(verdict.coverage.partition("AUC ")[2][:4])
    assert abs(area - 0.5) < 0.06
    assert verdict.coverage.startswith("3 features, 800 training and 400 test questions, AUC ")
    assert verdict.coverage.endswith(", of which up to 0.7 is nothing to speak of")


def test_a_column_that_has_moved_is_named_and_only_warned_of() -> None:
    verdict = drift.check(timeless(table(800)), timeless(table(400, shift=1.5, seed=2)))
    assert verdict.outcome is Outcome.PASSED
    (finding,) = verdict.findings
    assert (finding.severity, finding.subject, finding.limit) == (Severity.WARNING, "level", drift.APART)
    assert finding.figure is not None
    assert 0.8 < finding.figure < 0.92  # two bells 1.5 apart: Phi(1.5 / sqrt 2) = 0.856
    assert "by level (0.8" in finding.message


def side(first: int, days: int, shift: float) -> Part:
    """Ten places a day, each asked a day or two before; the month, the day, and the total of all when it is asked."""
    day = np.repeat(np.arange(first, first + days), 10)
    asked = day - 1 - np.arange(len(day)) % 2
    features = table(len(day), shift, seed=first).with_columns(
        month=pl.Series(day // 30).cast(pl.Float64),
        since=pl.Series(day + np.arange(len(day)) % 10 / 10),
        total=pl.Series(np.sin(asked) * 100),
        of_half=pl.Series(np.cos(asked) * (1 + np.arange(len(day)) // 2 % 2)),
    )
    start, as_of = (
        pl.Series([NOON + timedelta(days=int(number)) for number in numbers], dtype=UTC_TIME)
        for numbers in (day, asked)
    )
    return Part(features, start, as_of)


def test_columns_that_say_when_are_not_counted() -> None:
    """The month differs between training and test by nature; what is said of the place does not."""
    verdict = drift.check(side(0, 90, 0.0), side(90, 30, 0.0))
    assert verdict.findings == ()
    assert verdict.coverage.endswith("; 4 say when, and differ by nature")
    (finding,) = drift.check(side(0, 90, 0.0), side(90, 30, 1.5)).findings
    assert finding.subject == "level"
    assert finding.message.endswith("because they say when: month, since, total, of_half")


def test_few_questions_tell_nothing() -> None:
    assert drift.check(timeless(table(800)), timeless(table(50))).outcome is Outcome.UNTOLD


def test_tables_of_one_kind_of_column_are_told_apart_too() -> None:
    """Text alone, and a column that is never known."""
    left = pl.DataFrame({"kind": ["a"] * 200, "never": pl.Series([None] * 200, dtype=pl.Float64)})
    right = pl.DataFrame({"kind": ["b"] * 200, "never": pl.Series([None] * 200, dtype=pl.Float64)})
    (finding,) = drift.check(timeless(left), timeless(right)).findings
    assert (finding.subject, finding.figure) == ("kind", 1.0)
