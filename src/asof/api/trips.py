"""Bodies of ``/v1/along``: a line, two points or two addresses, and a cutoff."""

import json
from collections.abc import Sequence
from typing import Any, NoReturn

from asof.api.bodies import MOST_NUMBER, Refusal
from asof.flows.travelling import Trip
from asof.places.lines import Point

WAYS = ("line", "points", "addresses")
OTHERS = ("cutoff", "time")
MOST_POINTS = 10_000
MOST_LETTERS = 500
POINT = "[longitude, latitude] as GeoJSON has it"


def read(body: bytes) -> Trip:
    """Read what is asked; Refusal 400 for what is no JSON, 422 for what is no question about a line."""
    told = _parsed(body)
    if not isinstance(told, dict):
        raise Refusal(422, f"expected an object with one of {', '.join(WAYS)}")
    unknown = [name for name in told if name not in {*WAYS, *OTHERS}]
    if unknown:
        raise Refusal(422, f"there is no {str(unknown[0])[:80]!r}; expected {', '.join([*WAYS, *OTHERS])}")
    given = [name for name in WAYS if told.get(name) is not None]
    if len(given) != 1:
        raise Refusal(422, f"expected exactly one of {', '.join(WAYS)}, got {' and '.join(given) or 'none'}")
    cutoff, time = told.get("cutoff", 0), told.get("time")
    if not _number(cutoff):
        raise Refusal(422, "cutoff: expected a number")
    if time is not None and not (isinstance(time, str) and len(time) <= MOST_LETTERS):
        raise Refusal(422, "time: expected a day or a moment, such as 2020-03-03 or 2020-03-03T18:00")
    way = told[given[0]]
    if given[0] == "line":
        return Trip(line=_line(way), cutoff=float(cutoff), time=time)
    if not isinstance(way, list) or len(way) != 2:
        raise Refusal(422, f"{given[0]}: expected two of them, from and to")
    if given[0] == "points":
        return Trip(points=(_point(way[0], "points"), _point(way[1], "points")), cutoff=float(cutoff), time=time)
    if not all(isinstance(text, str) and 0 < len(text) <= MOST_LETTERS for text in way):
        raise Refusal(422, f"addresses: expected two texts of at most {MOST_LETTERS} characters")
    return Trip(addresses=(way[0], way[1]), cutoff=float(cutoff), time=time)


def _parsed(body: bytes) -> Any:
    def refuse(name: str) -> NoReturn:
        raise Refusal(400, f"{name} is not JSON")

    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=refuse)
    except RecursionError as fault:
        raise Refusal(400, "the JSON is nested too deeply") from fault
    except ValueError as fault:
        raise Refusal(400, "not readable as JSON in UTF-8") from fault


def _line(told: Any) -> Sequence[Point]:
    """A GeoJSON LineString, or a Feature that holds one."""
    shape = told.get("geometry") if isinstance(told, dict) and told.get("type") == "Feature" else told
    points = shape.get("coordinates") if isinstance(shape, dict) and shape.get("type") == "LineString" else None
    if not isinstance(points, list) or not 2 <= len(points) <= MOST_POINTS:
        raise Refusal(422, f"line: expected a GeoJSON LineString of 2 to {MOST_POINTS:,} points")
    return [_point(point, "line") for point in points]


def _point(told: Any, where: str) -> Point:
    """Latitude and longitude of a GeoJSON position."""
    if not isinstance(told, list) or not 2 <= len(told) <= 3 or not all(map(_number, told)):
        raise Refusal(422, f"{where}: expected each point as {POINT}")
    lon, lat = float(told[0]), float(told[1])
    if abs(lat) > 90 or abs(lon) > 180:
        raise Refusal(422, f"{where}: {lon:g}, {lat:g} lies outside of the world; expected {POINT}")
    return lat, lon


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) <= MOST_NUMBER
