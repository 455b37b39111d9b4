"""Moments that rows state beside their declared time: what is settled, entered or closed later is known later."""

from datetime import timedelta

import numpy as np
import polars as pl

from asof import clocks
from asof.data import Finding, Severity, SourceTable
from asof.errors import DataError
from asof.specs import TimeSpec
from asof.times import Step

TRIED = 5_000
"""Rows of a source that are looked at."""
LEAST = 20
"""Fewer rows with both moments tell nothing."""
READABLE = 0.95
"""Text of which such a share can be read as times holds times."""
MOST = 0.5
"""Later in more than this share of the rows: they are not known when the source says."""
SOME = 0.02
"""Later in more than this share: some of the rows come late."""


def stated(column: pl.Series, zone: str) -> pl.Series | None:
    """Moments that a column states (n, UTC; the first moment of a day that is stated); none where it states none."""
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        column = column.cast(pl.String)
    if column.dtype != pl.String or column.null_count() == column.len():
        return None
    known = column.drop_nulls()
    if _read(known.gather_every(max(1, known.len() // 100)), zone) is None:
        return None
    return _read(column, zone)


def _read(column: pl.Series, zone: str) -> pl.Series | None:
    try:
        read = clocks.read(pl.DataFrame({"x": column}), TimeSpec(columns=("x",), zone=zone), Step(0, "h"))
    except DataError:  # nothing tells day from month, or nothing is a time
        return None
    moments = read.times["_event"]
    known = column.len() - column.null_count()
    return moments if moments.len() - moments.null_count() >= READABLE * known else None


def late(table: SourceTable, declared: tuple[str, ...], *, strict: bool) -> list[Finding]:
    """Other times of the rows of a source that lie after the moment at which each row is said to be known.

    Args:
        table: the source, with all of its columns; its rows are known at their end plus a delay.
        declared: the columns that state its time.
        strict: whether times that are mostly later are an error, or told of only.

    A time that lies after the moment at which its row was first loaded was planned and not recorded: the column is let
    be. Nothing of it depends on the names of columns.
    """
    step = max(1, table.rows.height // TRIED)
    rows = table.rows.gather_every(step)
    if rows["_available"].null_count() == rows.height:
        return []
    found = []
    for name in rows.columns:
        if name.startswith("_") or name in declared:
            continue
        moments = stated(rows[name], table.zone)
        if moments is None or (moments > rows["_first_seen"]).any():
            continue
        lag = (moments - rows["_available"]).drop_nulls().cast(pl.Duration("us")).to_physical().to_numpy()
        after = lag[lag > 0]
        if lag.size < LEAST or after.size <= SOME * lag.size:
            continue
        severity = Severity.ERROR if strict and after.size > MOST * lag.size else Severity.WARNING
        message = (
            f"{table.name}.{name} is later than the moment at which its row is said to be known in "
            f"{after.size / lag.size:.0%} of the rows, by {_words(float(np.median(after)))} in the median: if rows are "
            "settled or entered then, declare available: or a longer delay: in the source"
        )
        figure, limit = after.size / lag.size, MOST if severity is Severity.ERROR else SOME
        found.append(Finding("future", severity, f"{table.name}.{name}", message, figure=figure, limit=limit))
    return found


def _words(micros: float) -> str:
    lag = timedelta(microseconds=micros)
    if lag >= timedelta(days=1):
        return f"{lag / timedelta(days=1):.1f} days"
    return f"{lag / timedelta(hours=1):.1f} hours"


def after(name: str, moments: pl.Series, ends: pl.Series) -> Finding | None:
    """A time of the row's own that mostly lies after the period that its question is about (n moments, n ends)."""
    known = (moments.is_not_null() & ends.is_not_null()).to_numpy()
    later = int((moments >= ends).fill_null(value=False).sum())
    if known.sum() < LEAST or later <= MOST * known.sum():
        return None
    share = later / int(known.sum())
    message = (
        f"{name} lies after the period that is asked about in {share:.0%} of the rows where it is known: a time "
        "still to come cannot be known when it is asked; leave it out, or accept it with the reason why it is planned"
    )
    return Finding("too good", Severity.ERROR, name, message, figure=share, limit=MOST, rows=later)
