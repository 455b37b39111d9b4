"""Maps of places, coloured by a figure: outlines from GeoJSON, or points where there are none."""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from asof.pages import words
from asof.pages.drawing import hint, short, tag

WIDTH = 480.0
TALLEST = 640.0
CLASSES = 7
_NEAR = 0.55
"""Points of an outline nearer than this many pixels to the last one kept are left out."""
_POINTS = 4000
"""More places than this are not drawn: the page would become heavy and nothing could be seen."""


Write = Callable[[Any], str]
"""How a figure is written."""


@dataclass(frozen=True)
class Map:
    """A drawn map with its legend: a ramp of colours, with the figure at the right end of each."""

    svg: str
    ramp: tuple[tuple[str, str], ...]
    """Class of the colour, and the figure at which it ends; empty where it has no end."""
    start: str = ""
    """Figure at which the first colour begins; empty where it has no beginning."""


def shapes(frame: pl.DataFrame, geometry: Mapping[str, Mapping[str, Any]]) -> str:
    """Outlines of all places once, as ``<defs>``, for the maps that show them; empty where nothing can be drawn."""
    if frame.height > _POINTS:
        return ""
    known = {str(place): geometry[str(place)] for place in frame["place"].to_list() if str(place) in geometry}
    if known:
        return _polygons(frame, known)
    return _dots(frame) if {"lat", "lon"} <= set(frame.columns) else ""


def levels(frame: pl.DataFrame, column: str, unit: str) -> Map:
    """Colour places by a figure from pale to strong, in classes of about equal numbers of places."""
    values = _values(frame, column)
    known = values[np.isfinite(values)]
    if not known.size:
        return Map("", ())
    quantiles = np.quantile(known, np.linspace(0, 1, CLASSES + 1)[1:-1])
    inner = [edge for edge in dict.fromkeys(map(_round, quantiles.tolist())) if known.min() < edge < known.max()]
    names = [f"s{round(index * (CLASSES - 1) / max(len(inner), 1))}" for index in range(len(inner) + 1)]
    ends = [*map(words.compact, inner), words.compact(known.max())]
    ramp = tuple(zip(names, ends, strict=True))
    drawn = _uses(frame, values, Classes(inner, names, unit, words.brief), [True] * frame.height)
    return Map(drawn, ramp, words.compact(known.min()))


def differences(frame: pl.DataFrame, column: str, unit: str, *, write: Write = words.brief, sure: str = "") -> Map:
    """Colour places by a signed figure: one hue below zero, another above, pale about zero.

    ``sure`` names a column of Booleans: where it is not true, the place is drawn pale and said to be uncertain.
    """
    values = _values(frame, column)
    known = np.abs(values[np.isfinite(values)])
    if not known.size:
        return Map("", ())
    far = float(np.quantile(known, 0.9)) or float(known.max()) or 1.0
    inner = [_round(times * far) for times in (-1, -0.6, -0.2, 0.2, 0.6, 1)]
    names = [f"d{index}" for index in range(CLASSES)]
    legend = words.compact if write is words.brief else write
    ramp = tuple(zip(names, [*map(legend, inner), ""], strict=True))
    certain = frame[sure].fill_null(value=False).to_list() if sure else [True] * frame.height
    return Map(_uses(frame, values, Classes(inner, names, unit, write), certain), ramp)


@dataclass(frozen=True)
class Classes:
    """How figures turn into colours and words."""

    inner: Sequence[float]
    """Rising borders between classes."""
    names: Sequence[str]
    """One more class of the style than borders."""
    unit: str
    write: Write


def _uses(frame: pl.DataFrame, values: np.ndarray[Any, Any], classes: Classes, certain: Sequence[bool]) -> str:
    uses = []
    for index, (name, value, sure) in enumerate(zip(frame["name"].to_list(), values, certain, strict=True)):
        kind, told = "none", f"{name}: unknown"
        if math.isfinite(value):
            kind = classes.names[bisect_right(classes.inner, value)]
            told = f"{name}: {classes.write(value)} {classes.unit}".rstrip()
        if math.isfinite(value) and not sure:
            kind, told = f"{kind} pale", f"{told} (too little to tell)"
        uses.append(tag("use", hint(told), href=f"#p{index}", class_=kind))
    return "".join(uses)


def _round(value: float) -> float:
    """Keep two figures: the limits of a class are to be read, not to be exact."""
    return float(f"{value:.2g}")


def _values(frame: pl.DataFrame, column: str) -> np.ndarray[Any, Any]:
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _polygons(frame: pl.DataFrame, known: Mapping[str, Mapping[str, Any]]) -> str:
    rings = {place: list(_rings(geometry)) for place, geometry in known.items()}
    points = np.concatenate([ring for each in rings.values() for ring in each])
    project, height = _projection(points)
    parts = []
    for index, place in enumerate(frame["place"].to_list()):
        drawn = "".join(_outline(project(ring)) for ring in rings.get(str(place), []))
        parts.append(tag("path", d=drawn, id=f"p{index}"))
    return _defs(parts, height)


def _dots(frame: pl.DataFrame) -> str:
    points = np.stack([_values(frame, "lon"), _values(frame, "lat")], axis=1)
    fine = np.isfinite(points).all(axis=1)
    if not fine.any():
        return ""
    project, height = _projection(points[fine])
    size = float(np.clip(160 / math.sqrt(len(points)), 2.5, 9))
    drawn = project(np.where(fine[:, None], points, points[fine][0]))
    parts = [
        tag("circle", cx=x, cy=y, r=size if good else 0, id=f"p{index}")
        for index, ((x, y), good) in enumerate(zip(drawn.tolist(), fine.tolist(), strict=True))
    ]
    return _defs(parts, height)


def _defs(parts: Iterable[str], height: float) -> str:
    return f'<svg class="store" data-view="0 0 {short(WIDTH)} {short(height)}"><defs>{"".join(parts)}</defs></svg>'


def view_of(store: str) -> str:
    """Return the ``viewBox`` for maps that use the outlines in ``store``."""
    return store.split('data-view="', 1)[1].split('"', 1)[0]


def _projection(points: np.ndarray[Any, Any]) -> tuple[Any, float]:
    """Plate carrée with the right proportions at the middle latitude, into WIDTH x at most TALLEST pixels."""
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    squeeze = max(math.cos(math.radians((south + north) / 2)), 0.05)
    wide, tall = max((east - west) * squeeze, 1e-9), max(north - south, 1e-9)
    factor = min((WIDTH - 20) / wide, (TALLEST - 20) / tall)
    left = (WIDTH - wide * factor) / 2

    def project(ring: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.stack([left + (ring[:, 0] - west) * squeeze * factor, 10 + (north - ring[:, 1]) * factor], axis=1)

    return project, tall * factor + 20


def _rings(geometry: Mapping[str, Any]) -> Iterable[np.ndarray[Any, Any]]:
    kind, content = geometry.get("type"), geometry.get("coordinates", [])
    polygons = [content] if kind == "Polygon" else content if kind == "MultiPolygon" else []
    for polygon in polygons:
        for ring in polygon:
            if len(ring) > 2:
                yield np.array([point[:2] for point in ring], dtype=float)


def _outline(ring: np.ndarray[Any, Any]) -> str:
    """Relative path of a ring in tenths of a pixel, without points that nobody could see."""
    kept = [ring[0]]
    for point in ring[1:]:
        if abs(point - kept[-1]).max() >= _NEAR:
            kept.append(point)
    if len(kept) < 3:
        x, y = ring.mean(axis=0)
        return f"M{short(x - 0.4)} {short(y - 0.4)}h.8v.8h-.8z"
    tenths = np.rint(np.array(kept) * 10).astype(int)
    moves = np.diff(tenths, axis=0)
    start = f"M{short(tenths[0, 0] / 10)} {short(tenths[0, 1] / 10)}"
    return start + "l" + " ".join(f"{short(x / 10)} {short(y / 10)}" for x, y in moves.tolist()) + "z"
