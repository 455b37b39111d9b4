"""Steps of time: their names, and their arithmetic in the calendar of a zone.

Moments are ``Datetime[us, UTC]`` everywhere. ``s``, ``m`` and ``h`` are absolute lengths;
``d``, ``w`` and ``mo`` are steps of the local calendar, so that a day may last 23 or 25 hours.
A local time that does not exist moves forward to the first moment that does; one that exists twice
is the earlier.
"""

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl

from asof.data import UTC_TIME
from asof.errors import UserError

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "mo": 2_629_746}
_DAYS: Final = {"d": 1, "w": 7}
_WRITTEN: Final = re.compile(r"(\d{1,6})\s*(mo|s|m|h|d|w)")
_KEPT: Final = (date(1970, 1, 1), date(2100, 1, 1))
"""Between these days, the periods of a calendar are worked out once and kept."""
Ints = npt.NDArray[np.int64]
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
DAY: Final = 86_400_000_000
"""Microseconds of a day of 24 hours; of an hour likewise."""
HOUR: Final = 3_600_000_000
THURSDAY: Final = 3
"""Weekday of 1 January 1970, where Monday is 0."""
_ANCHOR: Final = date(2000, 1, 3)
"""A Monday: multiples of days, weeks and absolute steps are counted from its local midnight."""


@dataclass(frozen=True)
class Step:
    """A length of time as written, such as ``7d``: a count of ``s``, ``m``, ``h``, ``d``, ``w`` or ``mo``."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Step":
        """Read ``7d``, ``1h``, ``15m``, ``30s``, ``2w`` or ``1mo``; raises UserError for anything else."""
        found = _WRITTEN.fullmatch(str(text).strip())
        if found is None:
            raise UserError(
                f"{text!r} is no length of time: write a whole number and s, m (minutes), h, d, w or mo, such as 7d",
            )
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        """Return the written form, ``7d``."""
        return f"{self.count}{self.unit}"

    @property
    def absolute(self) -> bool:
        """Whether it is a fixed number of seconds (``s``, ``m``, ``h``) whatever the calendar says."""
        return self.unit in {"s", "m", "h"}

    @property
    def nominal(self) -> timedelta:
        """Usual length: a day of 24 hours, a month of a twelfth of a year. For ordering and for rates."""
        return timedelta(seconds=self.count * _SECONDS[self.unit])

    @classmethod
    def of(cls, length: timedelta) -> "Step":
        """Return the step that ``length`` means: local days where it is whole days, else hours, minutes or seconds."""
        seconds = round(length.total_seconds())
        if seconds == 0:
            return cls(0, "h")
        unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0)
        return cls(seconds // _SECONDS[unit], unit)


def shift(times: pl.Series, step: Step, zone: str, count: int = 1) -> pl.Series:
    """Move each moment by ``count`` steps (negative: back).

    Args:
        times: n moments, Datetime[us, UTC]; null stays null.
        step: length of one step.
        zone: IANA zone whose calendar counts for ``d``, ``w`` and ``mo``.
        count: number of steps, of either sign.

    Returns:
        n moments, UTC, at the same local clock time for ``d``, ``w`` and ``mo``; the last day of a shorter month.
    """
    total = step.count * count
    if total == 0:
        return times
    if step.absolute:
        return times.dt.offset_by(f"{total}{step.unit}")
    found = None if times.null_count() else _kept_days(_micros(times), step, zone, total)
    return _far(times, step, zone, total) if found is None else _moments(found).alias(times.name)


def shift_micros(moments: Ints, step: Step, zone: str, count: int = 1) -> Ints:
    """Move each of n moments, in microseconds since 1970 (UTC), as ``shift`` does."""
    total = step.count * count
    if total == 0:
        return moments
    if step.absolute:
        return moments + total * _SECONDS[step.unit] * 1_000_000
    found = _kept_days(moments, step, zone, total)
    return _micros(_far(_moments(moments), step, zone, total)) if found is None else found


def shifts_micros(moments: Ints, steps: Sequence[Step], zone: str, count: int = 1) -> list[Ints]:
    """Move each of n moments by ``count`` of each of several steps, as ``shift_micros`` does by one: a list a step."""
    totals = [step.count * count * _DAYS.get(step.unit, 0) for step in steps]
    found = _days(zone).shifted(moments, np.array(totals, dtype=np.int64)[:, None]) if all(totals) else None
    return [shift_micros(moments, step, zone, count) for step in steps] if found is None else list(found)


def period_micros(moments: Ints, step: Step, zone: str) -> tuple[Ints, Ints]:
    """Start and end of the period that contains each of n moments, as ``floor`` and ``end`` tell them."""
    if step.absolute and step.count:
        length = step.count * _SECONDS[step.unit] * 1_000_000
        begun = (moments - _anchor(zone)) // length * length + _anchor(zone)
        return begun, begun + length
    edges = _edges(step, zone)
    place = np.searchsorted(edges, moments, side="right")
    if len(moments) and (place.min() < 1 or place.max() >= len(edges)):
        found = _period(_moments(moments), step, zone)
        return _micros(found["start"]), _micros(found["end"])
    return edges[place - 1], edges[place]


def floor(times: pl.Series, step: Step, zone: str) -> pl.Series:
    """Start of the period of length ``step`` that contains each moment, UTC; weeks begin on Monday."""
    if times.null_count():
        return _period(times, step, zone)["start"].alias(times.name)
    return _moments(period_micros(_micros(times), step, zone)[0]).alias(times.name)


def end(times: pl.Series, step: Step, zone: str) -> pl.Series:
    """End of the period that contains each moment: the start of the next one, UTC.

    It is not always one step after the start: a day without a midnight begins at 01:00 and ends at 00:00.
    """
    if times.null_count():
        return _period(times, step, zone)["end"].alias(times.name)
    return _moments(period_micros(_micros(times), step, zone)[1]).alias(times.name)


def starts(first: datetime, until: datetime, step: Step, zone: str) -> pl.Series:
    """All starts of periods in ``[first, until)``, ascending, UTC."""
    bounds = pl.Series([first, until], dtype=UTC_TIME)
    low, high = _index(bounds, step, zone)
    found = _start(pl.Series("start", range(low - 1, high + 2), dtype=pl.Int64), step, zone)
    return found.filter((found >= bounds[0]) & (found < bounds[1])).unique().sort()


def midnight(day: date, zone: str) -> datetime:
    """First moment of a local day, as UTC."""
    if not _KEPT[0] <= day < _KEPT[1]:
        return moment(day, zone)
    days = _days(zone)
    begun = int(days.begun[day.toordinal() - days.first])
    return _EPOCH + timedelta(microseconds=begun)


def moment(written: date | datetime, zone: str) -> datetime:
    """First moment, as UTC, at which the clocks of ``zone`` show a local time, or after it; of a day its midnight."""
    local = pl.Series([written]).cast(pl.Datetime("us"))
    return datetime.fromtimestamp(_from_local(local, zone)[0].timestamp(), UTC)


def local(times: pl.Series, zone: str) -> pl.Series:
    """What the clocks of ``zone`` show at each moment: Datetime[us] without a zone."""
    return _to_local(times, zone)


def local_micros(moments: Ints, zone: str) -> Ints:
    """What the clocks of ``zone`` show at each of n moments, both in microseconds since 1970: theirs, and UTC."""
    days = _days(zone)
    number = np.searchsorted(days.begun, moments, side="right") - 1
    if (number >= 0).all() and (days.begun[number] == moments).all():
        return days.shown[number]
    return _to_local(_moments(moments), zone).cast(pl.Int64).to_numpy()


def _far(times: pl.Series, step: Step, zone: str, total: int) -> pl.Series:
    """Move moments in the calendar, whatever they are."""
    moved = _clock(pl.all(), zone).dt.offset_by(f"{total}{step.unit}")
    return _from_local(times.to_frame().select(moved).to_series(), zone)


def _kept_days(moments: Ints, step: Step, zone: str, total: int) -> Ints | None:
    """Move moments in the calendar where they are midnights of the days that are kept; else none."""
    return _days(zone).shifted(moments, np.int64(total * _DAYS[step.unit])) if step.unit in _DAYS else None


def _micros(times: pl.Series) -> Ints:
    return times.cast(UTC_TIME).cast(pl.Int64).to_numpy()


def _moments(micros: Ints) -> pl.Series:
    return pl.Series(micros, dtype=pl.Int64).cast(UTC_TIME)


@dataclass(frozen=True)
class _Days:
    """The days of a zone one after the other: a query for a few moments takes longer than to find them here."""

    first: int
    """The first of them, as ``date.toordinal`` counts."""
    begun: Ints
    """First moment of each day, in microseconds; never falling."""
    shown: Ints
    """What the clocks show then, likewise in microseconds."""
    midnight: npt.NDArray[np.bool_]
    """Whether that is 00:00."""

    def shifted(self, moments: Ints, days: np.int64 | Ints) -> Ints | None:
        """Same local time some days later, where all moments are midnights that are known here; else none.

        ``days``: one number of them, or k x 1, which gives k x n moments.
        """
        number = np.searchsorted(self.begun, moments, side="right") - 1
        other = number + days
        if other.size and (min(number.min(), other.min()) < 0 or max(number.max(), other.max()) >= len(self.begun)):
            return None
        return self.begun[other] if ((self.begun[number] == moments) & self.midnight[number]).all() else None


@functools.lru_cache(16)
def _days(zone: str) -> _Days:
    begun = _kept(Step(1, "d"), zone)
    clock = _to_local(begun, zone)
    first = int(_index(begun[:1], Step(1, "d"), zone)[0]) + _ANCHOR.toordinal()
    return _Days(first, _micros(begun), clock.cast(pl.Int64).to_numpy(), (clock == clock.dt.truncate("1d")).to_numpy())


@functools.lru_cache(32)
def _edges(step: Step, zone: str) -> Ints:
    """Where the periods of a calendar begin, ascending."""
    return np.unique(_micros(_kept(step, zone)))


def _kept(step: Step, zone: str) -> pl.Series:
    """First moment of each period that is kept."""
    first, last = (_index(pl.Series([moment(day, zone)], dtype=UTC_TIME), step, zone)[0] for day in _KEPT)
    return _start(pl.Series("start", range(first, last + 1), dtype=pl.Int64), step, zone).cast(UTC_TIME)


def _period(times: pl.Series, step: Step, zone: str) -> pl.DataFrame:
    """``start`` and ``end`` of the period of each moment."""
    found = _index(times, step, zone).drop_nulls().unique()
    # Each period and the two after it, and not all in between: moments may lie a thousand years apart.
    numbers = sorted({number + more for number in found for more in range(3)})
    edges = _start(pl.Series("start", numbers, dtype=pl.Int64), step, zone).cast(UTC_TIME).unique().sort()
    periods = pl.DataFrame({"start": edges, "end": edges.shift(-1), "edge": edges})
    # A clock that is put back over midnight names the day before once more: the moment belongs to the later day.
    moments = pl.DataFrame({"time": times.cast(UTC_TIME)}).with_row_index("row").sort("time")
    return moments.join_asof(periods, left_on="time", right_on="edge").sort("row")


def _to_local(times: pl.Series, zone: str) -> pl.Series:
    return times.to_frame().select(_clock(pl.all(), zone)).to_series()


def _clock(times: pl.Expr, zone: str) -> pl.Expr:
    """As an expression, since each method of a Series is a query of its own, which takes longer than a few moments."""
    return times.dt.convert_time_zone(_known(zone)).dt.replace_time_zone(None)


def _from_local(written: pl.Series, zone: str) -> pl.Series:
    known = _known(zone)
    read = pl.all().dt.replace_time_zone(known, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
    moments = written.to_frame().select(read).to_series()
    if moments.null_count() == written.null_count():
        return moments
    gone = written.filter(moments.is_null() & written.is_not_null()).unique()
    ends = pl.Series([_gap_end(moment, ZoneInfo(known)) for moment in gone], dtype=UTC_TIME)
    moved = written.replace_strict(gone, ends, default=None, return_dtype=UTC_TIME)
    return moments.fill_null(moved)


def _gap_end(written: datetime, zone: ZoneInfo) -> datetime:
    """First moment after the gap that ``written`` falls into: where the offset of the zone changes."""
    # Read with the offset before the gap, a written time lies after it; with the offset after the gap, before it.
    after, before = (written.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    low, high = int(before.timestamp()), int(after.timestamp())
    offset = before.astimezone(zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        same = datetime.fromtimestamp(middle, zone).utcoffset() == offset
        low, high = (middle, high) if same else (low, middle)
    return datetime.fromtimestamp(high, UTC)


def _known(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as fault:
        raise UserError(f"{zone!r} is no time zone: expected an IANA name such as America/New_York or UTC") from fault
    return zone


def _index(times: pl.Series, step: Step, zone: str) -> pl.Series:
    """Number of the period of each moment, counted from the anchor."""
    if step.count < 1:
        raise UserError(f"a period of {step} has no length: expected at least 1{step.unit}")
    if step.absolute:
        length = step.count * _SECONDS[step.unit] * 1_000_000
        return (times.to_physical() - _anchor(zone)) // length
    days = times.to_frame().select(_clock(pl.all(), zone).dt.date()).to_series()
    if step.unit == "mo":
        return (days.dt.year().cast(pl.Int64) * 12 + days.dt.month() - 1) // step.count
    length = step.count * (7 if step.unit == "w" else 1)
    return (days.to_physical().cast(pl.Int64) - _ANCHOR.toordinal() + date(1970, 1, 1).toordinal()) // length


def _start(index: pl.Series, step: Step, zone: str) -> pl.Series:
    """First moment of each numbered period."""
    if step.absolute:
        length = step.count * _SECONDS[step.unit] * 1_000_000
        return (index * length + _anchor(zone)).cast(UTC_TIME)
    if step.unit == "mo":
        months = index * step.count
        frame = pl.DataFrame({"months": months}).select(pl.date(pl.col("months") // 12, pl.col("months") % 12 + 1, 1))
        return _from_local(frame.to_series().cast(pl.Datetime("us")), zone).alias(index.name)
    length = step.count * (7 if step.unit == "w" else 1)
    days = (index * length + _ANCHOR.toordinal() - date(1970, 1, 1).toordinal()).cast(pl.Int32).cast(pl.Date)
    return _from_local(days.cast(pl.Datetime("us")), zone)


@functools.lru_cache(64)
def _anchor(zone: str) -> int:
    return round(moment(_ANCHOR, zone).timestamp()) * 1_000_000
