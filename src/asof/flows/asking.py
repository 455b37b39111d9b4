"""Questions out of what a user gives: a file of rows, or moments as written on the command line."""

import math
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from asof import clocks, places, times
from asof import rows as units
from asof.checks import cells
from asof.data import UTC_TIME
from asof.errors import DataError
from asof.flows import inputs
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.lookups import OWN
from asof.specs import SourceSpec, TimeSpec
from asof.times import Step

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
YEARS = range(1000, 9000)
"""What lies further off is no time that anybody asks about, and steps from there would leave the calendar."""
ISO = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S")
TIME_NAMES = ("start", "time", "date", "datetime", "timestamp", "period")
LAT_NAMES, LON_NAMES = ("lat", "latitude"), ("lon", "lng", "longitude")


def of_file(workspace: Workspace, prepared: Prepared, file: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows of a file as they are, a question about each in the same order), with the ``reason`` why one has none.

    Of a panel: place (or latitude and longitude) and a time, perhaps a horizon. Of single rows: the columns that
    the source has, as its files hold them; without a column of time as of now, the last moment that is known.
    """
    given = inputs.read_texts(file) if prepared.panel.rows else inputs.read_table(file)
    return given, of_frame(workspace, prepared, given, str(file))


def of_frame(workspace: Workspace, prepared: Prepared, given: pl.DataFrame, called: str) -> pl.DataFrame:
    """A question about each row of a table, in its order; ``called`` is what messages call the table.

    Rows of single units hold text, as files do: ``inputs.as_texts`` makes it of others, those of ``numbers`` aside.
    """
    if prepared.panel.rows:
        return _rows_of(workspace, prepared, given, called)
    return _periods_of(workspace, prepared, given, called)


def numbers(workspace: Workspace, prepared: Prepared) -> dict[str, frozenset[float]]:
    """Columns of single rows that may be given as numbers (Float64) in place of text, by name.

    Each with the numbers whose text stands for a missing value: a column that holds one of them has to be text.
    """
    if not prepared.panel.rows:
        return {}
    schema, spec = prepared.counted.rows.schema, workspace.spec.sources[prepared.panel.source]
    told = [_number(text) for text in spec.missing_values]
    missing = frozenset(number for number in told if number is not None and math.isfinite(number))
    return {name: missing for name in prepared.panel.own if _kind(schema[name]) == "number"}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def alone(workspace: Workspace, prepared: Prepared) -> bool:
    """Whether what a row asks is read from that row alone, so that rows of several requests may be read as one table.

    How dates and times are written is told from all rows of a table, and what a user's own part makes of a row may
    hang on the others.
    """
    brought = workspace.plugins
    if brought.lookups or brought.encoders or brought.estimators:
        return False
    if not prepared.panel.rows:
        return True
    schema = prepared.counted.rows.schema
    timed = workspace.spec.sources[prepared.panel.source].time is not None
    return not timed and all(_kind(schema[name]) != "date" for name in prepared.panel.own)


def keyed(workspace: Workspace, prepared: Prepared, columns: Sequence[str]) -> bool:
    """Whether a table with these columns tells its rows apart by the key of the source, or by place and period."""
    spec = workspace.spec.sources[prepared.panel.source]
    named = [name.lower() for name in columns] if spec.header == "lower" else columns
    return not prepared.panel.rows or (bool(spec.key) and set(spec.key) <= set(named))


def _periods_of(workspace: Workspace, prepared: Prepared, rows: pl.DataFrame, called: str) -> pl.DataFrame:
    panel = prepared.panel
    named = {column.lower(): column for column in rows.columns}
    time_column = next((named[name] for name in TIME_NAMES if name in named), None)
    if time_column is None:
        known = ", ".join(rows.columns)
        message = f"{called}: no column tells the time; expected one of {', '.join(TIME_NAMES)}, there are {known}"
        raise DataError(message)
    written = rows[time_column].cast(pl.String).to_list()
    texts = {text: number for number, text in enumerate(dict.fromkeys(written))}
    read = _Read.of(prepared, [_try_moment(text, panel.zone) for text in texts])
    which = np.array([texts[text] for text in written], dtype=np.int64)
    place, inside = _places_of(workspace, prepared, rows, named, called)
    horizons, codes = _horizons_of(rows, named, list(read.asked_at), read.nearest[which])
    unread, unasked = ~read.known[which], codes < 0
    as_of = np.stack([*read.asked_at.values()])[codes, which]
    reason = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, rows.height)
    for wrong, why in (
        (unread, f"{time_column} is no time that can be read"),
        (~inside.to_numpy(), "the place is missing or outside every place"),
        (unasked, f"the horizon is none of {', '.join(read.asked_at)}"),
    ):
        if wrong.any():
            reason = _first(reason, pl.Series(wrong), why)
    begun, ended = _times("start", read.start[which], unread), _times("end", read.end[which], unread)
    return pl.DataFrame([place, begun, ended, _times("as_of", as_of, unread | unasked), horizons, reason])


def _times(name: str, micros: npt.NDArray[np.int64], gone: npt.NDArray[np.bool_]) -> pl.Series:
    moments = pl.Series(name, micros, dtype=pl.Int64).cast(UTC_TIME)
    return moments.set(pl.Series(gone), None) if gone.any() else moments


def _horizons_of(
    rows: pl.DataFrame, named: dict[str, str], names: list[str], nearest: npt.NDArray[np.int64]
) -> tuple[pl.Series, npt.NDArray[np.int64]]:
    """Horizon of each row, as the table says or else the nearest, and which of ``names`` it is; -1 where it is none."""
    horizons = pl.Series("horizon", names, dtype=pl.String).gather(nearest)
    if "horizon" not in named:
        return horizons, nearest
    given = rows[named["horizon"]].cast(pl.String).alias("horizon")
    horizons = given.zip_with(given.is_not_null(), horizons) if given.null_count() else given
    number = {name: position for position, name in enumerate(names)}
    return horizons, np.array([number.get(name, -1) for name in horizons.to_list()], dtype=np.int64)


@dataclass(frozen=True)
class _Read:
    """Texts of times as a panel reads them: u of them, and h horizons."""

    known: npt.NDArray[np.bool_]
    """Which of them can be read; the others stand as the first moment."""
    start: npt.NDArray[np.int64]
    """Start of the period, in microseconds; ``end`` likewise."""
    end: npt.NDArray[np.int64]
    asked_at: Mapping[str, npt.NDArray[np.int64]]
    """When each is asked about, by horizon."""
    nearest: npt.NDArray[np.int64]
    """Position of the shortest horizon at which it can be asked by now; of the shortest where there is none."""

    @classmethod
    def of(cls, prepared: Prepared, moments: Sequence[datetime | None]) -> "_Read":
        """Work out the periods of moments as they were read, none where a text is no time."""
        panel, first = prepared.panel, prepared.first
        told = [_micros(first if moment is None else moment) for moment in moments]
        known = np.array([moment is not None for moment in moments], dtype=bool)
        start, end = times.period_micros(np.array(told, dtype=np.int64), panel.every, panel.zone)
        asked_at = {str(step): times.shift_micros(start, step, panel.zone, -1) for step in panel.horizons}
        shortest = sorted(range(len(panel.horizons)), key=lambda number: panel.horizons[number].nominal)
        able = np.stack([*asked_at.values()])[shortest] <= _micros(prepared.last)
        return cls(known, start, end, asked_at, np.array(shortest)[np.argmax(able, axis=0)])


def start_of(prepared: Prepared, text: str) -> tuple[datetime, str] | None:
    """Start of the period that a text tells, and the shortest horizon at which it can be asked by now; or none."""
    moment = _try_moment(text, prepared.panel.zone)
    if moment is None:
        return None
    read = _Read.of(prepared, [moment])
    return EPOCH + timedelta(microseconds=int(read.start[0])), list(read.asked_at)[int(read.nearest[0])]


def _micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


def _places_of(
    workspace: Workspace, prepared: Prepared, rows: pl.DataFrame, named: dict[str, str], called: str
) -> tuple[pl.Series, pl.Series]:
    """Place of each row as written or found, and whether the project knows it."""
    known, spec = prepared.panel.places, workspace.spec.predict.per.place
    if spec is None:
        return places.assign(rows, None, None, known).alias("place"), pl.repeat(value=True, n=rows.height, eager=True)
    lat, lon = (next((named[name] for name in names if name in named), None) for names in (LAT_NAMES, LON_NAMES))
    told = next((name for name in (inputs.PLACE_NAME, str(spec.id or spec.column).lower()) if name in named), None)
    if told is not None:
        ids = rows[named[told]].cast(pl.String).alias("place")
        is_known = places.are_cells(ids, spec) if known.kind == "h3" else pl.Series(prepared.past.listed(ids) >= 0)
        if lat is None or lon is None or known.kind == "column" or not ids.null_count():
            return ids, is_known
        found = places.assign(rows, (lat, lon), spec, known)  # where the place is not named, by where it lies
        return ids.fill_null(found), is_known | (ids.is_null() & found.is_not_null())
    if lat is None or lon is None:
        message = (
            f"{called}: no column tells the place; expected place, or lat and lon; there are {', '.join(rows.columns)}"
        )
        raise DataError(message)
    found = places.assign(rows, (lat, lon), spec, known).alias("place")
    return found, found.is_not_null()


def _rows_of(workspace: Workspace, prepared: Prepared, given: pl.DataFrame, called: str) -> pl.DataFrame:
    """Questions about the rows of a table: the columns of their own are read as those of the source are."""
    panel, spec = prepared.panel, workspace.spec.sources[prepared.panel.source]
    named = _lower(given, called) if spec.header == "lower" else given
    text = cells.clean(named, spec.missing_values)
    lacking = [name for name in panel.own if name not in text.columns]
    if lacking:
        alike = {other.lower(): other for other in reversed(text.columns)}
        near = [alike[name.lower()] for name in lacking if name.lower() in alike]
        hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
        message = f"{called}: no column {', '.join(lacking)}; expected the columns that {panel.source} has{hint}"
        raise DataError(message)
    schema = prepared.counted.rows.schema
    reasons = pl.Series("reason", [None] * text.height, dtype=pl.String)
    columns = []
    for name in panel.own:
        written, kind = text[name], _kind(schema[name])
        if kind == "number" and written.dtype == pl.Float64:
            columns.append(written.alias(OWN + name))
            continue
        read = cells.read(written, kind)
        columns.append(units.own(read).alias(OWN + name))
        if read.null_count() > written.null_count():
            reasons = _first(reasons, read.is_null() & written.is_not_null(), f"{name} is {cells.KINDS[kind]}")
    begun, ended, late = _moments_of(prepared, spec, text)
    if late.any():
        reasons = _first(reasons, late, "its time is missing or cannot be read")
    place = places.assign(
        _degrees(text, prepared), prepared.counted.place, workspace.spec.predict.per.place, panel.places
    )
    horizon = panel.horizons[0]
    as_of = times.shift(begun, horizon, panel.zone, -1).alias("as_of")
    ahead = pl.Series("horizon", [str(horizon)]).new_from_index(0, text.height)
    return pl.DataFrame([place.alias("place"), begun, ended, _units(text, spec), as_of, ahead, *columns, reasons])


def _lower(given: pl.DataFrame, called: str) -> pl.DataFrame:
    """Rows with the names of their columns in small letters, as the source has them."""
    lower = [name.lower() for name in given.columns]
    twice = next((name for name in lower if lower.count(name) > 1), None)
    if twice is not None:
        message = f"{called}: column {twice!r} is there twice, in small and in large letters"
        raise DataError(message)
    return given.rename(dict(zip(given.columns, lower, strict=True)))


def _kind(dtype: pl.DataType) -> str:
    """How cells of a column are read."""
    if dtype == pl.Boolean:
        return "boolean"
    if dtype == pl.Date:
        return "date"
    return "number" if dtype.is_numeric() else "text"


def _first(reasons: pl.Series, wrong: pl.Series, reason: str) -> pl.Series:
    """Reasons with another one where there is none yet."""
    return (
        pl.select(pl.when(wrong & reasons.is_null()).then(pl.lit(reason)).otherwise(reasons))
        .to_series()
        .alias("reason")
    )


def _moments_of(prepared: Prepared, spec: SourceSpec, text: pl.DataFrame) -> tuple[pl.Series, pl.Series, pl.Series]:
    """Start and end of each row's own time, and where it cannot be read; without a column of time it is now."""
    if spec.time is None:
        nothing = pl.Series("start", [None] * text.height, dtype=UTC_TIME)
        return nothing, nothing.alias("end"), pl.Series([False]).new_from_index(0, text.height)
    if any(name not in text.columns for name in spec.time.columns):
        now = pl.Series("start", [prepared.last], dtype=UTC_TIME).new_from_index(0, text.height)
        return now, now.alias("end"), pl.Series([False]).new_from_index(0, text.height)
    told = spec.time.model_copy(update={"available": None, "formats": _formats(prepared, spec.time)})
    clock = clocks.read(text, told, Step(0, "h")).times
    begun, ended = (clock[name].cast(UTC_TIME) for name in ("_event", "_ended"))
    return begun.alias("start"), ended.alias("end"), begun.is_null()


def _formats(prepared: Prepared, told: TimeSpec) -> tuple[str, ...]:
    """Formats in which times are asked about: those of the source, since a few rows cannot prove one; or ISO 8601."""
    if told.formats:
        return told.formats
    written = prepared.counted.rows.select(told.columns)
    found = clocks.read(written, told.model_copy(update={"available": None}), Step(0, "h")).formats
    return tuple(dict.fromkeys([*found, *ISO]))


def _degrees(text: pl.DataFrame, prepared: Prepared) -> pl.DataFrame:
    """The file with its coordinates as numbers."""
    point = prepared.counted.place
    names = point if isinstance(point, tuple) else ()
    read = [cells.read(text[name], "number") for name in names if name in text.columns]
    return text.with_columns(read) if read else text


def _units(text: pl.DataFrame, spec: SourceSpec) -> pl.Series:
    """The key of each row, or its number in the file."""
    if spec.key and all(name in text.columns for name in spec.key):
        joined = text.select(pl.concat_str(list(spec.key), separator="|", ignore_nulls=True)).to_series()
        return joined.alias("unit")
    return pl.Series("unit", range(1, text.height + 1), dtype=pl.Int64).cast(pl.String)


def moment(text: str, zone: str) -> datetime:
    """Read a day or a moment as written on the command line; without an offset it is local to ``zone``."""
    found = _try_moment(text, zone)
    if found is None:
        message = f"{text!r} is no day or moment; expected 2019-09-01 or 2019-09-01T06:00"
        raise DataError(message)
    return found


def _try_moment(text: str | None, zone: str) -> datetime | None:
    """Read a day or a moment, as UTC; one that the clocks of ``zone`` skip is the first that they show after it."""
    if text is None:
        return None
    try:
        if len(text) == len("2019-09-01"):
            day = date.fromisoformat(text)
            return times.midnight(day, zone) if day.year in YEARS else None
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    if found.year not in YEARS:
        return None
    if found.tzinfo is not None:
        return found.astimezone(UTC)
    told = found.replace(tzinfo=zoneinfo.ZoneInfo(zone)).astimezone(UTC)
    skipped = told.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None) != found
    return times.moment(found, zone) if skipped else told
