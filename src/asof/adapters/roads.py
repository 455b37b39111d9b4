"""A road graph out of a GeoJSON file of lines, and the shortest way between two points on it."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asof.errors import DataError
from asof.places.lines import EARTH_KM, Point, distance_km

DIGITS = 6
"""Ends that agree to so many decimals of a degree (a decimetre) are one junction."""
FARTHEST_KM = 5.0
"""A point farther from every road is not joined to one."""


class RoadGraph:
    """Roads that can be gone both ways, unless a line says ``"oneway": true``; their length is what a way costs."""

    def __init__(self, file: Path) -> None:
        """Read the graph; raises DataError for a file that holds no lines."""
        roads = _lines(file)
        ends: dict[Point, int] = {}
        pairs: list[tuple[int, int, float]] = []
        for points, oneway in roads:
            numbers = [ends.setdefault((round(lat, DIGITS), round(lon, DIGITS)), len(ends)) for lat, lon in points]
            lat, lon = (np.array(values) for values in zip(*points, strict=True))
            for begun, ended, km in zip(numbers, numbers[1:], distance_km(lat, lon).tolist(), strict=False):
                pairs.append((begun, ended, km))
                if not oneway:
                    pairs.append((ended, begun, km))
        self._points = np.array(list(ends))
        self._graph = _matrix(pairs, len(ends))

    def route(self, begun: Point, ended: Point) -> list[Point]:
        """Shortest way between the junctions nearest to two points, with the points themselves at its ends.

        Raises DataError where a point is far from every road, or no way joins them.
        """
        from scipy.sparse.csgraph import dijkstra

        first, last = self._nearest(begun), self._nearest(ended)
        reached, before = dijkstra(self._graph, indices=first, return_predecessors=True)
        if not np.isfinite(reached[last]):
            raise DataError("no road joins the two points")
        way = [last]
        while way[-1] != first:
            way.append(int(before[way[-1]]))
        return [begun, *(_point(self._points[node]) for node in reversed(way)), ended]

    def _nearest(self, point: Point) -> int:
        lat, lon = np.radians(self._points).T
        here = np.radians(point)
        half = np.sin((lat - here[0]) / 2) ** 2 + np.cos(lat) * np.cos(here[0]) * np.sin((lon - here[1]) / 2) ** 2
        nearest = int(np.argmin(half))
        away = float(2 * EARTH_KM * np.arcsin(np.sqrt(half[nearest])))
        if away > FARTHEST_KM:
            raise DataError(f"{point[0]:.5f}, {point[1]:.5f} is {away:.0f} km from the nearest road")
        return nearest


def _point(row: NDArray[np.float64]) -> Point:
    return float(row[0]), float(row[1])


def _matrix(pairs: Sequence[tuple[int, int, float]], count: int) -> Any:
    from scipy.sparse import csr_matrix

    # Of several roads between two junctions the shortest counts; a matrix would add them up.
    shortest: dict[tuple[int, int], float] = {}
    for begun, ended, km in pairs:
        shortest[begun, ended] = min(km, shortest.get((begun, ended), np.inf))
    rows, columns = zip(*shortest, strict=True)
    return csr_matrix((np.maximum(list(shortest.values()), 1e-9), (rows, columns)), shape=(count, count))


def _lines(file: Path) -> list[tuple[list[Point], bool]]:
    if not file.is_file():
        raise DataError(f"{file}: no such file; expected a road graph: GeoJSON with a LineString a road")
    raw = file.read_bytes()
    try:
        told = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
        found = []
        for feature in told["features"]:
            shape, oneway = feature["geometry"], bool((feature.get("properties") or {}).get("oneway"))
            parts = {"LineString": [shape["coordinates"]], "MultiLineString": shape["coordinates"]}
            for part in parts.get(shape["type"], []):
                points = [(float(point[1]), float(point[0])) for point in part]
                if len(points) > 1:
                    found.append((points, oneway))
    except (ValueError, OSError, EOFError, KeyError, TypeError, IndexError) as fault:
        raise DataError(f"{file}: not readable as GeoJSON of lines ({fault!r})") from fault
    if not found:
        raise DataError(f"{file}: holds no LineString; expected one a road")
    return found
