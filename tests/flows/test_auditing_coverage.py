"""What a source covers is audited: it may not lean on rows that were known later, and quiet days are no fault."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from asof import coverage
from asof.data import UTC_TIME, SourceTable
from asof.flows import auditing

FIRST = datetime(2021, 1, 1, tzinfo=UTC)
DAYS = 120
CUTS = [FIRST + timedelta(days=day) for day in range(60, 100, 3)]


def table(counts: list[int], late: dict[int, int] | None = None, delay: int = 0) -> SourceTable:
    """Rows spread over each day, at once available, of which a delay of some days is declared all the same.

    Those of the days in ``late`` were available so many days after they ended.
    """
    hours = [(day, 24 * (row + 0.5) / count) for day, count in enumerate(counts) for row in range(count)]
    moments = [FIRST + timedelta(days=day, hours=hour) for day, hour in hours]
    waits = [timedelta(days=(late or {}).get((moment - FIRST).days, 0)) for moment in moments]
    rows = pl.DataFrame({"_event": moments, "_late": waits}).with_columns(pl.col("_event").cast(UTC_TIME))
    rows = rows.with_columns(_ended=pl.col("_event") + timedelta(minutes=1))
    rows = rows.with_columns(_available=pl.col("_ended") + pl.col("_late"))
    return SourceTable("calls", rows, "UTC", timedelta(days=delay), coverage.of(rows, "UTC"))


def blamed(one: SourceTable) -> list[datetime]:
    """Cuts at which the coverage of the source leans on rows known later."""
    return [cut for cut in CUTS if auditing._coverage_moves({one.name: one}, cut)]


@pytest.mark.parametrize("rhythm", ["few", "odd"])
def test_days_that_happen_to_be_quiet_are_no_fault(rhythm: str) -> None:
    """Whether a cut lies after a day without rows, or after one with so few that it looks cut off, is chance."""
    few = np.random.default_rng(1).poisson(1.5, DAYS).tolist()
    odd = [5 if day % 10 == 6 else 40 for day in range(DAYS)]
    one = table(few if rhythm == "few" else odd)
    ends = [coverage.of(one.rows.filter(pl.col("_available") <= cut), "UTC").end for cut in CUTS]
    assert any(end < cut for end, cut in zip(ends, CUTS, strict=True))
    assert blamed(one) == []


def test_rows_that_come_earlier_than_their_delay_are_no_fault() -> None:
    """After a quiet day that ends the coverage of rows that had to be there, others may be there already."""
    counts = np.random.default_rng(1).poisson(1.5, DAYS).tolist()
    assert blamed(table(counts, delay=3)) == []
    late = dict.fromkeys(range(DAYS), 5)
    assert blamed(table([40] * DAYS, late, delay=3)) == CUTS
    assert blamed(table([40] * DAYS, late, delay=5)) == []


def test_rows_that_come_later_than_their_delay_are_told_of() -> None:
    """All of them five days late; or those of one fortnight only, which looked like a hole until they came."""
    always = table([40] * DAYS, dict.fromkeys(range(DAYS), 5))
    assert blamed(always) == CUTS
    (found,) = auditing._coverage_moves({"calls": always}, CUTS[0])
    assert (found.severity, found.subject) == ("error", "calls.coverage")
    assert found.message == (
        "what calls covers before 2021-03-02 depends on rows known later than its delay says: "
        "give it a longer delay:, or declare covered:"
    )
    once = table([40] * DAYS, dict.fromkeys(range(40, 54), 45))
    assert blamed(once) == [cut for cut in CUTS if cut <= FIRST + timedelta(days=98)]
