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
Halves = npt.NDArray[np.int32]
_PART = 1 << 15


@dataclass(frozen=True)
class Dominance:
    """n rows in order of (key, end), each with the rank of its availability within its key."""

    earlier: tuple[Halves, ...]
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
        earlier: list[Halves] = []
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
        # In parts that stay in the cache of a core, and in halves of a word: a question reads each level once.
        for begun in range(0, len(rows), _PART):
            part = rows[begun : begun + _PART]
            node, place, rank = (values[part].astype(np.int32) for values in (first, before, known))
            answer[part] = self._descend_part(node, place, rank, column)
        return answer

    def _descend_part(self, node: Halves, place: Halves, rank: Halves, column: int | None) -> Floats:
        found = np.zeros(len(node))
        levels = len(self.earlier)
        for level, earlier in enumerate(self.earlier):
            bit = levels - 1 - level
            right = (rank >> bit) & 1
            last, inside = node + place - 1, place > 0
            count = earlier[last] * inside
            found += (count if column is None else self.totals[column][level][last] * inside) * right
            place = count + right * (place - 2 * count)
            node = node + (right << bit)
        return found


def _restarted(groups: Ints, values: Floats) -> Floats:
    """Running totals that begin anew with each group, so that no other group's rounding enters."""
    frame = pl.DataFrame({"group": groups, "value": values})
    return frame.select(pl.col("value").cum_sum().over("group")).to_series().to_numpy()


def _placed(values: npt.NDArray[Number], positions: Ints) -> npt.NDArray[Number]:
    moved = np.empty_like(values)
    moved[positions] = values
    return moved
