"""Moments of many questions, kept as the few different ones: a panel asks a million times at a thousand moments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from asof.data import UTC_TIME
from asof.times import Step, period_micros, shift_micros, shifts_micros

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

EVER: Final = np.iinfo(np.int64).max // 4
"""A moment after everything, in microseconds: with it as ``as_of``, all rows are known."""
_DENSE: Final = 8
"""A table of this many cells a question is cheaper than sorting the questions."""


@dataclass(frozen=True)
class Moments:
    """n moments, as u different ones and n numbers that say which."""

    values: Ints
    """u moments, int64 microseconds since 1970, UTC."""
    index: Ints
    """n positions in ``values``."""

    @classmethod
    def of(cls, times: "pl.Series | Ints") -> "Moments":
        """Make them from n times: a Series of Datetime, or int64 microseconds."""
        told = times.cast(UTC_TIME).cast(pl.Int64).to_numpy() if isinstance(times, pl.Series) else np.asarray(times)
        micros = told.astype(np.int64, copy=False)
        if len(micros) and (micros == micros[0]).all():
            return cls(micros[:1].copy(), np.zeros(len(micros), dtype=np.int64))
        values, index = np.unique(micros, return_inverse=True)
        return cls(values, index)

    @classmethod
    def ever(cls, count: int) -> "Moments":
        """Make ``count`` moments after everything."""
        return cls(np.array([EVER]), np.zeros(count, dtype=np.int64))

    def __len__(self) -> int:
        """Return n."""
        return len(self.index)

    def shift(self, step: Step, zone: str, count: int = 1) -> "Moments":
        """Move all by ``count`` steps of the calendar of ``zone`` (see ``times.shift``)."""
        return Moments(shift_micros(self.values, step, zone, count), self.index)

    def shifts(self, steps: Sequence[Step], zone: str, count: int = 1) -> "list[Moments]":
        """Move all by ``count`` of each of several steps: what ``shift`` gives for each."""
        return [Moments(values, self.index) for values in shifts_micros(self.values, steps, zone, count)]

    def floor(self, step: Step, zone: str) -> "Moments":
        """Start of the period that contains each (see ``times.floor``)."""
        return Moments(period_micros(self.values, step, zone)[0], self.index)

    def end(self, step: Step, zone: str) -> "Moments":
        """End of the period that contains each (see ``times.end``)."""
        return Moments(period_micros(self.values, step, zone)[1], self.index)

    def take(self, rows: Ints) -> "Moments":
        """Return those of the given rows."""
        return Moments(self.values, self.index[rows])

    @staticmethod
    def take_all(edges: "Sequence[Moments]", rows: Ints) -> "list[Moments]":
        """Return those of the given rows, of several; those that shared their positions do so again."""
        taken = {id(edge.index): edge.index for edge in edges}
        taken = {name: index[rows] for name, index in taken.items()}
        return [Moments(edge.values, taken[id(edge.index)]) for edge in edges]

    def micros(self) -> Ints:
        """Return n moments in microseconds."""
        return self.values[self.index]


@dataclass(frozen=True)
class Pairs:
    """The m different pairs (key, moment, ...) among n questions, in ascending order: each is read once."""

    first: Ints
    """m rows: one question of each pair."""
    inverse: Ints
    """n positions: the pair of each question."""

    @classmethod
    def of(cls, keys: Ints, *moments: Moments) -> "Pairs":
        """Find the different combinations of a key (int64, at least -1) and moments."""
        cells = keys.astype(np.int64) + 1
        size = int(cells.max(initial=0)) + 1
        for moment in moments:
            cells = cells * len(moment.values) + moment.index
            size *= len(moment.values)
        if size <= _DENSE * len(cells) + 1024:
            first = np.full(size, -1, dtype=np.int64)
            first[cells] = np.arange(len(cells))
            present = np.flatnonzero(first >= 0)
            number = np.zeros(size, dtype=np.int64)
            number[present] = np.arange(len(present))
            return cls(first[present], number[cells])
        _, found, inverse = np.unique(cells, return_index=True, return_inverse=True)
        return cls(found, inverse)
