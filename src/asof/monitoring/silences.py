"""Silences: places of which rows used to come and come no more."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.monitoring.alarms import Test

Floats = NDArray[np.float64]
SEASON = 7
"""Days of the week are told apart; of longer periods none are."""
CYCLES = 8
"""Rows of so many weeks (or longer periods) before say how many are to be expected."""
SHARED = 50.0
"""How rows of a place lie over the week is drawn towards the week of all places, as if by so many rows."""


def silences(counts: Floats, places: Sequence[str], season: int = SEASON) -> list[Test]:
    """Test for each of m places whether it has fallen silent.

    A figure is the number of rows that were to be expected since the last row came, by the n rows of the weeks before
    that; on a day on which all other places were quieter than usual, as much fewer. If a place goes on as before, and
    rows come by chance alone, x of them stay out with a chance of (1 + x / n) ** -n: they might as well have come in
    any other order. Where an earlier silence of a place was longer than that, its rows are taken to come in clumps as
    large: the longest of k waits is about log k. A silence that is older than those weeks is news no more.

    Args:
        counts: d x m rows of each day and place, oldest first; not a number where the source does not cover the day.
        places: m ids.
        season: days in a week; 1 where what is counted by are weeks or longer.

    Returns:
        m tests of equal weight, each with the figure of the last day and of all days before it from the time on at
        which something was to be expected, the newest first; none where there is too little.
    """
    days, width = counts.shape
    first = CYCLES * season
    if days <= first:
        return []
    there = np.asarray(np.isfinite(counts).all(axis=1))
    rows = np.nan_to_num(counts)
    usual, missed, longest = (np.zeros(width) for _ in range(3))
    scale, since = np.ones(width), np.zeros(width)
    figures, chances = (np.zeros((days - first, width)) for _ in range(2))
    for day in range(first, days):
        before, at = slice(day - first, day), day - first
        ended = rows[day] > 0
        since = np.where(ended, 0.0, since + 1)
        if there[day]:
            missed = np.where(ended, 0.0, missed + _expected(rows[day], usual * _part(rows[before], season)))
        missed = np.where(since > first, 0.0, missed)
        learnt = np.maximum(usual * first, 1.0)
        told = learnt * np.log1p(missed / learnt)
        figures[at], chances[at] = missed, -told / scale
        longest = np.maximum(longest, told)
        # What is usual, and how long silences may be, is what it was when the last row came.
        usual = np.where(ended, rows[before].sum(axis=0) / max(there[before].sum(), 1), usual)
        scale = np.where(ended, np.maximum(1.0, longest / np.log(at + np.e)), scale)
    steep = np.maximum(-chances[-1], 1e-9) / np.maximum(figures[-1], 1e-9)
    return [
        Test(f"silent at {place}", 1 / width, figures[::-1, at], 0.0, chances=chances[::-1, at], steep=float(steep[at]))
        for at, place in enumerate(places)
    ]


def _expected(rows: Floats, usual: Floats) -> Floats:
    """Rows to be expected of each place, fewer than usual where all others had fewer."""
    beside = usual.sum() - usual
    others = np.where(beside > 0, (rows.sum() - rows) / np.maximum(beside, 1e-9), 1.0)  # alone: there is no other
    told: Floats = usual * np.clip(others, 0.0, 1.0)
    return told


def _part(before: Floats, season: int) -> Floats:
    """Of each place, rows of a day like that which follows the days ``before``, in parts of those of a mean day."""
    alike, each = before[::season].sum(axis=0), before.sum(axis=0)
    usual = alike.sum() / max(each.sum(), 1.0)
    part: Floats = (alike + SHARED * usual) / (each + SHARED) * season
    return part


def counted(rows: pl.DataFrame, periods: tuple[pl.Series, pl.Series], places: Sequence[str]) -> Floats:
    """Count rows (``_place``, ``_ended``) by d periods (start, end], in order and apart, and m places: d x m."""
    begun, ended = (one.dt.timestamp("us").to_numpy() for one in periods)
    codes = pl.DataFrame({"_place": places}, schema={"_place": pl.String}).with_row_index("_code")
    mine = rows.select(pl.col("_place").cast(pl.String), pl.col("_ended").dt.timestamp("us")).join(codes, on="_place")
    over = mine["_ended"].to_numpy()
    at = np.searchsorted(begun, over, side="left") - 1
    inside = at >= 0
    inside[inside] = over[inside] <= ended[at[inside]]
    flat = at[inside] * len(places) + mine["_code"].to_numpy()[inside]
    return np.bincount(flat, minlength=len(begun) * len(places)).reshape(len(begun), len(places)).astype(np.float64)
