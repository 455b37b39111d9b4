"""Maps for the page: outlines or points in colours, without a map beneath, so that nothing is fetched from outside."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from asof.places.lines import Point
from asof.ui import colours

if TYPE_CHECKING:
    import pydeck

HEIGHT = 480
"""Pixels."""
ACROSS, DOWN = 350.0, 440.0
"""Pixels into which all places are fitted: a phone shows them whole."""
LAYER = "places"
HINT = {"color": "#ffffff", "fontSize": "0.85rem", "maxWidth": "16rem", "whiteSpace": "pre-line"}
"""How what is told of a place looks."""
MARKED: dict[str, Any] = {
    "id": LAYER,
    "pickable": True,
    "stroked": True,
    "line_width_units": "'pixels'",
}
"""What all layers of places have: they can be pointed at and clicked on.

A press counts as a click only if what lies under it is found within a quarter of a second, which is little where
maps are drawn without a graphics card: nothing is drawn anew while the mouse moves (no ``auto_highlight``), and see
``EDGES``.
"""
EDGES = {"polygons-stroke": {"pickable": False}}
"""Outlines are not looked for under the mouse, areas alone: with thousands of edges that takes twenty times as long."""
_TILE = 512
_FARTHEST = 20.0


@dataclass(frozen=True)
class View:
    """Where a map looks."""

    lat: float
    lon: float
    zoom: float


def deck(
    frame: pl.DataFrame,
    geometry: Mapping[str, Mapping[str, Any]],
    shades: Sequence[str],
    told: Sequence[str],
    *,
    line: Sequence[Point] = (),
    picked: str | None = None,
) -> "pydeck.Deck":
    """Draw n places: ``place``, ``lat`` and ``lon`` of ``frame``, their colours, and what is told of each on hover.

    Args:
        frame: n places.
        geometry: GeoJSON outlines by place; a place without one is a point.
        shades: n colours, ``#rrggbb``.
        told: n texts of one or more lines.
        line: points of a way, drawn above the places.
        picked: a place with a strong outline.
    """
    import pydeck

    drawn = [place in geometry for place in frame["place"].to_list()]
    shapes = [
        _feature(geometry[place], place, shade, text, strong=place == picked)
        for place, shade, text, there in zip(frame["place"].to_list(), shades, told, drawn, strict=True)
        if there
    ]
    points = [
        {**_told(place, shade, text, strong=place == picked), "position": [lon, lat]}
        for (place, lat, lon), shade, text, there in zip(
            frame.select("place", "lat", "lon").iter_rows(), shades, told, drawn, strict=True
        )
        if not there and lat is not None and lon is not None
    ]
    layers = [_outlined(shapes)] if shapes else []
    layers += [_dotted(points)] if points else []
    layers += _way(line) if line else []
    seen = look([(lat, lon) for lat, lon in frame.select("lat", "lon").drop_nulls().iter_rows()], geometry, drawn=drawn)
    return pydeck.Deck(
        layers=layers,
        initial_view_state=pydeck.ViewState(latitude=seen.lat, longitude=seen.lon, zoom=seen.zoom),
        map_provider=None,  # no map beneath; a style would be fetched even so
        tooltip={"text": "{told}", "style": HINT},
    )


def look(points: Sequence[Point], geometry: Mapping[str, Mapping[str, Any]], *, drawn: Sequence[bool]) -> View:
    """Where to look so that all of n places are seen: their outlines where these are drawn, else their points."""
    ends = [pair for shape in geometry.values() for pair in _ends(shape)] if any(drawn) else list(points)
    if not ends:
        return View(0.0, 0.0, 1.0)
    north, south = (_mercator(side(lat for lat, _ in ends)) for side in (max, min))
    east, west = (side(lon for _, lon in ends) / 360 for side in (max, min))
    zoom = min(_zoom(ACROSS, east - west), _zoom(DOWN, north - south))
    return View(_latitude((north + south) / 2), 180 * (east + west), zoom)


def _zoom(pixels: float, span: float) -> float:
    """How near one can look at so much of the world (1 is all of it) on so many pixels."""
    return min(math.log2(pixels / _TILE / max(span, 1e-9)), _FARTHEST)


def _mercator(lat: float) -> float:
    """Height on the map, in widths of the world."""
    bounded = math.radians(min(max(lat, -85.0), 85.0))
    return math.log(math.tan(math.pi / 4 + bounded / 2)) / (2 * math.pi)


def _latitude(height: float) -> float:
    return math.degrees(2 * math.atan(math.exp(2 * math.pi * height)) - math.pi / 2)


def _ends(shape: Mapping[str, Any]) -> list[Point]:
    """Two corners of a box about an outline."""
    parts = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
    lons, lats = zip(*((point[0], point[1]) for rings in parts for ring in rings for point in ring), strict=True)
    return [(min(lats), min(lons)), (max(lats), max(lons))]


def _told(place: str, shade: str, text: str, *, strong: bool) -> dict[str, Any]:
    edge = colours.rgb(colours.PICKED) if strong else [90, 98, 106, 110]
    return {"place": place, "told": text, "fill": colours.rgb(shade, 0.92), "edge": edge, "width": 3 if strong else 0.6}


def _feature(shape: Mapping[str, Any], place: str, shade: str, text: str, *, strong: bool) -> dict[str, Any]:
    told = _told(place, shade, text, strong=strong)
    return {"type": "Feature", "geometry": shape, "properties": told, "told": text}


def _outlined(shapes: list[dict[str, Any]]) -> Any:
    import pydeck

    return pydeck.Layer(
        "GeoJsonLayer",
        shapes,
        **MARKED,
        _sub_layer_props=EDGES,
        filled=True,
        get_fill_color="properties.fill",
        get_line_color="properties.edge",
        get_line_width="properties.width",
    )


def _dotted(points: list[dict[str, Any]]) -> Any:
    import pydeck

    return pydeck.Layer(
        "ScatterplotLayer",
        points,
        **MARKED,
        get_position="position",
        get_fill_color="fill",
        get_line_color="edge",
        get_line_width="width",
        get_radius=4,
        radius_units="'pixels'",
    )


def _way(line: Sequence[Point]) -> list[Any]:
    import pydeck

    path = [[lon, lat] for lat, lon in line]
    ends = [{"position": path[0]}, {"position": path[-1]}]
    return [
        pydeck.Layer(
            "PathLayer",
            [{"path": path}],
            id="way",
            get_path="path",
            get_color=colours.rgb(colours.PICKED),
            get_width=4,
            width_units="'pixels'",
        ),
        pydeck.Layer(
            "ScatterplotLayer",
            ends,
            id="ends",
            get_position="position",
            get_fill_color=colours.rgb("#ffffff"),
            get_line_color=colours.rgb(colours.PICKED),
            stroked=True,
            get_line_width=3,
            line_width_units="'pixels'",
            get_radius=6,
            radius_units="'pixels'",
        ),
    ]
