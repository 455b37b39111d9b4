"""Reading of a GeoJSON file: its features, their properties, and one sound outline a place."""

import difflib
import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asof.data import Finding, Severity
from asof.errors import DataError
from asof.places.libraries import shapely_library
from asof.specs import PlaceSpec

WGS84_NAMES = ("CRS84", "4326")
"""What the name of a coordinate system must contain to be longitude and latitude in degrees."""
NAME_PROPERTIES = ("name", "zone", "label", "title", "ntaname", "district")
"""Properties tried in this order as the name of a polygon, whatever their case."""


def features(spec: PlaceSpec, folder: Path) -> tuple[str, list[dict[str, Any]]]:
    """Read the features of ``spec.polygons`` (gzip too) with the path for messages; raises DataError."""
    path = folder / str(spec.polygons)
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected a GeoJSON file of polygons (place.polygons)")
    try:
        raw = path.read_bytes()
        document = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: not readable as GeoJSON ({error}); expected a FeatureCollection of polygons"
        ) from error
    features = document.get("features") if isinstance(document, dict) else None
    if not isinstance(features, list) or not features:
        raise DataError(f"{path}: expected a GeoJSON FeatureCollection with at least one feature")
    system = str(((document.get("crs") or {}).get("properties") or {}).get("name") or "CRS84")
    if not any(name in system for name in WGS84_NAMES):
        raise DataError(f"{path}: coordinates are in {system}; expected WGS 84 degrees: convert it to EPSG:4326")
    return str(path), features


def values(features: list[dict[str, Any]], name: str | None, file: str) -> list[Any]:
    """Value of a property of each feature; raises DataError naming the nearest property, or the feature without one."""
    known = sorted({key for feature in features for key in feature.get("properties") or {}})
    listed = ", ".join(known) or "none"
    if name is None:
        raise DataError(
            f"{file}: say which property identifies a polygon, as in `{Path(file).name}#id`; there are: {listed}"
        )
    if name not in known:
        near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"{file}: no property {name!r}{hint} There are: {listed}")
    values = [(feature.get("properties") or {}).get(name) for feature in features]
    empty = [number for number, value in enumerate(values, 1) if value is None]
    if empty:
        raise DataError(f"{file}: feature {empty[0]} has no value in property {name!r}; every polygon needs one")
    return values


def names(features: list[dict[str, Any]]) -> list[str]:
    """Name for people of each feature, or an empty text."""
    properties = [feature.get("properties") or {} for feature in features]
    known = {key.lower(): key for row in properties for key in row}
    chosen = next((known[name] for name in NAME_PROPERTIES if name in known), None)
    return [str(row.get(chosen) or "") for row in properties]


def outlines(ids: list[str], features: list[dict[str, Any]], file: str) -> tuple[dict[str, Any], list[Finding]]:
    """Join the polygons of each id into one sound outline in degrees; findings tell what was joined or repaired."""
    shapely = shapely_library()

    pieces: dict[str, list[Any]] = {}
    broken = []
    for number, (place, feature) in enumerate(zip(ids, features, strict=True), 1):
        outline = _polygon(feature, f"{file}: feature {number} ({place})")
        if not outline.is_valid:
            broken.append(place)
            outline = shapely.make_valid(outline, method="structure", keep_collapsed=False)
        pieces.setdefault(place, []).append(outline)
    joined = {place: parts[0] if len(parts) == 1 else shapely.union_all(parts) for place, parts in pieces.items()}
    west, south, east, north = shapely.total_bounds(list(joined.values()))
    if not (west >= -180 and east <= 180 and south >= -90 and north <= 90):
        raise DataError(
            f"{file}: coordinates reach from ({west:g}, {south:g}) to ({east:g}, {north:g}); "
            "expected longitude and latitude in WGS 84 degrees: convert it to EPSG:4326"
        )
    return joined, _oddities(pieces, broken, file)


def _oddities(pieces: Mapping[str, list[Any]], broken: list[str], file: str) -> list[Finding]:
    findings = []
    several = {place: len(parts) for place, parts in pieces.items() if len(parts) > 1}
    if several:
        said = ", ".join(f"{place} ({count})" for place, count in sorted(several.items()))
        findings.append(
            Finding(
                "places",
                Severity.WARNING,
                Path(file).name,
                f"ids with several polygons, each id is one place: {said}",
                figure=float(len(several)),
                rows=sum(several.values()),
            )
        )
    if broken:
        said = ", ".join(sorted(set(broken))[:5])
        findings.append(
            Finding(
                "places",
                Severity.WARNING,
                Path(file).name,
                f"outlines that cross themselves, repaired: {said}",
                figure=float(len(broken)),
                rows=len(broken),
            )
        )
    return findings


def _polygon(feature: dict[str, Any], where: str) -> Any:
    geometry = feature.get("geometry") or {}
    if geometry.get("type") not in {"Polygon", "MultiPolygon"}:
        raise DataError(f"{where}: expected a Polygon or MultiPolygon, got {geometry.get('type')}")
    try:
        outline = shapely_library().from_geojson(json.dumps(geometry))
    except (ValueError, TypeError, shapely_library().errors.GEOSException) as error:
        raise DataError(f"{where}: the outline cannot be read ({error})") from error
    if outline.is_empty:
        raise DataError(f"{where}: the outline is empty; leave the feature out or complete it")
    return outline


def text(value: Any) -> str:
    """Text of a property: 4.0 is ``4``."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()
