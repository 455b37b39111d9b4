"""Moments: what rows state beside their declared time is held against it."""

from datetime import timedelta

import polars as pl
import pytest

from asof.audit import Outcome, Verdict, moments, too_good
from asof.audit.too_good import Columns
from asof.data import UTC_TIME, Coverage, Finding, Severity, SourceTable
from tests.audit.evidence import NOON, times

ROWS = 200
SOLD = [NOON + timedelta(days=number) for number in range(ROWS)]


def late(other: pl.Expr, *, strict: bool = True) -> list[Finding]:
    """Two hundred rows a day apart, known at once and loaded long after, with another column."""
    moments_of = times(SOLD)
    loaded = pl.lit(NOON + timedelta(days=900)).cast(UTC_TIME)
    frame = pl.DataFrame({"_key": [f"k{n}" for n in range(ROWS)], "_ended": moments_of, "_available": moments_of})
    frame = frame.with_columns(_first_seen=loaded, sold=pl.col("_ended"), n=pl.int_range(ROWS)).with_columns(
        other=other
    )
    table = SourceTable("sales", frame, "UTC", timedelta(0), Coverage((SOLD[0],), (SOLD[-1],)))
    return moments.late(table, ("sold",), strict=strict)


LATER = pl.col("_ended") + pl.duration(days=pl.col("n") % 30 + 5)


def test_a_time_that_is_mostly_later_names_the_column_and_its_lag() -> None:
    (found,) = late(LATER)
    assert (found.subject, found.severity, found.figure) == ("sales.other", Severity.ERROR, 1.0)
    assert "in 100% of the rows, by 19." in found.message
    assert "declare available: or a longer delay:" in found.message
    (written,) = late(LATER.dt.strftime("%Y-%m-%d"))
    assert (written.subject, written.severity) == ("sales.other", Severity.ERROR)
    (told,) = late(LATER, strict=False)
    assert told.severity is Severity.WARNING


def test_some_late_rows_are_told_of() -> None:
    (found,) = late(pl.when(pl.col("n") % 10 == 0).then(LATER).otherwise("_ended"))
    assert (found.severity, found.figure) == (Severity.WARNING, 0.1)


@pytest.mark.parametrize(
    "honest",
    [
        pl.col("_ended") - pl.duration(days=pl.col("n")),
        pl.when(pl.col("n") % 100 == 0).then(LATER).otherwise("_ended"),
        pl.col("_ended") + pl.duration(days=800),
        pl.col("n") + 20300101,
        pl.format("house {}", "n"),
        pl.when(pl.col("n") < 10).then(LATER),
    ],
    ids=["earlier", "one in a hundred", "planned beyond the loading", "numbers", "names", "hardly ever known"],
)
def test_what_is_no_late_time_is_let_be(honest: pl.Expr) -> None:
    assert late(honest) == []


def test_a_time_still_to_come_is_no_column_of_a_question() -> None:
    """The day of the sale after an offer; a time within the period that is asked about is part of the question."""
    offered = times(SOLD)
    label = pl.Series([float(n * 7919 % 200) for n in range(ROWS)])
    asked = pl.DataFrame({"label": label, "as_of": offered, "end": offered + timedelta(days=1)})
    features = pl.DataFrame({"sold": [float(n) for n in range(ROWS)], "x": [float(n * 31 % 17) for n in range(ROWS)]})

    def verdict(lag: timedelta) -> Verdict:
        given = Columns(asked, features, own=("sold", "x"), moments={"sold": offered + lag})
        return too_good.check(given)

    (found,) = verdict(timedelta(days=20)).findings
    assert (found.subject, found.severity, found.rows) == ("sold", Severity.ERROR, ROWS)
    assert verdict(timedelta(hours=6)).outcome is Outcome.PASSED
