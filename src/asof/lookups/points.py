"""The nearest of earlier points: exact search in space among the rows that were known at a moment."""

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np
import polars as pl

from asof.errors import DataError
from asof.ledgers.moments import Floats, Ints

EARTH_KM = 6371.0088
"""Mean radius of the earth, IUGG; taken as a sphere."""
BLOCK = 512
"""Rows in order of time that are searched one by one; trees are made of whole blocks."""
_FEW = 100_000
"""Up to so many pairs of a question and a row are quicker compared than put into a tree."""
_SLAB = 16_384
_ROW_BITS = 28
"""Of a distance in millimetres, at most half way round the earth, and a position in the points 63 bits remain so."""
_ROW = (1 << _ROW_BITS) - 1
_NOTHING = np.iinfo(np.int64).max
_SLACK = 1e-11
"""Chords on the unit sphere that differ by less may be equal distances: a tenth of a millimetre."""


@dataclass(frozen=True)
class Asked:
    """n questions: where, and which rows each may see."""

    at: Floats
    """(n, 3) on the unit sphere."""
    as_of: Ints
    """Rows available by then may be seen, in microseconds."""
    low: Ints
    """Only those that ended later than this."""
    itself: Ints
    """Code of the row that each question is about among those of the points, -1 = none."""

    def take(self, rows: Ints) -> "Asked":
        """Return those of the given rows."""
        return Asked(self.at[rows], self.as_of[rows], self.low[rows], self.itself[rows])


@dataclass(frozen=True)
class Found:
    """The nearest rows of n questions, nearest first."""

    rows: Ints
    """(n, k) positions in the points, whatever it is where km is inf."""
    km: Floats
    """(n, k) distances in km, to the millimetre; inf where there are no more."""


class Points:
    """Rows with coordinates, in the order in which ties in distance are broken.

    Blocks of rows that became available one after the other are kept as trees, and pairs of blocks as larger ones, so
    that what was known at any moment is a few trees and less than a block at either end. A tree only proposes rows:
    distances are measured again, the same for each pair whoever else asks, and it is asked for more until no row that
    it kept back could be as near.
    """

    def __init__(self, at: Floats, ended: Ints, available: Ints, code: Ints) -> None:
        """Keep m rows: (m, 3) on the unit sphere, moments in microseconds, and a code that names each.

        Raises DataError where there are more than 2**28.
        """
        if len(at) > _ROW:
            message = (
                f"{len(at):,} rows with coordinates; expected at most {_ROW:,}, among which the nearest can be looked "
                "for: make the source smaller, such as by since: or by fewer files"
            )
            raise DataError(message)
        self._at, self._ended, self._available, self._code = at, ended, available, code
        self._order = np.argsort(available, kind="stable")
        self._known = available[self._order]
        self._latest = np.maximum.accumulate(ended[self._order]) if len(ended) else ended
        self._trees: dict[tuple[int, int], Any] = {}

    def nearest(self, asked: Asked, count: int, radius: float = np.inf) -> Found:
        """Find for each question the ``count`` nearest rows that it may see, at most ``radius`` km away."""
        n = len(asked.as_of)
        found = np.full((n, count), _NOTHING)
        order = np.argsort(asked.as_of, kind="stable")  # neighbours in time read the same trees
        for first in range(0, n, _SLAB):
            rows = order[first : first + _SLAB]
            part, best = asked.take(rows), found[rows]
            for members, span in self._spans(part):
                self._search(part, best, members, span, radius)
            found[rows] = best
        return Found(np.where(found < _NOTHING, found & _ROW, 0), _kilometres(found))

    def _spans(self, asked: Asked) -> Iterator[tuple[Ints, tuple[int, int]]]:
        """Questions, and stretches in order of time that they have to search: all that was known, in few parts."""
        until = np.searchsorted(self._known, asked.as_of, side="right")
        since = np.minimum(np.searchsorted(self._latest, asked.low, side="right"), until)  # before: all too old
        low, high = -(-since // BLOCK), until // BLOCK
        yield from _each(np.flatnonzero(since < np.minimum(low * BLOCK, until)), since // BLOCK, BLOCK)
        yield from _each(np.flatnonzero((high >= low) & (until > high * BLOCK)), high, BLOCK)
        size = BLOCK
        while (low < high).any():
            odd = np.flatnonzero((low < high) & (low % 2 == 1))
            yield from _each(odd, low, size)
            low[odd] += 1
            odd = np.flatnonzero((low < high) & (high % 2 == 1))
            high[odd] -= 1
            yield from _each(odd, high, size)
            low, high, size = low // 2, high // 2, size * 2

    def _search(self, asked: Asked, best: Ints, members: Ints, span: tuple[int, int], radius: float) -> None:
        """Put what is nearer in a stretch into ``best``; ask for twice as many wherever that may not be all.

        ``best``: distance and row of the nearest so far in one number each, ascending.
        """
        stretch = self._order[span[0] : span[1]]
        count = best.shape[1]
        wanted = min(count + 8, len(stretch))
        while len(members):
            part = asked.take(members)
            rows, chord = self._proposed(part, span, wanted, _chord(radius))
            km = self._distances(part, rows, chord, radius)
            merged = np.hstack([best[members], _numbers(rows, km)])
            merged.sort(axis=1)
            merged = merged[:, :count]
            furthest = chord.max(axis=1)  # inf: there are no more to propose
            enough = furthest > _chord(np.minimum(_kilometres(merged[:, -1]), radius))
            done = enough | np.isinf(furthest) | (wanted == len(stretch))
            best[members[done]] = merged[done]
            members, wanted = members[~done], min(wanted * 2, len(stretch))

    def _proposed(self, asked: Asked, span: tuple[int, int], wanted: int, most: Any) -> tuple[Ints, Floats]:
        """(n, wanted) nearest rows of a stretch, perhaps some that may not be seen, and their chords; inf = none."""
        stretch = self._order[span[0] : span[1]]
        at = self._at[stretch]
        if len(asked.at) * len(stretch) > _FEW and wanted < len(stretch) // 4:
            from scipy.spatial import cKDTree

            if span not in self._trees:
                self._trees[span] = cKDTree(at)
            chord, place = self._trees[span].query(
                asked.at, k=np.arange(1, wanted + 1), distance_upper_bound=float(most)
            )
            return stretch[np.minimum(place, len(stretch) - 1)], chord
        parts = max(1, len(asked.at) * len(stretch) // 1_000_000)
        places, chords = [], []
        for members in np.array_split(np.arange(len(asked.at)), parts):
            some = asked.take(members)
            away = np.sqrt(_squares(some.at[:, None, :], at[None, :, :]))
            away[~self._seen(some, stretch[None, :])] = np.inf
            place = np.argpartition(away, wanted - 1, axis=1)[:, :wanted]
            places.append(place)
            chords.append(np.take_along_axis(away, place, axis=1))
        return stretch[np.concatenate(places)], np.concatenate(chords)

    def _distances(self, asked: Asked, rows: Ints, chord: Floats, radius: float) -> Floats:
        """Distances in km of (n, c) proposed rows; inf for those that a question may not see."""
        km = kilometres(_squares(asked.at[:, None, :], self._at[rows]))
        seen = np.isfinite(chord) & (km <= radius) & self._seen(asked, rows)
        return np.where(seen, km, np.inf)

    def _seen(self, asked: Asked, rows: Ints) -> Any:
        """Whether n questions may see rows, (n, c) or (1, c): known, not too old, and not the one asked about."""
        recent = (self._available[rows] <= asked.as_of[:, None]) & (self._ended[rows] > asked.low[:, None])
        return recent & (self._code[rows] != asked.itself[:, None])


def sphere(lat: pl.Series, lon: pl.Series) -> Floats:
    """Points on the unit sphere, (n, 3), of n latitudes and longitudes in degrees.

    Polars takes sines one by one, so that a point has the same bits alone and among many.
    """
    north, east = lat.cast(pl.Float64) * (pi / 180), lon.cast(pl.Float64) * (pi / 180)
    parts = (north.cos() * east.cos(), north.cos() * east.sin(), north.sin())
    return np.column_stack([part.to_numpy() for part in parts]).reshape(-1, 3)


def kilometres(squares: Floats) -> Floats:
    """Great-circle distances, to the millimetre, of squared chords on the unit sphere (as haversines: chord² / 4).

    Rounded, so that what is equally far on the map is equally far here.
    """
    half = pl.Series(np.minimum(np.sqrt(squares.ravel()) / 2, 1.0))
    return np.round(2 * EARTH_KM * half.arcsin().to_numpy(), 6).reshape(squares.shape)


def _squares(one: Floats, other: Floats) -> Floats:
    total: Floats = (one[..., 0] - other[..., 0]) ** 2
    total = total + (one[..., 1] - other[..., 1]) ** 2
    return total + (one[..., 2] - other[..., 2]) ** 2


def _chord(km: Any) -> Any:
    """Chords on the unit sphere beyond which a row is surely further away than ``km``; inf where nothing is."""
    angle = np.minimum((np.asarray(km) + 1e-6) / (2 * EARTH_KM), pi / 2)
    chord = 2 * np.sin(angle) + _SLACK
    return np.where(angle < pi / 2, chord, np.inf)


def _numbers(rows: Ints, km: Floats) -> Ints:
    """One number for each row and its distance, so that the nearer, and of equally near the earlier, is the smaller."""
    millimetres = np.rint(np.where(np.isfinite(km), km, 0.0) * 1e6).astype(np.int64)
    return np.where(np.isfinite(km), millimetres << _ROW_BITS | rows, _NOTHING)


def _kilometres(numbers: Ints) -> Floats:
    """Distances of such numbers; inf where there is none."""
    return np.where(numbers < _NOTHING, (numbers >> _ROW_BITS) / 1e6, np.inf)


def _each(members: Ints, number: Ints, size: int) -> Iterator[tuple[Ints, tuple[int, int]]]:
    """Members together that read the same stretch, and its ends."""
    of = number[members]
    order = np.argsort(of, kind="stable")
    for part in np.split(members[order], np.flatnonzero(np.diff(of[order])) + 1):
        if len(part):
            first = int(number[part[0]]) * size
            yield part, (first, first + size)
