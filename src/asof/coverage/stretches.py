"""Which stretches of time a source covers: local days with about as many rows as usual."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from statistics import median
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from asof import times
from asof.coverage.timelines import Timeline
from asof.data import Coverage

Counts = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

HOLE: Final = 1 / 20
"""A day with fewer than this share of the usual rows begins a hole."""
BACK: Final = 2 / 3
"""A hole ends, and coverage begins, with the first day that has this share: before it the source is coming back."""
LOWER: Final = 1 / 4
"""Or after a week of days with this share: the source is back on a lower level. A last day with fewer goes on."""
WEEK: Final = 7
"""Length of that week in days."""
HOLIDAYS: Final = 2
"""In a source that rests on some weekday, so many busy days in a row without rows are holidays."""
RESTED: Final = 4
"""Covered days of a weekday from which it is known that the source rests on it."""
USUAL_DAYS: Final = 28
"""What is usual on a day is the median of this many covered days before it."""
USUAL_WEEKS: Final = 8
"""And on a weekday, the median of this many covered ones before it, where that is less."""
FEWEST_DAYS: Final = 7
"""Covered days without which nothing is usual yet."""
ENOUGH: Final = 20
"""Usual rows a day below which a hole cannot be told from chance."""
CHANCE: Final = 0.001
"""A first day whose rows begin so late, or a last one whose rows end so early, by the hours of other days, that it
happens by chance with less than this (a Poisson count of the rows that lack), is a part of a day."""


def of(
    rows: pl.DataFrame | Timeline, zone: str, covered: Sequence[tuple[date | datetime, date | datetime]] = ()
) -> Coverage:
    """Find the stretches that a source covers.

    Coverage begins with the local day of the first row: the next day, where the rows of the first begin late in it;
    and where single rows lie scattered long before the bulk, with the bulk (the first day with 2/3 of the median of
    the 28 days from it on, and 1/20 of the rows of the day of the median row). From there on, whether a day is covered
    depends only on rows up to that day, so that later rows change nothing about it: a hole begins with a day that has
    fewer than 1/20 of the usual rows (median of the last 28 covered days, or of the last 8 of its weekday where that is
    less; at least 20 rows) and ends with one that has 2/3 of them, or after a week of days that have 1/4. No holes
    are: a day that was as low a week before, with usual days in between, such as a closed Sunday; and, in a source
    that rests on some weekday, up to two busy days in a row, such as Christmas. So in such a source the first two
    days of a hole are taken for zeros; the counts up to them cannot tell.
    Coverage ends with the local day of the last row, or before it where it has fewer than 1/4 of the usual rows, or
    where its rows end earlier than those of other days do.

    Args:
        rows: n rows with ``_event`` and ``_ended`` (UTC), or their timeline.
        zone: IANA zone whose local days count.
        covered: stretches [from, until) of local days, or local times, known to be complete; they win.

    Returns:
        Sorted, disjoint stretches; none at all for rows without a time.
    """
    if covered:
        return _declared(covered, zone)
    line = rows if isinstance(rows, Timeline) else Timeline.of(rows, zone)
    days, counts = daily(line)
    if not days:
        return Coverage((), ())
    begin = _begin(counts, int(_begins_late(line, zone, days, counts)))
    kept = np.zeros(len(counts), dtype=bool)
    kept[begin:], usual = _kept(counts[begin:])
    if kept[-1] and _ends_early(line, zone, [day for day, whole in zip(days, kept, strict=True) if whole], usual):
        kept[-1] = False
    edges = np.flatnonzero(np.diff(np.concatenate([[False], kept, [False]]).astype(np.int8)))
    midnights = [*days, days[-1] + timedelta(days=1)]
    starts = tuple(times.midnight(midnights[index], zone) for index in edges[::2])
    ends = tuple(times.midnight(midnights[index], zone) for index in edges[1::2])
    return Coverage(starts, (*ends[:-1], _last_end(line, ends[-1], reaches_end=bool(kept[-1]))))


def holidays(line: Timeline) -> list[date]:
    """Covered busy days with hardly a row, taken for holidays since the source rests on some weekday."""
    days, counts = daily(line)
    if not days:
        return []
    begin = _begin(counts, 0)
    judged = _Days()
    for count in counts[begin:]:
        judged.is_covered(int(count))
    return [days[begin + index] for index in judged.holidays]


def daily(line: Timeline) -> tuple[list[date], Counts]:
    """All local days from the first row to the last, and the number of rows of each."""
    counted = line.days.select("day", "rows")
    if counted.is_empty():
        return [], np.zeros(0, np.int64)
    days = pl.DataFrame({"day": pl.date_range(counted["day"][0], counted["day"][-1], eager=True)})
    filled = days.join(counted, on="day", how="left", maintain_order="left")["rows"].fill_null(0)
    return days["day"].to_list(), filled.cast(pl.Int64).to_numpy()


def _declared(covered: Sequence[tuple[date | datetime, date | datetime]], zone: str) -> Coverage:
    """The declared stretches, joined where they touch."""
    spans: list[list[datetime]] = []
    for low, high in sorted((times.moment(first, zone), times.moment(until, zone)) for first, until in covered):
        if spans and low <= spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], high)
        else:
            spans.append([low, high])
    return Coverage(tuple(low for low, _ in spans), tuple(high for _, high in spans))


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


def _begins_late(line: Timeline, zone: str, days: Sequence[date], counts: Counts) -> bool:
    """Whether the rows of the first day begin too late for a whole day: by those of the days after it."""
    local = _local(line, zone, days[: 1 + USUAL_DAYS])
    first = local.filter(pl.col("day") == days[0])["event"].min()
    after = local.filter(pl.col("day") > days[0])["event"]
    if not isinstance(first, datetime) or after.is_empty():
        return False
    missing = int((after.dt.time() < first.time()).sum()) / (len(counts[: 1 + USUAL_DAYS]) - 1)
    return bool(np.exp(-missing) < CHANCE)


def _ends_early(line: Timeline, zone: str, covered: Sequence[date], usual: float) -> bool:
    """Whether the rows of the last covered day end too early for a whole day: by those of the days before it."""
    local = _local(line, zone, covered[-1 - USUAL_DAYS :])
    last = local.filter(pl.col("day") == covered[-1])["ended"].max()
    before = local.filter(pl.col("day") < covered[-1])["ended"]
    if not isinstance(last, datetime) or last.date() > covered[-1] or before.is_empty():
        return False
    clock = before.dt.time()
    later = float(((clock > last.time()) | (clock == time())).mean() or 0.0)  # type: ignore[arg-type]
    return bool(np.exp(-usual * later) < CHANCE)


def _local(line: Timeline, zone: str, days: Sequence[date]) -> pl.DataFrame:
    """Rows of some days: local ``day``, ``event`` and ``ended``."""
    rows = line.near(days[0], days[-1])
    events, ended = times.local(rows["_event"], zone), times.local(rows["_ended"], zone)
    local = pl.DataFrame({"day": events.dt.date(), "event": events, "ended": ended})
    return local.filter(pl.col("day").is_in(list(days)))


def _kept(counts: Counts) -> tuple[Flags, float]:
    """Which days are covered, each decided by itself and the days before it; and what is usual on the last."""
    judged = _Days()
    kept = np.array([judged.is_covered(int(count)) for count in counts], dtype=bool)
    if len(counts) > 1 and judged.usual() >= ENOUGH and counts[-1] < LOWER * judged.level:
        kept[-1] = False
    return kept, judged.level


@dataclass
class _Days:
    """The days so far: what is usual, and whether we are in a hole."""

    counts: list[int] = field(default_factory=list)
    """Rows of the covered days."""
    of_weekday: list[list[int]] = field(default_factory=lambda: [[] for _ in range(7)])
    """The same by weekday."""
    low: list[bool] = field(default_factory=list)
    """Whether each day, covered or not, was too low."""
    inside: bool = False
    back: int = 0
    """Days in a row, in a hole, with a quarter of the usual rows."""
    missed: int = 0
    """Busy days in a row without rows."""
    holidays: list[int] = field(default_factory=list)
    """Numbers of the days that were taken for holidays."""
    level: float = 0.0
    """Usual rows of the last day that was judged."""

    def is_covered(self, count: int) -> bool:
        """Judge the next day by its rows."""
        day = len(self.low)
        same = self.of_weekday[day % 7]
        usual = self.usual()
        # A quiet weekday is held against its like: a low count alone must not make a day unknown.
        self.level = min(usual, median(same[-USUAL_WEEKS:])) if same else usual
        low = self._is_low(count, usual) if self.level >= ENOUGH else self.inside
        self.low.append(low)
        # As low a week ago, and not ever since: the rhythm of the week.
        rhythm = day >= 7 and self.low[day - 7] and not all(self.low[day - 6 : day])
        self.inside = low and not rhythm
        if not self.inside:
            self.counts.append(count)
            same.append(count)
        return not self.inside

    def usual(self) -> float:
        """Median rows of the last covered days."""
        return median(self.counts[-USUAL_DAYS:]) if len(self.counts) >= FEWEST_DAYS else 0.0

    def _is_low(self, count: int, usual: float) -> bool:
        if self.inside:
            self.back = self.back + 1 if count >= LOWER * self.level else 0
            return count < BACK * self.level and self.back <= WEEK
        self.back = 0
        self.missed = self.missed + 1 if count < HOLE * self.level else 0
        if self.missed == 0 or self.missed > HOLIDAYS or not self._rests(usual):
            return self.missed > 0
        self.holidays.append(len(self.low))
        return False

    def _rests(self, usual: float) -> bool:
        """Whether some weekday is known to be quiet."""
        known = [same[-USUAL_WEEKS:] for same in self.of_weekday if len(same) >= RESTED]
        return any(median(same) < LOWER * usual for same in known)


def _last_end(line: Timeline, end: datetime, *, reaches_end: bool) -> datetime:
    """End of coverage: where the last row describes a longer period than a day, the end of that period."""
    return max(end, line.ended) if line.ended is not None and reaches_end else end
