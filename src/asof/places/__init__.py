"""Places: a column, the cells of an H3 resolution, or the polygons of a GeoJSON file.

A place is known by a text id. Rows with coordinates are assigned to places; a point on a border, or where polygons
overlap, belongs to the smallest id, so that the answer depends on nothing but the point.
"""

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from asof.data import Finding
from asof.errors import DataError
from asof.places import geojson
from asof.places.libraries import h3_library, shapely_library
from asof.specs import PlaceSpec, PointSpec

Kind = Literal["polygons", "h3", "column", "all"]
EVERYWHERE = "all"
"""Id of the one place of a project without places."""
TOUCHING_DEGREES = 1e-5
"""Polygons nearer than this (about a metre) touch: digitised borders leave slivers between neighbours."""


@dataclass(frozen=True)
class Places:
    """The places of a panel, in the order of their ids."""

    ids: pl.Series
    """n ids, String, sorted and unique."""
    coarser: pl.Series | None = None
    """n ids of the coarser place (borough, coarser cell), String, or none."""
    names: pl.Series | None = None
    """n names for people, String; none where the ids are all there is."""
    lat: pl.Series | None = None
    """n latitudes in degrees of a point within the place, or none for a column."""
    lon: pl.Series | None = None
    """n longitudes in degrees of the same points."""
    neighbours: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """Ids of the places that touch each place (H3: the ring around it); empty for a column."""
    kind: Kind = "column"
    findings: tuple[Finding, ...] = ()
    shapes: Any = field(default=None, repr=False, compare=False)
    """n shapely geometries, or none; ``assign`` reads them."""

    def __len__(self) -> int:
        """Return the number of places."""
        return len(self.ids)

    @property
    def called(self) -> dict[str, str]:
        """Name of each place for people, by its id."""
        names = self.ids if self.names is None else self.names
        return dict(zip(self.ids.to_list(), names.to_list(), strict=True))


def kind_of(spec: PlaceSpec) -> Kind:
    """Say which kind of place a spec describes.

    Raises:
        DataError: it names none of ``h3``, ``polygons`` and ``column``.
    """
    if spec.polygons is not None:
        return "polygons"
    if spec.h3 is not None:
        return "h3"
    if spec.column is not None:
        return "column"
    raise DataError("place: expected one of h3, polygons or column, such as `place: h3:8`")


def load(spec: PlaceSpec | None, folder: Path) -> Places | None:
    """Read the polygons of ``spec`` (relative to ``folder``); none for H3 cells and columns, known only from rows.

    Without a ``spec`` everything is one place, ``all``.

    Several polygons with one id are one place, and an invalid outline is repaired; both are said in a finding.

    Raises:
        DataError: no file, not GeoJSON, no such property, not longitude and latitude in degrees, no polygon.
    """
    if spec is None:
        one = pl.Series("place", [EVERYWHERE], dtype=pl.String)
        return Places(ids=one, names=one.alias("name"), kind="all")
    if kind_of(spec) != "polygons":
        return None
    shapely = shapely_library()

    file, features = geojson.features(spec, folder)
    ids = [geojson.text(value) for value in geojson.values(features, spec.id, file)]
    shapes, findings = geojson.outlines(ids, features, file)
    order = sorted(shapes)
    outlines = np.array([shapes[place] for place in order], dtype=object)
    points = shapely.point_on_surface(outlines)
    first = {place: index for index, place in reversed(list(enumerate(ids)))}
    coarser = None
    if spec.coarser is not None:
        values = geojson.values(features, str(spec.coarser), file)
        coarser = pl.Series("coarser", [geojson.text(values[first[place]]) for place in order], dtype=pl.String)
    names = geojson.names(features)
    return Places(
        ids=pl.Series("place", order, dtype=pl.String),
        coarser=coarser,
        names=pl.Series("name", [names[first[place]] or place for place in order], dtype=pl.String),
        lat=pl.Series("lat", shapely.get_y(points)),
        lon=pl.Series("lon", shapely.get_x(points)),
        neighbours=_touching(order, outlines),
        kind="polygons",
        findings=tuple(findings),
        shapes=outlines,
    )


def of_rows(ids: pl.Series, spec: PlaceSpec, coarser: pl.Series | None = None) -> Places:
    """List the H3 cells or column values in ``ids`` (nulls and repeats allowed) as places.

    ``coarser``, of the same height, is the coarser place of each row for places that are a column; the first one
    seen of each place holds. Rule: hand in training rows only, because a list of places is fitted like anything else.
    """
    unique = ids.cast(pl.String).drop_nulls().unique().sort().alias("place")
    if kind_of(spec) == "h3":
        return _cells(unique, spec)
    above = None
    if coarser is not None:
        pairs = pl.DataFrame({"place": ids.cast(pl.String), "coarser": coarser.cast(pl.String)}).drop_nulls()
        pairs = pairs.unique("place", keep="first", maintain_order=True)
        above = unique.to_frame().join(pairs, on="place", how="left", maintain_order="left")["coarser"]
    return Places(ids=unique, coarser=above, names=unique.alias("name"), kind=kind_of(spec))


def are_cells(ids: pl.Series, spec: PlaceSpec) -> pl.Series:
    """Whether each id (String, null = no) is an H3 cell of the resolution of ``spec``, known or not."""
    h3 = h3_library()

    frame = ids.cast(pl.String).alias("cell").to_frame()
    valid = frame.select(h3.is_valid_cell("cell").fill_null(value=False).alias("cell"))["cell"]
    fine = frame.select(pl.when(valid).then("cell")).select(h3.get_resolution("cell") == spec.h3)
    return fine.to_series().fill_null(value=False)


def without(places: Places, ids: pl.Series) -> Places:
    """Return ``places`` without those in ``ids``."""
    kept = ~places.ids.is_in(ids.implode())
    gone = set(ids.to_list())

    def left(column: pl.Series | None) -> pl.Series | None:
        return None if column is None else column.filter(kept)

    return Places(
        ids=places.ids.filter(kept),
        coarser=left(places.coarser),
        names=left(places.names),
        lat=left(places.lat),
        lon=left(places.lon),
        neighbours={
            place: tuple(other for other in near if other not in gone)
            for place, near in places.neighbours.items()
            if place not in gone
        },
        kind=places.kind,
        shapes=None if places.shapes is None else places.shapes[kept.to_numpy()],
    )


def coarser_resolution(spec: PlaceSpec) -> int:
    """H3 resolution of the coarser cells: as said, or two steps up (49 cells in one).

    Raises:
        DataError: ``coarser`` is not a number, or not below the resolution of the cells.
    """
    if spec.h3 is None:
        raise DataError("place: a coarser resolution needs `h3`")
    if spec.coarser is None:
        return max(spec.h3 - 2, 0)
    if not str(spec.coarser).isdigit() or int(spec.coarser) > spec.h3:
        raise DataError(f"place.coarser: expected an H3 resolution from 0 to {spec.h3}, got {spec.coarser!r}")
    return int(spec.coarser)


def assign(
    rows: pl.DataFrame,
    place_of_source: PointSpec | tuple[str, str] | str | None,
    spec: PlaceSpec | None,
    places: Places | None,
) -> pl.Series:
    """Place id of each row: String, null = outside every place or without coordinates.

    ``place_of_source`` is (latitude column, longitude column) in degrees, the column that names the place, or none.

    Raises:
        DataError: a column is missing, or a source with coordinates meets places that are a column.
    """
    nothing = pl.Series("_place", [None], dtype=pl.String).new_from_index(0, rows.height)
    if spec is None:
        return pl.Series("_place", [EVERYWHERE], dtype=pl.String).new_from_index(0, rows.height)
    if place_of_source is None:
        return nothing
    if isinstance(place_of_source, str):
        named = _named(rows, place_of_source)
        if places is None or places.kind != "polygons":
            return named
        return named.set(~named.is_in(places.ids.implode()), None).alias("_place")
    if isinstance(place_of_source, PointSpec):
        place_of_source = (place_of_source.lat, place_of_source.lon)
    lat, lon = (_degrees(rows, column) for column in place_of_source)
    inside = lat.is_between(-90, 90) & lon.is_between(-180, 180)
    lat, lon = lat.set(~inside, None), lon.set(~inside, None)
    if kind_of(spec) == "h3":
        return _cells_of(lat, lon, spec)
    if places is None or places.shapes is None:
        raise DataError("place: rows with coordinates need `h3` or `polygons`, or name the column of the place instead")
    return _polygons_of(lat, lon, places)


def stored(places: Places) -> pl.DataFrame:
    """Write places as a plain table: place, coarser, name, lat, lon, neighbours, kind, outline.

    ``outline`` is the exact polygon as WKB (null for cells and columns), so that a release can answer points without
    the file that it was made from. ``restored`` is the way back.
    """
    nothing = pl.Series([None] * len(places))
    near = [list(places.neighbours.get(place, ())) for place in places.ids]
    outlines = None if places.shapes is None else shapely_library().to_wkb(places.shapes).tolist()
    return pl.DataFrame(
        {
            "place": places.ids,
            "coarser": _or(places.coarser, nothing).cast(pl.String),
            "name": _or(places.names, nothing).cast(pl.String),
            "lat": _or(places.lat, nothing).cast(pl.Float64),
            "lon": _or(places.lon, nothing).cast(pl.Float64),
            "neighbours": pl.Series(near, dtype=pl.List(pl.String)),
            "kind": pl.Series([places.kind] * len(places), dtype=pl.String),
            "outline": pl.Series(outlines if outlines is not None else [None] * len(places), dtype=pl.Binary),
        }
    )


def restored(table: pl.DataFrame) -> Places:
    """Read what ``stored`` wrote; findings are not kept.

    Raises:
        DataError: a column is missing, or the places are not sorted and unique.
    """
    expected = ("place", "coarser", "name", "lat", "lon", "neighbours", "kind", "outline")
    missing = [column for column in expected if column not in table.columns]
    if missing:
        raise DataError(f"stored places have no column {missing[0]!r}; expected {', '.join(expected)}: train again")
    ids = table["place"]
    if ids.n_unique() != len(ids) or not ids.is_sorted():
        raise DataError("stored places are not sorted and unique; train again")
    kind: Kind = table["kind"][0] if len(ids) else "column"
    known = {name: table[name] if table[name].null_count() < len(ids) else None for name in expected}
    shapes = None if known["outline"] is None else shapely_library().from_wkb(known["outline"].to_numpy())
    near = {place: tuple(others) for place, others in zip(ids, table["neighbours"].to_list(), strict=True)}
    if kind in {"column", "all"}:
        near = {}
    return Places(ids, known["coarser"], known["name"], known["lat"], known["lon"], near, kind, shapes=shapes)


def _or(values: pl.Series | None, nothing: pl.Series) -> pl.Series:
    return nothing if values is None else values


def geometry(spec: PlaceSpec | None, folder: Path, ids: pl.Series | None = None) -> dict[str, dict[str, Any]]:
    """Outlines for plots: id -> GeoJSON geometry, simplified to about 1/2000 of the whole map's width.

    H3 cells come from ``ids``; places that are a column have no outline, so the result is empty.
    """
    if spec is None:
        return {}
    shapely = shapely_library()

    kind = kind_of(spec)
    if kind == "h3" and ids is not None:
        h3 = h3_library()

        frame = ids.cast(pl.String).unique().sort().alias("cell").to_frame()
        rings = frame.select("cell", ring=h3.cell_to_boundary("cell"))
        return {cell: _hexagon(ring) for cell, ring in rings.iter_rows()}
    places = load(spec, folder)
    if places is None:
        return {}
    west, south, east, north = shapely.total_bounds(places.shapes)
    plain = shapely.simplify(places.shapes, max(east - west, north - south) / 2000)
    return {place: json.loads(shapely.to_geojson(shape)) for place, shape in zip(places.ids, plain, strict=True)}


def _touching(ids: list[str], outlines: np.ndarray) -> dict[str, tuple[str, ...]]:
    shapely = shapely_library()

    left, right = shapely.STRtree(outlines).query(outlines, predicate="dwithin", distance=TOUCHING_DEGREES)
    near: dict[str, list[str]] = {place: [] for place in ids}
    for one, other in zip(left.tolist(), right.tolist(), strict=True):
        if one != other:
            near[ids[one]].append(ids[other])
    return {place: tuple(sorted(others)) for place, others in near.items()}


def _cells(ids: pl.Series, spec: PlaceSpec) -> Places:
    h3 = h3_library()

    frame = ids.alias("cell").to_frame()
    wrong = frame.filter(~h3.is_valid_cell("cell"))
    if wrong.height:
        raise DataError(
            f"place: {wrong['cell'][0]!r} is no H3 cell; expected 15 hexadecimal digits such as 882a1072d7fffff"
        )
    told = frame.select(
        lat=h3.cell_to_lat("cell"),
        lon=h3.cell_to_lng("cell"),
        ring=h3.grid_disk("cell", 1),
        coarser=h3.cell_to_parent("cell", coarser_resolution(spec)).cast(pl.String),
    )
    rings = told["ring"].to_list()
    near = {cell: tuple(sorted(set(ring) - {cell, None})) for cell, ring in zip(ids, rings, strict=True)}
    return Places(ids, told["coarser"], ids.alias("name"), told["lat"], told["lon"], near, "h3")


def _cells_of(lat: pl.Series, lon: pl.Series, spec: PlaceSpec) -> pl.Series:
    h3 = h3_library()

    cell = h3.latlng_to_cell("lat", "lon", int(spec.h3 or 0), return_dtype=pl.String)
    return pl.DataFrame({"lat": lat, "lon": lon}).select(cell.alias("_place"))["_place"]


def _hexagon(ring: list[list[float]]) -> dict[str, Any]:
    points = [[lon, lat] for lat, lon in ring]
    return {"type": "Polygon", "coordinates": [[*points, points[0]]]}


def _polygons_of(lat: pl.Series, lon: pl.Series, places: Places) -> pl.Series:
    shapely = shapely_library()

    told = (lat.is_not_null() & lon.is_not_null()).to_numpy()
    rows = np.flatnonzero(told)
    x, y = (values.filter(pl.Series(told)).to_numpy() for values in (lon, lat))
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    new = np.ones(len(x), dtype=bool)
    new[1:] = (x[1:] != x[:-1]) | (y[1:] != y[:-1])  # points that come again are looked up once, or seldom more
    again = np.cumsum(new) - 1
    x, y = x[new], y[new]
    found = np.full(len(x), len(places), dtype=np.int64)
    shapely.prepare(places.shapes)
    boxes = shapely.bounds(places.shapes)
    for index in range(len(places) - 1, -1, -1):  # the smallest id is written last
        west, south, east, north = boxes[index]
        low, high = np.searchsorted(x, west, "left"), np.searchsorted(x, east, "right")
        near = low + np.flatnonzero((y[low:high] >= south) & (y[low:high] <= north))
        found[near[shapely.intersects_xy(places.shapes[index], x[near], y[near])]] = index
    inside = np.full(len(lat), len(places), dtype=np.int64)
    inside[rows[order]] = found[again]
    return places.ids.extend_constant(None, 1).gather(inside).alias("_place")


def _named(rows: pl.DataFrame, column: str) -> pl.Series:
    values = _column(rows, column)
    if values.dtype.is_float():
        whole = values.is_null() | (values == values.round())
        values = values.cast(pl.Int64) if whole.all() else values
    return values.cast(pl.String).alias("_place")


def _degrees(rows: pl.DataFrame, column: str) -> pl.Series:
    return _column(rows, column).cast(pl.Float64, strict=False).fill_nan(None)


def _column(rows: pl.DataFrame, column: str) -> pl.Series:
    if column not in rows.columns:
        near = difflib.get_close_matches(column, rows.columns, n=1, cutoff=0.5)
        raise DataError(f"place: no column {column!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return rows[column]
