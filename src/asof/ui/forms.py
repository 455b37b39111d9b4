"""Forms for one question, made from what a release has seen: a field for each column, with its range and its words."""

import math
import zoneinfo
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

import polars as pl

from asof import times
from asof.data import UTC_TIME
from asof.flows import inputs
from asof.flows.preparation import Prepared
from asof.pages import words
from asof.releases import Seen
from asof.ui.sights import Sight

Kind = Literal["number", "whole", "choice", "text", "day"]
MOST_CHOICES = 200
"""More words than this are typed, not chosen."""


@dataclass(frozen=True)
class Field:
    """One column of a row, as it is asked for."""

    name: str
    kind: Kind
    hint: str
    """What the training has seen of it, in words."""
    usual: Any = None
    """What most rows have: the median of numbers, the commonest word."""
    options: tuple[str, ...] = ()
    used: bool = True
    """Whether the release goes by it."""


@dataclass(frozen=True)
class Fields:
    """The form of single rows."""

    columns: tuple[Field, ...]
    time: str = ""
    """Column of the row's own time, where it is one column of days; a row without it is asked as of now."""


def of_rows(sight: Sight) -> Fields:
    """Return the form of a project whose units are rows: a field for each column by which a row is known."""
    prepared = sight.standing.prepared
    seen = {one.name: one for one in sight.release.schema()}
    rows = prepared.counted.rows
    used = _used(sight, prepared)
    fields = [_field(name, rows[name], seen.get(name), used=name in used) for name in prepared.panel.own]
    time = sight.workspace.spec.sources[prepared.panel.source].time
    single = time.columns[0] if time is not None and len(time.columns) == 1 else ""
    # What the release goes by stands first; the order within is that of the table.
    return Fields(tuple(sorted(fields, key=lambda field: not field.used)), single)


def _used(sight: Sight, prepared: Prepared) -> set[str]:
    """Columns that the release has features of, and those that say where a row lies."""
    own = {one.name for one in sight.release.schema()}
    point = prepared.counted.place
    near = {*point} if isinstance(point, tuple) else set()
    return {name for name in prepared.panel.own if name in own or name in near}


def _field(name: str, column: pl.Series, seen: Seen | None, *, used: bool) -> Field:
    field = _known(name, column.drop_nulls(), seen, used=used)
    # What most rows do not tell is usually unknown.
    return field if 2 * column.null_count() <= column.len() else replace(field, usual=None)


def _known(name: str, known: pl.Series, seen: Seen | None, *, used: bool) -> Field:
    if known.dtype == pl.Boolean:
        common = known.mode().sort().first() if known.len() else None
        return Field(
            name, "choice", "true or false", None if common is None else str(common).lower(), ("true", "false")
        )
    if known.dtype == pl.Date:
        middle = known.median()
        day = middle.date() if isinstance(middle, datetime) else middle
        return Field(name, "day", _range(known.min(), known.max()), day, used=used)
    if known.dtype.is_numeric():
        return _number(name, known, seen, used=used)
    words_of = known.cast(pl.String).mode().sort()
    listed = () if seen is None or seen.categories is None else seen.categories
    usual = words_of[0] if words_of.len() else None
    if 0 < len(listed) <= MOST_CHOICES:
        return Field(name, "choice", f"{len(listed):,} were seen", usual, listed, used)
    return Field(name, "text", f"{known.n_unique():,} were seen", usual, used=used)


def _number(name: str, known: pl.Series, seen: Seen | None, *, used: bool) -> Field:
    whole = known.dtype.is_integer() or bool((known == known.round()).all())
    middle = known.median()
    usual = None if middle is None else float(middle)  # type: ignore[arg-type]
    low, high = (seen.low, seen.high) if seen is not None else (known.min(), known.max())
    hint = _range(low, high)
    if whole:
        return Field(name, "whole", hint, None if usual is None else round(usual), used=used)
    return Field(name, "number", hint, None if usual is None else float(f"{usual:.6g}"), used=used)


def _range(low: Any, high: Any) -> str:
    if low is None or high is None:
        return "never seen"
    write = words.number if isinstance(low, int | float) else str
    return f"seen from {write(low)} to {write(high)}"


def texts(given: Mapping[str, Any]) -> pl.DataFrame:
    """One row of text, as a file would hold it, from the values of a form; nothing given is unknown."""
    return pl.DataFrame({name: pl.Series([_text(value)], dtype=pl.String) for name, value in given.items()})


def _text(value: Any) -> str | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, float) and math.isfinite(value) and value.is_integer():
        return str(int(value))
    return str(value)


def of_row(sight: Sight, unit: str) -> dict[str, Any]:
    """Return the columns of one row of the source, as a form holds them; nothing where there is none of that key."""
    prepared = sight.standing.prepared
    found = prepared.counted.rows.filter(pl.col("_key").cast(pl.String) == unit)
    if found.is_empty():
        return {}
    row = found.select(prepared.panel.own).row(-1, named=True)
    return {name: _held(value) for name, value in row.items()}


def _held(value: Any) -> Any:
    """A value as a field holds it."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.date() if isinstance(value, datetime) else value


@dataclass(frozen=True)
class Periods:
    """When a place can be asked about."""

    latest: datetime
    """Start of the last period that can be answered now, on the clock of the place."""
    earliest: datetime
    """Start of the first one."""
    hours: tuple[str, ...]
    """Clock times at which periods begin, where they are shorter than a day."""


def of_periods(prepared: Prepared) -> Periods:
    """Say which periods can be asked about: from the first covered one to the furthest ahead of what is known."""
    panel = prepared.panel
    furthest = max(panel.horizons, key=lambda step: step.nominal)
    ahead = times.shift(pl.Series([prepared.last], dtype=UTC_TIME), furthest, panel.zone)
    latest: datetime = times.floor(ahead, panel.every, panel.zone)[0]
    begun = times.shift(pl.Series([prepared.first], dtype=UTC_TIME), furthest, panel.zone)
    earliest: datetime = times.end(times.floor(begun, panel.every, panel.zone), panel.every, panel.zone)[0]
    hours: Sequence[str] = ()
    if panel.every.unit in {"h", "m", "s"}:
        day = times.floor(pl.Series([latest], dtype=UTC_TIME), times.Step(1, "d"), panel.zone)[0]
        begun = times.starts(day, day + timedelta(days=1), panel.every, panel.zone)
        hours = begun.dt.convert_time_zone(panel.zone).dt.strftime("%H:%M").unique(maintain_order=True).to_list()
    zone = zoneinfo.ZoneInfo(panel.zone)
    return Periods(latest.astimezone(zone), earliest.astimezone(zone), tuple(hours))


def period(prepared: Prepared, place: str | None, start: str, horizon: str | None = None) -> pl.DataFrame:
    """One question about a place and a period, as a file would hold it; ``start`` is local to the panel."""
    told: dict[str, str | None] = {inputs.PLACE_NAME: place} if prepared.panel.places.kind != "all" else {}
    told |= {"start": start} | ({"horizon": horizon} if horizon else {})
    return pl.DataFrame({name: pl.Series([value], dtype=pl.String) for name, value in told.items()})
