"""Which places a row counts for: its own, the coarser one, those that touch it, or all."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl

from asof.data import Numbered
from asof.ledgers.moments import Ints
from asof.places import Places


@dataclass(frozen=True)
class Relations:
    """Places as numbers, and how they hang together.

    Known are the places of the panel, those of the rows, and for H3 the cells around them, so that
    a place that is asked for and not known here has no row in it or beside it.
    """

    names: pl.Series
    """n ids, String, ascending; the number of a place is its position."""
    coarser: pl.Series | None
    """Id of the coarser place of each, null = none; or none where places have no coarser ones."""
    coarser_names: pl.Series
    """Ids of the coarser places, ascending."""
    pairs: Ints
    """k x 2 numbers of places that touch, ascending, both ways."""
    resolution: int | None
    """H3 resolution of the coarser cells; none for other kinds of place."""

    @classmethod
    def of(cls, places: Places, seen: Sequence[pl.Series]) -> "Relations":
        """Make them from the places of a panel and the ``_place`` columns of its sources."""
        if places.kind == "h3":
            return cls._of_cells(places, seen)
        names = pl.concat([places.ids, *(series.unique() for series in seen)]).drop_nulls().unique().sort()
        coarser = None
        above = pl.Series([], dtype=pl.String)
        if places.coarser is not None:
            coarser = names.replace_strict(places.ids, places.coarser, default=None, return_dtype=pl.String)
            above = coarser.drop_nulls().unique().sort()
        number = {name: position for position, name in enumerate(names)}
        pairs = [
            (number[one], number[other]) for one, near in places.neighbours.items() for other in near if other in number
        ]
        return cls(names, coarser, above, np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2), None)

    @classmethod
    def _of_cells(cls, places: Places, seen: Sequence[pl.Series]) -> "Relations":
        import polars_h3 as h3

        cells = pl.concat([places.ids, *(series.unique() for series in seen)]).drop_nulls().unique().sort()
        rings = cells.to_frame("one").select("one", other=h3.grid_disk("one", 1)).explode("other").drop_nulls()
        names = rings["other"].cast(pl.String).unique().sort()
        resolution = None
        coarser = None
        above = pl.Series([], dtype=pl.String)
        if places.coarser is not None and len(places.coarser):
            frame = places.coarser.to_frame("cell")
            resolution = int(frame.select(h3.get_resolution("cell"))["cell"].drop_nulls()[0])
            coarser = _parents(names, resolution)
            above = coarser.unique().sort()
        number = pl.Series(range(len(names)), dtype=pl.Int64)
        pairs = rings.filter(pl.col("one") != pl.col("other")).select(
            pl.col("one", "other").cast(pl.String).replace_strict(names, number, return_dtype=pl.Int64)
        )
        return cls(names, coarser, above, pairs.sort("one", "other").to_numpy(), resolution)

    def codes(self, places: pl.Series, by: Literal["place", "coarser", "neighbours", "all"]) -> Ints:
        """Number that stands for each place (String) in ledgers by ``by``: n of int64, -1 where there is none."""
        if by == "all":
            return np.zeros(len(places), dtype=np.int64)
        place = self._numbered.of(places)
        if by != "coarser":
            return place
        if self.coarser is not None and (self.resolution is None or (place >= 0).all()):
            return np.where(place < 0, -1, self._upper[place]) if len(self._upper) else place
        return Numbered(self.coarser_names).of(self.above(places))

    def above(self, places: pl.Series) -> pl.Series:
        """Id of the coarser place of each place (String, null = none); an H3 cell need not be known for it."""
        if self.coarser is None:
            return pl.Series("coarser", [None], dtype=pl.String).new_from_index(0, len(places))
        place = self._numbered.of(places)
        if (place >= 0).all():
            return self.coarser.gather(place).alias("coarser")
        if self.resolution is None:
            return self.coarser.gather(pl.Series(place).set(pl.Series(place < 0), None)).alias("coarser")
        cells = places.unique().drop_nulls()
        above = _parents(cells, self.resolution)
        return places.replace_strict(cells, above, default=None, return_dtype=pl.String).alias("coarser")

    @functools.cached_property
    def _numbered(self) -> Numbered:
        """Number of each place."""
        return Numbered(self.names)

    @functools.cached_property
    def _upper(self) -> Ints:
        """Number of the coarser place of each, -1 where it has none."""
        assert self.coarser is not None  # noqa: S101 - as who asks has seen
        return Numbered(self.coarser_names).of(self.coarser)

    @functools.cached_property
    def beside(self) -> tuple[Ints, Ints]:
        """Where the places that touch each of the n begin (n + 1 positions), and all their numbers."""
        order = np.argsort(self.pairs[:, 1], kind="stable")
        return np.searchsorted(self.pairs[order, 1], np.arange(len(self.names) + 1)), self.pairs[order, 0]

    def spread(
        self, place: Ints, rows: Ints, by: Literal["place", "coarser", "neighbours", "all"]
    ) -> tuple[Ints, Ints]:
        """Keys under which rows stand, and the rows, in the same order: several times each for neighbours."""
        if by == "all":
            return np.zeros(len(rows), dtype=np.int64), rows
        if by == "place":
            return place, rows
        if by == "coarser":
            key = self.codes(self.names, "coarser")[place]
            return key[key >= 0], rows[key >= 0]
        begun = np.searchsorted(self.pairs[:, 0], place, side="left")
        often = np.searchsorted(self.pairs[:, 0], place, side="right") - begun
        position = np.arange(int(often.sum())) - np.repeat(np.cumsum(often) - often, often)
        return self.pairs[:, 1][np.repeat(begun, often) + position], np.repeat(rows, often)


def _parents(cells: pl.Series, resolution: int) -> pl.Series:
    import polars_h3 as h3

    frame = cells.cast(pl.String).to_frame("cell")
    return frame.select(h3.cell_to_parent("cell", resolution).cast(pl.String).alias("cell"))["cell"]
