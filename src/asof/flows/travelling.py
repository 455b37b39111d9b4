"""A line on the map, the places along it, and those of them whose prediction passes a cutoff."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import polars as pl

from asof import times
from asof.data import UTC_TIME
from asof.errors import DataError
from asof.flows import asking, predicting
from asof.flows.serving import Standing
from asof.flows.workspace import Workspace
from asof.places import Places, lines
from asof.places.libraries import shapely_library
from asof.places.lines import Point


class Routes(Protocol):
    """Finds a way between two points."""

    def route(self, begun: Point, ended: Point) -> list[Point]:
        """Points of the way, both ends included; raises DataError where there is none."""
        ...


class Geocoder(Protocol):
    """Finds where an address lies."""

    def locate(self, address: str) -> Point | None:
        """Latitude and longitude in degrees, or none."""
        ...


@dataclass(frozen=True)
class Trip:
    """What is asked: one of ``line``, ``points`` and ``addresses``."""

    line: Sequence[Point] | None = None
    points: tuple[Point, Point] | None = None
    addresses: tuple[str, str] | None = None
    cutoff: float = 0.0
    """Places whose prediction is at least this are told apart."""
    time: str | None = None
    """A day or moment of the period asked about; default: the next one that can be answered."""


@dataclass(frozen=True)
class Guides:
    """What finds ways and addresses, where it is configured."""

    routes: Routes | None = None
    geocoder: Geocoder | None = None


def travel(workspace: Workspace, now: Standing, guides: Guides, trip: Trip) -> dict[str, Any]:
    """Answer a trip: its line, the places along it with their predictions, and those that pass the cutoff.

    Raises:
        DataError: places without outlines, an address that is not found, no way, a line that crosses no place, or a
            time that cannot be answered.
    """
    panel, spec = now.prepared.panel, workspace.spec.predict.per.place
    if panel.rows or spec is None:
        raise DataError("only projects that predict for places and periods can be asked about a line")
    line, how = _line(guides, trip)
    crossed = lines.crossed(line, panel.places, spec)
    if crossed.height == 0:
        raise DataError(
            "the line crosses no place of this project: points are [longitude, latitude], and its places lie "
            f"{_extent(panel.places)}"
        )
    start, horizon = _when(now, trip.time)
    told = predicting.answer_all(workspace, now.prepared, now.oracle, _asked(crossed["place"], now, start, horizon))
    rows = [
        _row(panel.places, trip.cutoff, row, way)
        for row, way in zip(told.iter_rows(named=True), crossed.iter_rows(named=True), strict=True)
    ]
    return {
        "line": {"type": "LineString", "coordinates": [[lon, lat] for lat, lon in line]},
        "how": how,
        **{name: told[name][0] for name in ("start", "end", "as_of")},
        "cutoff": trip.cutoff,
        "places": rows,
        "above": [row["place"] for row in rows if row["above"]],
        "release": now.oracle.release.name,
    }


def _extent(known: Places) -> str:
    """Between which longitudes and latitudes places lie: their outlines, or where those are not at hand their middles.

    Of cells as many as are known from rows.
    """
    if known.shapes is not None:
        west, south, east, north = shapely_library().total_bounds(known.shapes)
    elif known.lat is not None and known.lon is not None and len(known):
        (west, east), (south, north) = ((min(axis), max(axis)) for axis in (known.lon, known.lat))
    else:
        return "nowhere yet"
    return f"between longitude {west:.6g} and {east:.6g}, latitude {south:.6g} and {north:.6g}"


def _row(known: Places, cutoff: float, row: Mapping[str, Any], way: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in ("prediction", "low", "high", "outside", "reason")}
    at = known.ids.index_of(row["place"])
    name = row["place"] if at is None or known.names is None else known.names[at]
    above = row["prediction"] is not None and row["prediction"] >= cutoff
    where = {"at_km": round(way["at_km"], 3), "km": round(way["km"], 3)}
    return {"place": row["place"], "name": name, **where, **kept, "above": above}


def _asked(ids: pl.Series, now: Standing, start: datetime, horizon: times.Step) -> pl.DataFrame:
    """Questions about these places, also about cells never met: they are answered from what lies around them."""
    panel = now.prepared.panel
    begun = pl.Series("start", [start], dtype=UTC_TIME).new_from_index(0, ids.len())
    return pl.DataFrame(
        {
            "place": ids,
            "start": begun,
            "end": times.end(begun, panel.every, panel.zone),
            "as_of": times.shift(begun, horizon, panel.zone, -1),
            "horizon": pl.Series([str(horizon)], dtype=pl.String).new_from_index(0, ids.len()),
        }
    )


def _line(guides: Guides, trip: Trip) -> tuple[list[Point], str]:
    """The line of a trip, and in words how it was found."""
    if trip.line is not None:
        return list(trip.line), "the line that was given"
    ends = trip.points or _located(guides, trip.addresses)
    if guides.routes is None:
        return list(ends), "a straight line: no road graph is configured (serve.roads)"
    return guides.routes.route(*ends), "the shortest way on the road graph"


def _located(guides: Guides, addresses: tuple[str, str] | None) -> tuple[Point, Point]:
    if addresses is None:
        raise DataError("expected one of line, points and addresses")
    if guides.geocoder is None:
        raise DataError("addresses need a list of them or a service: serve.addresses in the project file")
    found = [guides.geocoder.locate(address) for address in addresses]
    for which, point in zip(("first", "second"), found, strict=True):
        if point is None:
            raise DataError(f"the {which} address is not found")
    begun, ended = found
    assert begun is not None  # noqa: S101 - told above
    assert ended is not None  # noqa: S101 - told above
    return begun, ended


def _when(now: Standing, written: str | None) -> tuple[datetime, times.Step]:
    """Start of the period asked about, and the shortest horizon at which it can be answered."""
    prepared = now.prepared
    panel = prepared.panel
    horizons = sorted(panel.horizons, key=lambda step: step.nominal)
    if written is None:
        latest = times.shift(pl.Series([prepared.last], dtype=UTC_TIME), horizons[0], panel.zone)
        begun: datetime = times.floor(latest, panel.every, panel.zone)[0]
        return begun, horizons[0]
    moment = asking.moment(written, panel.zone)
    begun = times.floor(pl.Series([moment], dtype=UTC_TIME), panel.every, panel.zone)[0]
    for step in horizons:
        if times.shift(pl.Series([begun], dtype=UTC_TIME), step, panel.zone, -1)[0] <= prepared.last:
            return begun, step
    raise DataError(f"{written} lies beyond what can be answered: known up to {prepared.last:%Y-%m-%d %H:%M} UTC")
