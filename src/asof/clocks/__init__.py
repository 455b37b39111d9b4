"""The written times of a source: when a row happened, when that was over, when it could be known.

A column that states minutes says "within this minute", a column of dates "within this local day". So a
row is *over* at the end of the smallest period that it states, and could first be known at that end
plus the source's delay, or at the end of what a column of its own states.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from asof import times
from asof.clocks import texts
from asof.clocks.texts import Texts
from asof.data import UTC_TIME
from asof.errors import DataError
from asof.specs import TimeSpec
from asof.times import Step

__all__ = ["TimesRead", "read"]

_STATED = {texts.DAY: Step(1, "d"), texts.HOUR: Step(1, "h"), texts.MINUTE: Step(1, "m"), texts.SECOND: Step(1, "s")}


@dataclass(frozen=True)
class TimesRead:
    """The clock of n rows."""

    times: pl.DataFrame
    """n rows, in the order of the source: ``_event``, ``_ended``, ``_available`` (Datetime[us, UTC]), and
    ``_reason`` (String): why the row has no time, null where it has one; then the other three are null."""
    doubled: int
    """Rows whose local time exists twice, since clocks were put back; each was read as the later."""
    resolution: Step
    """The smallest period stated; where rows differ, the longest of theirs."""
    formats: tuple[str, ...]
    """The formats met, the most frequent first, as ``TimeSpec.formats`` takes them."""


@dataclass(frozen=True)
class _Periods:
    """The period that each row states: ``start``, ``end`` (UTC) and ``reason``."""

    frame: pl.DataFrame
    doubled: int
    resolution: Step


def read(rows: pl.DataFrame, spec: TimeSpec, delay: Step, *, beside: pl.DataFrame | None = None) -> TimesRead:
    """Read when each row happened, when that was over, and when it could be known.

    Args:
        rows: n rows; the columns of time are String, as written.
        spec: which columns, in which zone, in which formats.
        delay: from the end of the smallest period to the moment at which the row could be known; ``d``,
            ``w`` and ``mo`` are steps of the local calendar.
        beside: further rows with the columns of time, which say with these how times are written, and get no clock.

    Returns:
        The clock of the n rows. A time that is missing, cannot be read or does not exist gets a ``_reason``.

    Raises:
        DataError: a column is missing; or nothing in the data tells day first from month first; or they prove both.
        UserError: the zone is unknown, or the resolution is no length of time.
    """
    times.midnight(date(2000, 1, 1), spec.zone)  # an unknown zone is refused before a million rows are read
    for column in (*spec.columns, *([spec.available] if spec.available else [])):
        if column not in rows.columns:
            raise DataError(f"the column of time {column!r} is missing; the columns are {', '.join(rows.columns)}")
    if beside is not None and beside.height:
        return _of_many(rows, spec, delay, beside)
    written = texts.read([rows[column] for column in spec.columns], spec.formats)
    happened = _periods(written, spec)
    frame = happened.frame.with_columns(_available=times.shift(happened.frame["end"], delay, spec.zone))
    if spec.available:
        known = _periods(_announced(rows[spec.available], spec.formats), spec).frame
        frame = frame.with_columns(known["end"].alias("_available"), pl.coalesce("reason", known["reason"]))
    fine = pl.col("reason").is_null()
    clock = frame.select(
        _event=pl.when(fine).then("start"),
        _ended=pl.when(fine).then("end"),
        _available=pl.when(fine).then("_available"),
        _reason=pl.col("reason"),
    )
    return TimesRead(clock, happened.doubled, happened.resolution, written.formats)


def _of_many(rows: pl.DataFrame, spec: TimeSpec, delay: Step, beside: pl.DataFrame) -> TimesRead:
    """Read rows together with others, and leave those out of what is told."""
    both = read(pl.concat([rows.select(beside.columns), beside]), spec, delay)
    doubled = both.doubled - read(beside, spec, delay).doubled
    return TimesRead(both.times[: rows.height], doubled, both.resolution, both.formats)


def _announced(column: pl.Series, formats: tuple[str, ...]) -> Texts:
    """Read the column of available time: in the declared formats, or in the usual forms where those fit no row."""
    written = texts.read([column], formats)
    if formats and written.frame["reason"].null_count() == 0:
        return texts.read([column], ())
    return written


def _periods(written: Texts, spec: TimeSpec) -> _Periods:
    """Place what is written on the time line of the zone."""
    declared = Step.parse(spec.resolution) if spec.resolution else None
    frame = _midnights(written.frame, spec.zone) if declared is None else written.frame
    naive = (pl.col("day").cast(pl.Datetime("us")) + pl.duration(microseconds=pl.col("micros"))).alias("naive")
    elsewhere = pl.col("offset").is_not_null()
    early, late = (
        pl.col("naive")
        .dt.replace_time_zone(spec.zone, ambiguous=which, non_existent="null")
        .dt.convert_time_zone("UTC")
        for which in ("earliest", "latest")
    )
    stated = (pl.col("naive") - pl.duration(microseconds=pl.col("offset"))).dt.replace_time_zone("UTC")
    frame = frame.with_columns(naive).with_columns(
        start=pl.when(elsewhere).then(stated).otherwise(late),
        doubled=~elsewhere & (early != late) & (pl.col("kind") != texts.DAY),
    )
    frame = _with_days(frame, spec.zone)
    length = pl.col("kind").replace_strict(
        {kind: step.nominal for kind, step in _STATED.items()}, default=None, return_dtype=pl.Duration("us")
    )
    frame = frame.with_columns(
        end=pl.coalesce("end", pl.col("start").dt.truncate("1s") + length),
        reason=pl.when(pl.col("reason").is_null() & pl.col("start").is_null())
        .then(pl.lit(f"time does not exist in {spec.zone}"))
        .otherwise("reason"),
    )
    doubled = int(frame["doubled"].sum() or 0)
    longest = frame.filter(pl.col("reason").is_null())["kind"].min()
    resolution = _STATED[longest if isinstance(longest, int) else texts.SECOND]
    if declared is not None:
        frame = _at_least(frame, declared, spec.zone)
        resolution = max(declared, resolution, key=lambda step: step.nominal)
    return _Periods(frame.select("start", "end", "reason"), doubled, resolution)


def _midnights(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Read a column whose every time of day is 00:00 as dates: that is how some services write a date."""
    local = pl.col("offset").is_null() | ((pl.col("offset") == 0) & pl.lit(zone == "UTC"))
    timed = frame.filter(pl.col("reason").is_null() & (pl.col("kind") != texts.DAY))
    if timed.height == 0 or not timed.select(((pl.col("micros") == 0) & local).all()).item():
        return frame
    dated = pl.when(pl.col("reason").is_null()).then(pl.lit(texts.DAY)).otherwise("kind")
    return frame.with_columns(kind=dated.cast(pl.Int8), offset=pl.lit(None, pl.Int64))


def _with_days(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Add ``end``, and let rows that state a date start and end at the midnights of their zone."""
    dated = frame.filter((pl.col("kind") == texts.DAY) & pl.col("day").is_not_null())["day"].unique().sort()
    if dated.is_empty():
        return frame.with_columns(end=pl.lit(None, UTC_TIME))
    day = Step(1, "d")
    # Noon exists on every day that exists, while midnight may fall into the hour that clocks leap over.
    noon = dated.cast(pl.Datetime("us")).dt.offset_by("12h")
    first, following = (times.floor(_only(moment, zone), day, zone) for moment in (noon, noon.dt.offset_by("1d")))
    days = pl.DataFrame({"day": dated, "first": first, "end": following.fill_null(times.shift(first, day, zone))})
    joined = frame.join(days, on="day", how="left", maintain_order="left")
    whole = pl.col("kind") == texts.DAY
    return joined.with_columns(
        start=pl.when(whole).then("first").otherwise("start"), end=pl.when(whole).then("end")
    ).drop("first")


def _at_least(frame: pl.DataFrame, declared: Step, zone: str) -> pl.DataFrame:
    """Widen each row's period to the declared one; a row that states a longer period keeps it."""
    begun = times.floor(frame["start"], declared, zone)
    # The first moment of a day may be 01:00; a day later that is not the first moment.
    over = times.floor(times.shift(begun, declared, zone), declared, zone)
    return frame.with_columns(start=pl.min_horizontal("start", begun), end=pl.max_horizontal("end", over))


def _only(local: pl.Series, zone: str) -> pl.Series:
    """Local times as UTC; null where one does not exist."""
    return local.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")
