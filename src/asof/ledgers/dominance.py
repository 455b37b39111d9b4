"""Late rows: how many of a key ended by one moment and were known by another.

A wavelet tree for each key, all keys in the same arrays: rows lie in the order of their end; each
level splits a node into those available earlier and later, and keeps how many (and what total) of
the earlier ones stand before each position. Because ranks within a key are 0..m-1 without gaps,
the start of a node follows from its ranks, so a read is one look-up a level. A read of what was
known at a moment touches only nodes filled with rows known by then: rows that become known
later cannot move a sum by one bit. (Grossi, Gupta, Vitter: High-order entropy-compressed text
indexes, SODA 2003; here without the compression.)
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from asof.ledgers.moments import Floats, Ints

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True)
class Dominance:
    """n rows in order of (key, end), each with the rank of its availability within its key."""

    earlier: tuple[npt.NDArray[np.int32], ...]
    """For each level, topmost first: rows of the earlier half among those of the node up to each position."""
    totals: tuple[tuple[Floats, ...], ...]
    """For each column of values, for each level: their sum over the same rows."""

    @classmethod
    def build(cls, first: Ints, rank: Ints, values: tuple[Floats, ...] = ()) -> "Dominance":
        """Make it.

        Args:
            first: position of the first row of each row's key.
            rank: rank of the availability within the key: 0..m-1, a permutation for each key.
            values: columns of n numbers to be summed.
        """
        levels = int(rank.max(initial=0) + 1).bit_length()
        rank, place, columns = rank.copy(), np.arange(len(rank)), [column.astype(np.float64) for column in values]
        earlier: list[npt.NDArray[np.int32]] = []
        totals: list[list[Floats]] = [[] for _ in values]
        for bit in range(levels - 1, -1, -1):
            left = (rank >> bit) & 1 == 0
            node = first + (rank >> (bit + 1) << (bit + 1))
            running = np.cumsum(left)
            count = running - (running - left)[node]
            earlier.append(count.astype(np.int32))
            for column, kept in zip(columns, totals, strict=True):
                kept.append(_restarted(node, np.where(left, column, 0.0)))
            moved = node + np.where(left, count - 1, (1 << bit) + (place - node) - count)
            rank, first = _placed(rank, moved), _placed(first, moved)
            columns = [_placed(column, moved) for column in columns]
        return cls(tuple(earlier), tuple(tuple(kept) for kept in totals))

    def count(self, first: Ints, before: Ints, known: Ints) -> Ints:
        """Count, for each question, the rows of its key among the first ``before`` with a rank below ``known``."""
        return self._descend(first, before, known, None).astype(np.int64)

    def total(self, first: Ints, before: Ints, known: Ints, column: int = 0) -> Floats:
        """Sum the values of the same rows."""
        return self._descend(first, before, known, column)

    def _descend(self, first: Ints, before: Ints, known: Ints, column: int | None) -> Floats:
        answer = np.zeros(len(first))
        rows = np.flatnonzero((before > 0) & (known > 0))
        node, place, rank = first[rows], before[rows], known[rows]
        found = np.zeros(len(rows))
        levels = len(self.earlier)
        for level, earlier in enumerate(self.earlier):
            bit = levels - 1 - level
            inside = place > 0
            last = np.where(inside, node + place - 1, 0)
            count = np.where(inside, earlier[last], 0)
            right = (rank >> bit) & 1 == 1
            gain = count if column is None else np.where(inside, self.totals[column][level][last], 0.0)
            found += np.where(right, gain, 0)
            place = np.where(right, place - count, count)
            node = node + np.where(right, 1 << bit, 0)
        answer[rows] = found
        return answer


def _restarted(groups: Ints, values: Floats) -> Floats:
    """Running totals that begin anew with each group, so that no other group's rounding enters."""
    frame = pl.DataFrame({"group": groups, "value": values})
    return frame.select(pl.col("value").cum_sum().over("group")).to_series().to_numpy()


def _placed(values: npt.NDArray[Number], positions: Ints) -> npt.NDArray[Number]:
    moved = np.empty_like(values)
    moved[positions] = values
    return moved
