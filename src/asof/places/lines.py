"""Lines on the map, and the places that they pass through."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.errors import DataError
from asof.places import Places, assign
from asof.specs import PlaceSpec

Point = tuple[float, float]
"""Latitude and longitude in degrees."""
EARTH_KM = 6371.0088
"""Mean radius of the earth (IUGG)."""
STEP_KM = 0.01
"""A line is looked at every ten metres: a place crossed for less may be missed."""
MOST_POINTS = 50_000
"""A line longer than 500 km is looked at in longer steps."""
LONGEST_KM = 5_000.0


def distance_km(lat: NDArray[np.float64], lon: NDArray[np.float64]) -> NDArray[np.float64]:
    """Great-circle distance between each of n points and the next (haversine): n - 1 kilometres."""
    angles = np.radians(lat), np.radians(lon)
    north, east = (np.diff(angle) for angle in angles)
    half = np.sin(north / 2) ** 2 + np.cos(angles[0][:-1]) * np.cos(angles[0][1:]) * np.sin(east / 2) ** 2
    out: NDArray[np.float64] = 2 * EARTH_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    return out


def crossed(line: Sequence[Point], places: Places, spec: PlaceSpec) -> pl.DataFrame:
    """Places that a line passes through, in the order in which it enters them.

    Args:
        line: two or more points; between two of them it is straight on the map.
        places: as the panel has them.
        spec: what a place is; cells or polygons.

    Returns:
        place (String), at_km (where the line first enters it), km (how much of the line lies within).

    Raises:
        DataError: places that are a column, a point that is none, or a line of more than ``LONGEST_KM``.
    """
    if places.kind not in {"h3", "polygons"}:
        raise DataError("places of this project have no outline, so no line crosses them; they are a column")
    lat, lon = (np.asarray(values, dtype=np.float64) for values in zip(*line, strict=True))
    if len(lat) < 2 or not (np.abs(lat) <= 90).all() or not (np.abs(lon) <= 180).all():
        raise DataError("a line needs two or more points, each a latitude (-90..90) and a longitude (-180..180)")
    if (np.abs(np.diff(lon)) > 180).any():
        raise DataError("a line over the 180th meridian is not read; cut it there, as GeoJSON asks (RFC 7946, 3.1.9)")
    lengths = distance_km(lat, lon)
    total = float(lengths.sum())
    if total > LONGEST_KM:
        raise DataError(f"the line is {total:,.0f} km long; expected at most {LONGEST_KM:,.0f}")
    passed = np.concatenate([[0.0], np.cumsum(lengths)])
    count = int(np.clip(total / STEP_KM, 1, MOST_POINTS))
    # In the middle of each step, so that every step lies in one place and their lengths add up to the line's.
    at = (np.arange(count) + 0.5) / count * total
    points = pl.DataFrame({"lat": np.interp(at, passed, lat), "lon": np.interp(at, passed, lon)})
    found = assign(points, ("lat", "lon"), spec, places)
    steps = pl.DataFrame({"place": found, "at_km": np.maximum(at - total / count / 2, 0.0)})
    return (
        steps.drop_nulls("place")
        .group_by("place", maintain_order=True)
        .agg(pl.col("at_km").first(), km=pl.len() * (total / count))
    )
