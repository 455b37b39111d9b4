"""Which stretches of time a source covers: local days with about as many rows as usual."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from asof import times
from asof.data import Coverage

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HOLE: Final = 1 / 20
"""A day with fewer than this share of the usual rows begins a hole."""
BACK: Final = 1 / 4
"""A hole ends, and coverage begins, with the first day that has this share; a last day with fewer is still going on."""
USUAL_DAYS: Final = 28
"""What is usual on a day is the median of this many covered days before it."""
USUAL_WEEKS: Final = 8
"""And on a weekday, the median of this many covered ones before it, where that is less."""
FEWEST_DAYS: Final = 7
"""Covered days without which nothing is usual yet."""
ENOUGH: Final = 20
"""Usual rows a day below which a hole cannot be told from chance."""
CHANCE: Final = 0.001
"""A first day whose rows begin so late that this chance is not reached is a part of a day."""


def of(rows: pl.DataFrame, zone: str, covered: Sequence[tuple[date, date]] = ()) -> Coverage:
    """Find the stretches that a source covers.

    Coverage begins with the local day of the first row: the next day, where the rows of the first begin late in it;
    and where single rows lie scattered long before the bulk, with the bulk (the first day with 1/4 of the median of
    the 28 days from it on, and 1/20 of the rows of the day of the median row). From there on, whether a day is covered
    depends only on rows up to that day, so that later rows change nothing about it: a hole begins with a day that has
    fewer than 1/20 of the usual rows (median of the last 28 covered days, or of the last 8 of its weekday where that is
    less; at least 20 rows) and ends with one that has 1/4 of them; a day that was as low a week before, with usual days
    in between, such as a closed Sunday, is no hole.
    Coverage ends with the local day of the last row, or before it where it has fewer than 1/4 of the usual rows.

    Args:
        rows: n rows with ``_event`` and ``_ended`` (UTC).
        zone: IANA zone whose local days count.
        covered: stretches [from, until) of local days known to be complete; they win.

    Returns:
        Sorted, disjoint stretches; none at all for rows without a time.
    """
    if covered:
        return _declared(covered, zone)
    days, counts = daily(rows, zone)
    if not days:
        return Coverage((), ())
    first = times.local(rows["_event"].drop_nulls().sort().head(1), zone)[0]
    begin = _begin(counts, int(len(days) > 1 and _is_late(first, int(counts[0]))))
    kept = np.zeros(len(counts), dtype=bool)
    kept[begin:] = _kept(counts[begin:])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    midnights = [*days, days[-1] + timedelta(days=1)]
    starts = tuple(times.midnight(midnights[index], zone) for index in edges[::2])
    ends = tuple(times.midnight(midnights[index], zone) for index in edges[1::2])
    return Coverage(starts, (*ends[:-1], _last_end(rows, ends[-1], reaches_end=bool(kept[-1]))))


def daily(rows: pl.DataFrame, zone: str) -> tuple[list[date], Counts]:
    """All local days from the first row to the last, and the number of rows of each."""
    events = rows["_event"].drop_nulls()
    if events.is_empty():
        return [], np.zeros(0, np.int64)
    counted = pl.DataFrame({"day": times.local(events, zone).dt.date()}).group_by("day").len("rows").sort("day")
    days = pl.DataFrame({"day": pl.date_range(counted["day"][0], counted["day"][-1], eager=True)})
    filled = days.join(counted, on="day", how="left", maintain_order="left")["rows"].fill_null(0)
    return days["day"].to_list(), filled.cast(pl.Int64).to_numpy()


def _declared(covered: Sequence[tuple[date, date]], zone: str) -> Coverage:
    """The declared stretches, joined where they touch."""
    spans: list[list[datetime]] = []
    for first, until in sorted(covered):
        low, high = times.midnight(first, zone), times.midnight(until, zone)
        if spans and low <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], high)
        else:
            spans.append([low, high])
    return Coverage(tuple(low for low, _ in spans), tuple(high for _, high in spans))


def _is_late(first: datetime, count: int) -> bool:
    """Whether ``count`` rows of a day, of which the first is at ``first`` (local), begin too late for a whole day."""
    gone = (first - first.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(days=1)
    # Rows spread evenly over a day all lie in its last part with this chance.
    return bool((1 - gone) ** count < CHANCE)


def _begin(counts: Counts, first: int) -> int:
    """Index of the first day of the bulk of the rows, not before ``first``."""
    ordered = np.sort(counts)
    typical = ordered[np.searchsorted(np.cumsum(ordered), counts.sum() / 2)]
    if typical < ENOUGH:
        return first
    for index in range(first, len(counts) - FEWEST_DAYS + 1):
        ahead = float(np.median(counts[index : index + USUAL_DAYS]))
        if ahead >= HOLE * typical and counts[index] >= max(BACK * ahead, HOLE * typical):
            return index
    return first


def _kept(counts: Counts) -> Flags:
    """Which days are covered; each day is decided by itself and the days before it."""
    kept = np.ones(len(counts), dtype=bool)
    low = np.zeros(len(counts), dtype=bool)
    usual_rows: list[int] = []
    of_weekday: list[list[int]] = [[] for _ in range(7)]
    inside = False
    usual = level = 0.0
    for day, count in enumerate(counts):
        usual = float(np.median(usual_rows[-USUAL_DAYS:])) if len(usual_rows) >= FEWEST_DAYS else 0.0
        same = of_weekday[day % 7][-USUAL_WEEKS:]
        # A quiet weekday is held against its like: a low count alone must not make a day unknown.
        level = min(usual, float(np.median(same))) if same else usual
        low[day] = count < (BACK if inside else HOLE) * level if level >= ENOUGH else inside
        # As low a week ago, and not ever since: the rhythm of the week.
        rhythm = day >= 7 and low[day - 7] and not low[day - 6 : day].all()
        kept[day] = not low[day] or rhythm
        inside = bool(low[day]) and not rhythm
        if kept[day]:
            usual_rows.append(int(count))
            of_weekday[day % 7].append(int(count))
    if len(counts) > 1 and usual >= ENOUGH and counts[-1] < BACK * level:
        kept[-1] = False
    return kept


def _last_end(rows: pl.DataFrame, end: datetime, *, reaches_end: bool) -> datetime:
    """End of coverage: where the last row describes a longer period than a day, the end of that period."""
    ended = rows["_ended"].max() if "_ended" in rows.columns and reaches_end else None
    return max(end, ended) if isinstance(ended, datetime) else end
