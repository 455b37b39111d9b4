"""What the columns of a table seem to mean: plain rules, the reason beside each."""

import math
import re
from dataclasses import dataclass

import polars as pl

from asof import clocks
from asof.errors import DataError
from asof.proposals.samples import Sample
from asof.specs import TimeSpec
from asof.times import Step

ENOUGH = 0.9
"""Share of values that must read as what a column is taken for: dirt is expected."""
DAY = Step(1, "d")
FEW = 300
"""A place has many rows: more distinct values than this are no list of places."""
_DATE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T\s].*)?|\d{1,2}[-\s][A-Za-z]{3,9}[-\s,.]+\d{2,4}.*|[A-Za-z]{3,9}\.?\s\d{1,2},?\s+\d{4}.*"
)
_COMPACT = re.compile(r"(19|20)\d{6}")
_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([AaPp]\.?[Mm]\.?)?")
_WORD = re.compile(r".*[^\W\d].*")
_LAT, _LON = re.compile(r"(?<![a-z])lat(itude)?(?![a-z])"), r"(?<![a-z])(lon|long|lng|longitude)(?![a-z])"
_EVENT = (
    "event",
    "occur",
    "crash",
    "accident",
    "incident",
    "pickup",
    "start",
    "order",
    "created",
    "sale",
    "timestamp",
    "datetime",
    "date",
    "time",
)
_LATER = (
    "end",
    "stop",
    "close",
    "updat",
    "modif",
    "deliver",
    "drop",
    "until",
    "finish",
    "seen",
    "birth",
    "built",
    "renov",
)
_PLACES = (
    "zone",
    "district",
    "borough",
    "neighbourhood",
    "neighborhood",
    "county",
    "region",
    "city",
    "station",
    "store",
    "shop",
    "branch",
    "venue",
    "restaurant",
    "site",
    "location",
    "area",
    "zip",
    "postcode",
    "postal",
    "state",
    "country",
    "place",
)
_AMOUNTS = (
    "count",
    "number",
    "total",
    "sales",
    "demand",
    "quantity",
    "amount",
    "orders",
    "volume",
    "sum",
    "rain",
    "precip",
    "prcp",
    "outcome",
)


@dataclass(frozen=True)
class Times:
    """How the table states when a row happened."""

    columns: tuple[str, ...]
    formats: tuple[str, ...] = ()
    """Formats met; none where day and month cannot be told apart."""
    doubt: str = ""
    """Why it cannot be read without the owner's word."""
    resolution: Step = DAY
    offset: bool = False
    """Whether the values carry an offset, or Z."""
    unread: int = 0
    others: tuple[str, ...] = ()
    """Other columns of time, in the order of the table."""
    moments: pl.Series | None = None
    """Start of each row's period, UTC."""


@dataclass(frozen=True)
class Point:
    """Columns of coordinates."""

    lat: str
    lon: str
    box: tuple[float, float, float, float]
    """south, west, north, east of all but points far outside."""
    places: int
    """Distinct points of the sample."""
    missing: float
    """Share of rows without a usable point."""
    others: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        """H3 resolution that suits the extent: about 0.7 km2 a cell within a city, 36 in a region, 1,770 beyond."""
        south, west, north, east = self.box
        extent = max(north - south, east - west)
        return 8 if extent < 2 else 6 if extent < 10 else 4


@dataclass(frozen=True)
class Guess:
    """What the table seems to be."""

    times: Times
    point: Point | None
    place: str | None
    """Column that names the place."""
    place_by_name: bool
    """Whether the name of that column says so."""
    key: tuple[str, ...]
    repeated: int
    """Rows of the sample that share their key with another."""
    every: Step
    measured: str | None
    """Column whose values are predicted where each place and period has one row; none: rows are counted."""
    summed: bool
    """Whether that column adds up over a longer period."""


def guess(sample: Sample) -> Guess | None:
    """Guess times, place, key, and what to predict; none where no column states a time."""
    rows = sample.rows
    times = _times(rows)
    if times is None:
        return None
    point = _point(rows)
    place, by_name = _place(rows, times)
    if point is not None and by_name and point.places <= FEW:
        point = None  # few points, which a column names: stations, shops
    elif point is not None:
        place, by_name = None, False
    named = place if by_name else None
    key, repeated = _key(rows, times, named)
    step = _regular(rows, times, named)
    if step is not None and not by_name:
        place = None  # measurements of one place: words in their rows say something else
    every = step or _every(rows, times, place, point)
    measured = _measured(rows, {*times.columns, *times.others, *key, place or ""}) if step else None
    summed = measured is not None and any(word in measured.lower() for word in _AMOUNTS)
    return Guess(times, point, place, by_name, key, repeated, every, measured, summed)


def _share(series: pl.Series, pattern: re.Pattern[str]) -> float:
    """Share of a few hundred values that match."""
    few = series.drop_nulls().str.strip_chars().unique(maintain_order=True).head(300)
    return sum(bool(pattern.fullmatch(text)) for text in few) / len(few) if len(few) else 0.0


def _times(rows: pl.DataFrame) -> Times | None:
    dated = [name for name in rows.columns if _share(rows[name], _DATE) >= ENOUGH or _compact(rows, name)]
    read = {name: found for name in dated if (found := _read_times(rows, (name,))) is not None}
    if not read:
        return None
    ranked = sorted(read, key=lambda name: (-_rank(name), rows.columns.index(name)))
    best = read[ranked[0]]
    clock = _clock(rows, ranked[0]) if best.resolution == DAY else None
    paired = _read_times(rows, (ranked[0], clock)) if clock else None
    found = paired or best
    others = tuple(name for name in read if name not in found.columns)
    return Times(
        found.columns, found.formats, found.doubt, found.resolution, found.offset, found.unread, others, found.moments
    )


def _compact(rows: pl.DataFrame, name: str) -> bool:
    return any(word in name.lower() for word in ("date", "day", "time")) and _share(rows[name], _COMPACT) >= ENOUGH


def _rank(name: str) -> int:
    """How much a column's name promises that its time is when the row happened."""
    lower = name.lower()
    return any(word in lower for word in _EVENT) - 2 * any(word in lower for word in _LATER)


def _clock(rows: pl.DataFrame, date: str) -> str | None:
    """The column of times of day that belongs to a column of dates: the nearest one."""
    found = []
    for name in rows.columns:
        lower = name.lower()
        hours = any(word in lower for word in ("hour", "time")) and _share(rows[name], re.compile(r"\d{1,4}")) >= ENOUGH
        if name != date and (_share(rows[name], _CLOCK) >= ENOUGH or (hours and _whole_hours(rows[name]))):
            found.append(name)
    near = rows.columns.index(date)
    return min(found, key=lambda name: abs(rows.columns.index(name) - near), default=None)


def _whole_hours(series: pl.Series) -> bool:
    """Whether numbers are hours 0..23, or 0, 30, 100 .. 2330."""
    numbers = series.cast(pl.Int64, strict=False).drop_nulls().unique()
    top = numbers.max()
    return (
        len(numbers) > 1
        and isinstance(top, int)
        and top < 2400
        and bool((numbers % 100 < 60).all())
        and len(numbers) <= 1440
    )


def _read_times(rows: pl.DataFrame, columns: tuple[str, ...]) -> Times | None:
    """Read columns as times; none where most of the values are no times."""
    step = Step(0, "h")
    try:
        read = clocks.read(rows.select(columns), TimeSpec(columns=columns), step)
    except DataError as fault:
        return _in_doubt(rows, columns, str(fault))
    clock = read.times
    unread = int(clock["_reason"].is_not_null().sum())
    written = int(rows[columns[0]].is_not_null().sum())
    if rows.height - unread < ENOUGH * max(written, 1) or unread == rows.height:
        return None
    zoned = any("%z" in form or form.endswith("Z") for form in read.formats)
    return Times(columns, read.formats[:3], "", read.resolution, zoned, unread, (), clock["_event"])


def _in_doubt(rows: pl.DataFrame, columns: tuple[str, ...], why: str) -> Times | None:
    """Day and month cannot be told apart: read month first, only to see the rest."""
    joined = pl.concat_str([pl.col(name) for name in columns], separator=" ")
    text = rows.select(joined.str.extract(r"^(\S+)").alias("day"))["day"]
    days = text.str.replace_all(r"[-.]", "/").str.to_date("%m/%d/%Y", strict=False)
    if days.null_count() > (1 - ENOUGH) * len(days):
        days = text.str.replace_all(r"[-.]", "/").str.to_date("%d/%m/%Y", strict=False)
    if days.null_count() == len(days):
        return None
    clock = rows.select(joined.str.contains(r"\d:\d{2}").any()).item()
    resolution = Step(1, "m") if clock else Step(1, "d")
    return Times(columns, (), why, resolution, moments=days.cast(pl.Datetime("us")).dt.replace_time_zone("UTC"))


def _point(rows: pl.DataFrame) -> Point | None:
    """Pairs of columns whose names differ in lat and lon alone, and whose values are degrees."""
    lons = {re.sub(_LON, "*", _spaced(name)): name for name in rows.columns if re.search(_LON, _spaced(name))}
    pairs = []
    for name in rows.columns:
        lon = lons.get(_LAT.sub("*", _spaced(name))) if _LAT.search(_spaced(name)) else None
        found = _degrees(rows, name, lon) if lon else None
        if found is not None:
            pairs.append(found)
    if not pairs:
        return None
    first = pairs[0]
    others = tuple(f"{pair.lat} and {pair.lon}" for pair in pairs[1:])
    return Point(first.lat, first.lon, first.box, first.places, first.missing, others)


def _spaced(name: str) -> str:
    return name.lower().replace("_", " ").replace("-", " ")


def _degrees(rows: pl.DataFrame, lat: str, lon: str) -> Point | None:
    points = rows.select(lat=pl.col(lat).cast(pl.Float64, strict=False), lon=pl.col(lon).cast(pl.Float64, strict=False))
    good = points.drop_nulls().filter((pl.col("lat") != 0) | (pl.col("lon") != 0))
    inside = good.filter(pl.col("lat").is_between(-90, 90) & pl.col("lon").is_between(-180, 180))
    if good.height == 0 or inside.height < ENOUGH * good.height:
        return None
    low, high = inside.quantile(0.005, "nearest").row(0), inside.quantile(0.995, "nearest").row(0)
    margin = [max(0.05, 3 * (high[axis] - low[axis])) for axis in (0, 1)]
    for name, bottom, top, wide in zip(("lat", "lon"), low, high, margin, strict=True):
        inside = inside.filter(pl.col(name).is_between(bottom - wide, top + wide))
    low, high = inside.min().row(0), inside.max().row(0)
    south, west = (math.floor(low[axis] * 10) / 10 for axis in (0, 1))
    north, east = (math.ceil(high[axis] * 10) / 10 for axis in (0, 1))
    box = (max(south, -90.0), max(west, -180.0), min(north, 90.0), min(east, 180.0))
    return Point(lat, lon, box, inside.unique().height, 1 - inside.height / rows.height)


def _place(rows: pl.DataFrame, times: Times) -> tuple[str | None, bool]:
    """The column that names places: by its name, else a column of words, the one of fewest values."""
    free = [name for name in rows.columns if name not in {*times.columns, *times.others} and not _fraction(rows[name])]
    counts = {name: rows[name].drop_nulls().n_unique() for name in free}
    few = [name for name in free if 1 <= counts[name] <= FEW and rows[name].null_count() <= 0.1 * rows.height]
    named = [(order, name) for name in few for order, word in enumerate(_PLACES) if word in _spaced(name).split()]
    if named:
        starts = [found for found in named if not any(word in found[1].lower() for word in _LATER)]
        return min(starts or named, key=lambda found: (found[0], rows.columns.index(found[1])))[1], True
    spoken = [name for name in few if counts[name] < rows.height / 10 and _share(rows[name], _WORD) >= ENOUGH]
    return (min(spoken, key=lambda name: counts[name]), False) if spoken else (None, False)


def _key(rows: pl.DataFrame, times: Times, place: str | None) -> tuple[tuple[str, ...], int]:
    """The shortest key that holds but for a handful of rows: an id, or an id or a place with its time."""
    free = [name for name in rows.columns if name not in {*times.columns, *times.others} and not _fraction(rows[name])]
    ids = [
        name
        for name in free
        if re.search(r"(^|[^a-z])(id|key|uuid|no|nr|code|rownames?)$|[a-z]id$|number$|Id$", name)
        or re.search(r"(^|_|\s)(id|key|uuid|number)$", name.lower())
    ]
    ids.sort(key=lambda name: -rows[name].n_unique())
    tries: list[tuple[str, ...]] = [(name,) for name in ids]
    tries += [(name, *times.columns) for name in ids[:3]]
    tries += [(place, *times.columns)] if place else []
    tries += [times.columns]
    for columns in tries:
        written = rows.select(columns).drop_nulls()
        repeated = written.height - written.n_unique()
        if written.height >= 0.99 * rows.height and repeated <= 0.001 * rows.height:
            return columns, repeated
    return (), 0


def _fraction(series: pl.Series) -> bool:
    return bool(series.str.contains(r"^[-+]?\d*\.\d+$").any())


def _regular(rows: pl.DataFrame, times: Times, place: str | None) -> Step | None:
    """Length of the period where each place has one row in each, as measurements do; none for events."""
    if times.moments is None:
        return None
    frame = pl.DataFrame(
        {"time": times.moments, "place": rows[place] if place else pl.Series([""] * rows.height)}
    ).drop_nulls()
    if frame.select("time").n_unique() == frame.height:
        frame = frame.with_columns(place=pl.lit(""))
    gaps = frame.sort("place", "time").select(pl.col("time").diff().over("place").alias("gap"))["gap"].drop_nulls()
    if len(gaps) < 10:
        return None
    usual = gaps.mode().min()
    if not usual or (gaps == usual).sum() < ENOUGH * len(gaps):
        return None
    step = Step.of(usual)  # type: ignore[arg-type]
    return step if step.unit in {"m", "h", "d"} and step.count > 0 else None


def _every(rows: pl.DataFrame, times: Times, place: str | None, point: Point | None) -> Step:
    """An hour where places have a row in most of their hours, else a day."""
    if times.resolution == DAY or times.moments is None:
        return Step(1, "d")
    spread = times.moments.drop_nulls()
    hours = spread.dt.truncate("1h").n_unique()
    places = rows[place].n_unique() if place else min(point.places, 100) if point else 1
    return Step(1, "h") if rows.height / max(hours * places, 1) >= 1 else Step(1, "d")


def _measured(rows: pl.DataFrame, taken: set[str]) -> str | None:
    """The first column of numbers that is neither key, time nor place; one that counts something first."""
    numbers = [
        name
        for name in rows.columns
        if name not in taken
        and not re.search(_LON, _spaced(name))
        and not _LAT.search(_spaced(name))
        and rows[name].drop_nulls().n_unique() > 10
        and rows[name].str.strip_chars().cast(pl.Float64, strict=False).is_not_null().mean() >= ENOUGH  # type: ignore[operator]
    ]
    ranked = sorted(numbers, key=lambda name: not any(word in name.lower() for word in _AMOUNTS))
    return ranked[0] if ranked else None
