"""Lookup ``distances``: how far the points of a source are, among those already known: shops, stations, depots."""

import difflib
from collections.abc import Iterator
from math import pi

import numpy as np
import polars as pl
from pydantic import Field

from asof.errors import Problem
from asof.ledgers import Distinct, Moments, Past
from asof.ledgers.moments import Floats, Ints
from asof.ledgers.past import By
from asof.lookups import coordinates
from asof.lookups.base import read_options, table_of
from asof.lookups.points import EARTH_KM, kilometres, sphere
from asof.specs import FeatureSpec, Spec

MOST_CELLS = 4_000_000
"""Distances kept at once: 32 MB each of a few tables."""


class DistancesOptions(Spec):
    """Options of ``NAME: {distances: SOURCE, ...}``."""

    distances: str
    """Source whose rows have coordinates: ``place: {lat: …, lon: …}``."""
    by: tuple[str, ...] = ()
    """Columns that name a point; none: its coordinates, rounded."""
    decimals: int = Field(default=4, ge=0, le=12)
    """Decimals to which coordinates are rounded where they name a point: 4 are 11 m."""
    flat: bool = False
    """Straight lines on a plane beside the great circles."""


class Distances:
    """``NAME_nearest_km`` and ``NAME_mean_km``, ``NAME_here`` and ``NAME_around``: of the points known at ``as_of``.

    Many rows may tell of one point; it is known from the earliest of them on, and lies where that one said.
    ``nearest_km`` is the distance to the nearest one and ``mean_km`` the mean over all of them, as great circles; with
    ``flat`` also ``nearest_flat_km`` and ``mean_flat_km``, Euclidean on a plane at the latitude of the question.
    ``here`` and ``around`` count the points in the place and in the places that touch it. A question about a row asks
    from its own point, else from the point of its place. Distances are unknown where no point is known.
    """

    def __init__(self, name: str, options: DistancesOptions) -> None:
        """Store them."""
        self.name, self._options = name, options

    @classmethod
    def of(cls, spec: FeatureSpec) -> "Distances":
        """Make it from the project's words."""
        return cls(spec.name, read_options(DistancesOptions, spec))

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions."""
        made: dict[str, Floats] = dict(self._far(questions, past))
        made.update(self._counts(questions, past))
        return table_of({f"{self.name}_{name}": column for name, column in made.items()}, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find what cannot be read: a source, coordinates, moments or columns that are not there."""
        where, source = f"features.{self.name}", self._options.distances
        if source not in past.sources:
            near = difflib.get_close_matches(source, past.sources, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return [Problem(f"no source {source!r}{hint}", where=f"{where}.distances")]
        rows = past.table(source).rows
        there = [name for name in rows.columns if not name.startswith("_")]
        found = [
            Problem(f"no column {name!r}; there are: {', '.join(there)}", where=f"{where}.by")
            for name in self._options.by
            if name not in there
        ]
        return [*found, *self._nowhere(past, where)]

    def _nowhere(self, past: Past, where: str) -> Iterator[Problem]:
        """Say which coordinates or moments are missing."""
        source, panel = self._options.distances, past.panel
        rows = past.table(source).rows
        if rows["_ended"].null_count() == rows.height or not panel.timed:
            yield Problem(f"rows of {source} have no time, so none was known before another", where=where)
        if coordinates.of(past, source) is None:
            yield Problem(
                f"{source} has no coordinates; say where its rows lie: `place: {{lat: …, lon: …}}`", where=where
            )
        elif not coordinates.told(past):
            told = f"questions have no coordinates: rows of {panel.source} have none, and their places neither"
            yield Problem(told, where=where)

    def _name_of(self, past: Past) -> pl.Expr:
        """What names a point, as text."""
        if self._options.by:
            parts = [pl.col(name).cast(pl.String) for name in self._options.by]
        else:
            parts = [pl.col(name).cast(pl.Float64).round(self._options.decimals) for name in self._columns(past)]
        return pl.concat_str(parts, separator=" ")

    def _columns(self, past: Past) -> tuple[str, str]:
        return coordinates.of(past, self._options.distances) or ("", "")

    def _points(self, past: Past) -> pl.DataFrame:
        """One row a point, in the order in which they became known: ``_lat``, ``_lon``, ``_available``."""
        rows = past.table(self._options.distances).rows
        lat, lon = self._columns(past)
        named = rows.select(
            self._name_of(past).alias("_point"), "_available", *coordinates.degrees(rows[lat], rows[lon])
        )
        ordered = named.drop_nulls().sort("_available", maintain_order=True)
        return ordered.unique("_point", keep="first", maintain_order=True)

    def _far(self, questions: pl.DataFrame, past: Past) -> dict[str, Floats]:
        names = ["nearest_km", "mean_km", *(["nearest_flat_km", "mean_flat_km"] if self._options.flat else [])]
        points = self._points(past)
        whole = questions.select("as_of", *coordinates.asked(questions, past)).with_row_index("_asked").drop_nulls()
        made = {name: np.full(questions.height, np.nan) for name in names}
        known = np.searchsorted(_micros(points["_available"]), _micros(whole["as_of"]), side="right")
        whole = whole.with_columns(_known=known).filter(pl.col("_known") > 0)
        if whole.is_empty():
            return made
        spots = whole.select("_lat", "_lon").unique(maintain_order=True).with_row_index("_spot")
        whole = whole.join(spots, on=["_lat", "_lon"], how="left", maintain_order="left").sort("_spot")
        each = max(1, MOST_CELLS // max(points.height, 1))
        for first in range(0, spots.height, each):
            part = spots[first : first + each]
            mine = whole.filter(pl.col("_spot").is_between(first, first + each - 1))
            at, last = mine["_spot"].to_numpy() - first, mine["_known"].to_numpy() - 1
            told = _read(_circles(part, points), at, last)
            if self._options.flat:
                told += _read(_lines(part, points), at, last)
            for name, column in zip(names, told, strict=True):
                made[name][mine["_asked"].to_numpy()] = column
        return made

    def _counts(self, questions: pl.DataFrame, past: Past) -> Iterator[tuple[str, Floats]]:
        """How many points are known in the place, and in those that touch it."""
        source, places = self._options.distances, past.panel.places
        if places.kind == "all" or not past.placed(source):
            return
        wanted: tuple[tuple[str, By], ...] = (("here", "place"), ("around", "neighbours"))
        once = Distinct(self._name_of(past), ever=True)
        ever = Moments.ever(questions.height)
        never, as_of = Moments(-ever.values, ever.index), Moments.of(questions["as_of"])
        for name, by in wanted[: 2 if places.neighbours else 1]:
            ledger = past.ledger(source, by, where=once, covered=False)
            yield name, ledger.count(past.keys(questions, by), never, ever, as_of).astype(np.float64)


def _read(km: Floats, spot: Ints, last: Ints) -> list[Floats]:
    """Nearest and mean of the first points, up to the last known one, of each question.

    Totals run one by one from the first point on, so that later ones change no bit.
    """
    nearest = np.minimum.accumulate(km, axis=1)[spot, last]
    return [nearest, np.cumsum(km, axis=1)[spot, last] / (last + 1)]


def _circles(spots: pl.DataFrame, points: pl.DataFrame) -> Floats:
    """Great-circle distances in km, (spots, points)."""
    one, other = (sphere(frame["_lat"], frame["_lon"]) for frame in (spots, points))
    squares = np.zeros((len(one), len(other)))
    for axis in range(3):
        squares += (one[:, None, axis] - other[None, :, axis]) ** 2
    return kilometres(squares)


def _lines(spots: pl.DataFrame, points: pl.DataFrame) -> Floats:
    """Straight distances in km to the millimetre, (spots, points): a degree east is that of the spot's latitude."""
    degree = EARTH_KM * pi / 180
    shrunk = (spots["_lat"] * (pi / 180)).cos().to_numpy()
    north = spots["_lat"].to_numpy()[:, None] - points["_lat"].to_numpy()[None, :]
    east = spots["_lon"].to_numpy()[:, None] - points["_lon"].to_numpy()[None, :]
    east = (east + 180) % 360 - 180  # the shorter way round the earth
    lines: Floats = np.round(degree * np.sqrt(north**2 + (east * shrunk[:, None]) ** 2), 6)
    return lines


def _micros(times: pl.Series) -> Ints:
    return times.dt.cast_time_unit("us").to_physical().to_numpy()
