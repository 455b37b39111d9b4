"""The rows of a source by local day: all that its coverage is found from, however many rows there are."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl

from asof import times

Near = Callable[[date, date], pl.DataFrame]
"""Gives the rows (``_event``, ``_ended``, UTC) of all local days from the first to the last."""


@dataclass(frozen=True)
class Timeline:
    """How many rows each day has; the rows themselves are asked for only where the hours of a few days matter."""

    days: pl.DataFrame
    """``day`` (Date), ``rows``, and ``has NAME`` for some columns: rows of the day with a value; days without a row
    may be left out."""
    ended: datetime | None
    """When the last period that a row describes is over; none where that is not told."""
    near: Near

    @classmethod
    def of(cls, rows: pl.DataFrame, zone: str, columns: Sequence[str] = ()) -> "Timeline":
        """Count n rows with ``_event`` and perhaps ``_ended`` (UTC), and of ``columns`` the values that are given."""
        ended = rows["_ended"].max() if "_ended" in rows.columns else None

        def near(first: date, last: date) -> pl.DataFrame:
            low, high = (times.midnight(day, zone) for day in (first, last + timedelta(days=1)))
            inside = rows.filter(pl.col("_event").is_between(low, high, closed="left"))
            return inside if "_ended" in rows.columns else inside.with_columns(_ended="_event")

        return cls(by_day(rows, zone, columns), ended if isinstance(ended, datetime) else None, near)

    @classmethod
    def joined(cls, days: Sequence[pl.DataFrame], ended: Sequence[datetime | None], near: Near) -> "Timeline":
        """Add up the days of several parts."""
        every = pl.concat(days, how="diagonal_relaxed").group_by("day").agg(pl.all().exclude("day").sum()).sort("day")
        return cls(every, max((one for one in ended if one is not None), default=None), near)


def by_day(rows: pl.DataFrame, zone: str, columns: Sequence[str] = ()) -> pl.DataFrame:
    """Rows of each local day that has some, and values given, as ``Timeline.days``, in the order of days."""
    timed = rows.filter(pl.col("_event").is_not_null())
    local = times.local(timed["_event"], zone).dt.date().alias("day").to_frame()
    local = local.hstack(timed.select(pl.col(column).is_not_null().alias(f"has {column}") for column in columns))
    marks = [pl.col(f"has {column}").sum().cast(pl.Int64) for column in columns]
    return local.group_by("day").agg(pl.len().cast(pl.Int64).alias("rows"), *marks).sort("day")
