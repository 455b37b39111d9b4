"""How many periods of a panel a source covers: what a count is divided by to give a rate."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import polars as pl

from asof.data import UTC_TIME, Coverage
from asof.ledgers.moments import Floats, Ints, Moments
from asof.times import DAY, HOUR, THURSDAY, Step, end, floor, local_micros, starts

Slot = Literal["weekday", "hour", "weekday hour"]


@dataclass(frozen=True)
class Periods:
    """The covered pieces of the periods of a panel, in order of (slot, start).

    A period counts as 1 where it is covered, as the covered share of it else; whole periods add up
    exactly. What is covered after a moment never changes what is counted up to it.
    """

    edge: Ints
    """slot * span + start of each piece, ascending."""
    length: Ints
    """Length of each piece in microseconds."""
    period: Ints
    """Length of the whole period that the piece belongs to."""
    before: Floats
    """Periods covered in the pieces of the same slot before this one."""
    slot: Ints
    """Slot of each piece."""
    first: int
    span: int

    @classmethod
    def of(cls, coverage: Coverage, every: Step, zone: str, slot: Slot | None = None) -> "Periods":
        """Cut what is covered into the periods of length ``every`` of ``zone``, told apart by ``slot``."""
        pieces = _pieces(coverage, every, zone)
        codes = slots(pieces["start"].cast(UTC_TIME).cast(pl.Int64).to_numpy(), slot, zone)
        order = np.argsort(codes, kind="stable")
        begun, ended, period = (pieces[name].to_physical().to_numpy()[order] for name in ("low", "high", "period"))
        codes = codes[order]
        first = int(begun.min(initial=0))
        span = int(ended.max(initial=0)) - first + 2
        share = (ended - begun) / np.maximum(period, 1)
        before = np.zeros(len(share))
        for code in np.unique(codes):
            low, high = np.searchsorted(codes, [code, code + 1])
            before[low + 1 : high] = np.cumsum(share[low : high - 1])
        return cls(codes * span + (begun - first), ended - begun, period, before, codes, first, span)

    def until(self, moments: Ints, slot: Ints | int = 0) -> Floats:
        """Covered periods of a slot up to each of n moments (int64 microseconds): n of float64."""
        if not len(self.edge):
            return np.zeros(len(moments))
        inside = np.clip(moments - self.first, -1, self.span - 1)
        piece = np.searchsorted(self.edge, slot * self.span + inside, side="right") - 1
        held = np.maximum(piece, 0)
        mine = (piece >= 0) & (self.slot[held] == slot) & (inside >= 0)
        part = np.minimum(inside + slot * self.span - self.edge[held], self.length[held]) / self.period[held]
        return np.where(mine, self.before[held] + part, 0.0)

    def within(self, low: Moments, high: Moments, slot: Ints | None = None) -> Floats:
        """Covered periods of n windows (low, high], of the slot of each question where slots are told apart."""
        if slot is None:
            return self.until(high.values)[high.index] - self.until(low.values)[low.index]
        return self.until(high.micros(), slot) - self.until(low.micros(), slot)


def slots(period_starts: Ints, slot: Slot | None, zone: str) -> Ints:
    """Slot of each period by its start: weekday 0..6 (Monday first), hour 0..23, or weekday * 24 + hour; 0 without.

    Starts are in microseconds since 1970, UTC.
    """
    if slot is None:
        return np.zeros(len(period_starts), dtype=np.int64)
    clock = local_micros(period_starts, zone)
    weekday = (clock // DAY + THURSDAY) % 7
    if slot == "weekday":
        return weekday
    hour = clock % DAY // HOUR
    return hour if slot == "hour" else weekday * 24 + hour


def _pieces(coverage: Coverage, every: Step, zone: str) -> pl.DataFrame:
    """The start (of the period), low, high (the covered piece of it), period (length in microseconds), in order."""
    bounds = pl.Series([*coverage.starts, *coverage.ends], dtype=UTC_TIME)
    if bounds.is_empty():
        nothing = pl.DataFrame({"start": bounds, "low": bounds, "high": bounds})
        return nothing.with_columns(period=pl.lit(0, dtype=pl.Int64))
    first: datetime = floor(bounds.sort().head(1), every, zone)[0]
    last: datetime = end(bounds.sort().tail(1), every, zone)[0]
    begun = starts(first, last, every, zone).alias("start")
    ended = end(begun, every, zone)
    covered, uncovered = (pl.Series(list(edges), dtype=UTC_TIME) for edges in (coverage.starts, coverage.ends))
    stretches = pl.DataFrame({"covered": covered, "uncovered": uncovered})
    length = (ended - begun).dt.total_microseconds()
    grid = pl.DataFrame({"start": begun, "end": ended, "period": length})
    joined = grid.join_where(stretches, pl.col("start") < pl.col("uncovered"), pl.col("end") > pl.col("covered"))
    pieces = joined.select(
        "start",
        low=pl.max_horizontal("start", "covered"),
        high=pl.min_horizontal("end", "uncovered"),
        period="period",
    )
    return pieces.filter(pl.col("low") < pl.col("high")).sort("low")
