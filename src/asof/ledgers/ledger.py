"""One ledger: a source sorted by (key, end), with running totals for each key."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from asof.ledgers.dominance import Dominance
from asof.ledgers.moments import Floats, Ints, Moments, Pairs

Number = TypeVar("Number", bound=np.generic)
Positions = npt.NDArray[np.int32] | Ints
"""Positions of rows, in four bytes each where they fit: a server holds many ledgers."""
_SHARED = 4
"""A table of keys and moments is made where it has at most so many cells a question."""
_TOGETHER = 65_536
"""So many positions are looked up at once: each call takes its time, however little there is to do."""


@dataclass(frozen=True)
class Clock:
    """The two times of n rows, each as its rank among the different ones: all ledgers of a source share it."""

    ended: Ints
    """Different ends, ascending, int64 microseconds."""
    ended_rank: Ints
    """n positions in ``ended``; never decreasing, because rows are sorted."""
    available: Ints
    """Different available times, ascending; where what ended later was never known earlier, that of each end."""
    available_rank: Ints
    """n positions in ``available``; then the same array as ``ended_rank``."""

    @classmethod
    def of(cls, rows: pl.DataFrame) -> "Clock":
        """Read ``_ended`` and ``_available`` of rows in the order of a SourceTable."""
        ends, known = (rows[name].to_physical().to_numpy() for name in ("_ended", "_available"))
        new = np.ones(len(ends), dtype=bool)
        new[1:] = ends[1:] != ends[:-1]
        ended, ended_rank = ends[new], np.cumsum(new) - 1
        told = known[new]
        if (told[1:] >= told[:-1]).all() and np.array_equal(told[ended_rank], known):
            return cls(ended, ended_rank, told, ended_rank)
        available, available_rank = np.unique(known, return_inverse=True)
        return cls(ended, ended_rank, available, available_rank.astype(np.int64))

    @property
    def steady(self) -> bool:
        """Whether rows of one end were known at one moment, and none that ended later was known earlier."""
        return self.available_rank is self.ended_rank


@dataclass(frozen=True)
class _Part:
    """Rows in order of (key, end): the two times as one ascending number each, and running totals."""

    rows: Positions | None
    """Position of each row in the whole ledger; none where it is all of it."""
    by_end: Ints
    """key * span + rank of the end, ascending."""
    by_known: Ints
    """key * span + rank of the available time, ascending."""


@dataclass(frozen=True)
class Ledger:
    """Counts, totals and last rows by key; rows known in the order of their ends apart from those that came late.

    Within a key, a row is *in order* when no row that ended later was known earlier. Of these, the
    rows over by one moment and the rows known at another are both a first stretch, so that the
    shorter of the two answers. The rest, the late ones, are read by end and availability at once.
    """

    clock: Clock
    source: Positions
    """Row of the source at each position of the ledger, in order of (key, end, available, key of the row)."""
    prompt: _Part
    late: _Part
    late_tree: Dominance | None
    late_last: Ints
    """Highest position among the late rows of the key known so far, in order of availability."""
    late_latest: Ints
    """Latest availability among the late rows of the key so far, in order of their ends."""
    centre: Floats | None = None
    """Fixed centre of each key: the value that was known first."""
    values: Floats | None = field(default=None, repr=False)
    """Value at each position, or none where rows are only counted."""
    running: tuple[Floats, ...] = field(default=(), repr=False)
    """Totals of (value - centre) and of its square over the rows in order, from the start of each key."""

    @classmethod
    def build(cls, clock: Clock, key: Ints, *, rows: Ints | None = None, value: Floats | None = None) -> "Ledger":
        """Make a ledger.

        Args:
            clock: times of the source's N rows.
            key: n keys, int64 from 0 on.
            rows: row of the source of each key, ascending where keys are equal; default: all, in order. A row may
                stand under several keys.
            value: number of each of the N rows of the source, none missing among ``rows``.
        """
        chosen = np.arange(len(key)) if rows is None else rows
        order = _stable_order(key)
        key, chosen = key[order].astype(np.int64, copy=False), chosen[order]
        by_end = key * (len(clock.ended) + 1) + clock.ended_rank[chosen]
        if clock.steady:
            by_known, in_order, out = by_end, None, np.arange(0)
            main = _Part(None, by_end, by_end)
        else:
            by_known = key * (len(clock.available) + 1) + clock.available_rank[chosen]
            prompt = by_known == np.minimum.accumulate(by_known[::-1])[::-1]
            in_order, out = np.flatnonzero(prompt), np.flatnonzero(~prompt)
            main = _Part(_packed(in_order), by_end[in_order], by_known[in_order])
        centre: Floats | None = None
        deviation: tuple[Floats, ...] = ()
        running: tuple[Floats, ...] = ()
        if value is not None:
            value = value[chosen].astype(np.float64)
            kept = slice(None) if in_order is None else in_order
            centre = _centres(key[kept], value[kept])
            apart = value - centre[key]
            deviation = (apart[out], apart[out] ** 2)
            running = tuple(_running(key[kept], part) for part in (apart[kept], apart[kept] ** 2))
        late, tree, last, latest = _late(out, key, by_end, by_known, deviation)
        return cls(clock, _packed(chosen), main, late, tree, last, latest, centre, value, running)

    def __len__(self) -> int:
        """Return the number of rows, each as often as it stands under a key."""
        return len(self.source)

    def read(self, keys: Ints, high: Moments, as_of: Moments, lows: Sequence[Moments]) -> "Reading":
        """Prepare to read, for each question, the rows of its key with ``_ended <= high`` and ``_available <= as_of``.

        Args:
            keys: n keys; one that is not in the ledger (such as -1) has no rows.
            high: n moments.
            as_of: n moments.
            lows: the beginnings of all windows that will be asked for, n moments each.
        """
        return Reading(self, keys.astype(np.int64, copy=False), high, as_of, lows)

    def count(self, keys: Ints, low: Moments, high: Moments, as_of: Moments) -> Ints:
        """Count rows with ``low < _ended <= high`` and ``_available <= as_of``: n of int64."""
        return self.read(keys, high, as_of, [low]).count(low)

    def total(self, keys: Ints, low: Moments, high: Moments, as_of: Moments) -> Floats:
        """Sum the values of the same rows: n of float64, 0 where there are none."""
        return self.read(keys, high, as_of, [low]).total(low)

    def last(self, keys: Ints, as_of: Moments) -> Ints:
        """Return the row of the source that ended last among those known, -1 where there is none."""
        known = _search(self.prompt.by_known, keys, self.clock.available, as_of)
        begun = _begin(self.prompt.by_known, keys, self.clock.available)
        last = known - 1 if self.prompt.rows is None else _taken(self.prompt.rows, known - 1)
        found = np.where(known > begun, last, -1)
        if self.late_tree is not None:
            known = _search(self.late.by_known, keys, self.clock.available, as_of)
            begun = _begin(self.late.by_known, keys, self.clock.available)
            found = np.maximum(found, np.where(known > begun, _taken(self.late_last, known - 1), -1))
        return np.where(found >= 0, _taken(self.source, found).astype(np.int64), -1)


class Reading:
    """What a ledger knows for n questions as of their moments; windows differ in where they begin, and may in ends."""

    def __init__(self, ledger: Ledger, keys: Ints, high: Moments, as_of: Moments, lows: Sequence[Moments]) -> None:
        """Look up where each question's rows end."""
        self._ledger, clock = ledger, ledger.clock
        self._keys, self._high, edges = keys, high, (high, *lows)
        self._ends = Grid(ledger.prompt.by_end, keys, clock.ended, edges)
        self._known = _search(ledger.prompt.by_known, keys, clock.available, as_of)
        self._upper = np.minimum(self._ends(high), self._known)
        tree = ledger.late_tree
        self._late = None if tree is None else _Late(ledger, tree, keys, as_of, edges)

    def count(self, low: Moments, high: Moments | None = None) -> Ints:
        """Count the rows that ended after ``low``, up to ``high`` where it is another than that of all: n of int64.

        Both are among those that were given.
        """
        found: Ints = np.maximum(self._upto(high) - self._ends(low), 0)
        return found if self._late is None else found + self._late.count(low, self._high if high is None else high)

    def total(self, low: Moments, high: Moments | None = None) -> Floats:
        """Sum the values of the same rows: n of float64, 0 where there are none."""
        centre = self._ledger.centre
        if centre is None:
            message = "this ledger counts rows; build it with a value to have totals"
            raise ValueError(message)
        return self.count(low, high) * _taken(centre, self._keys, 0.0) + self._sum(low, high, 0)

    def squares(self, low: Moments, high: Moments | None = None) -> Floats:
        """Sum the squared distances of the same values from their mean: n of float64."""
        count, apart = self.count(low, high), self._sum(low, high, 0)
        return np.maximum(self._sum(low, high, 1) - apart * apart / np.maximum(count, 1), 0.0)

    def _upto(self, high: Moments | None) -> Ints:
        found: Ints = self._upper if high is None else np.minimum(self._ends(high), self._known)
        return found

    @functools.cached_property
    def _begun(self) -> Ints:
        return _begin(self._ledger.prompt.by_end, self._keys, self._ledger.clock.ended)

    def _sum(self, low: Moments, high: Moments | None, power: int) -> Floats:
        upper, begun = self._upto(high), self._begun
        lower = np.minimum(self._ends(low), upper)
        running = self._ledger.running[power]
        upto = np.where(upper > begun, _taken(running, upper - 1, 0.0), 0.0)
        found = upto - np.where(lower > begun, _taken(running, lower - 1, 0.0), 0.0)
        if self._late is None:
            return np.asarray(found)
        return np.asarray(found + self._late.total(low, self._high if high is None else high, power))


class _Late:
    """The late rows of n questions: by end and availability at once."""

    def __init__(self, ledger: Ledger, tree: Dominance, keys: Ints, as_of: Moments, edges: Sequence[Moments]) -> None:
        self._tree, part, clock = tree, ledger.late, ledger.clock
        self._first = _begin(part.by_end, keys, clock.ended)
        self._ends = Grid(part.by_end, keys, clock.ended, edges)
        self._limit = _query(keys, clock.available, as_of)
        self._known = np.searchsorted(part.by_known, self._limit, side="left") - self._first
        self._latest = ledger.late_latest
        self._counts: dict[int, Ints] = {}
        self._totals: dict[tuple[int, int], Floats] = {}

    def count(self, low: Moments, high: Moments) -> Ints:
        if id(high) not in self._counts:
            self._counts[id(high)] = self._known_of(self._ends(high) - self._first)
        return self._counts[id(high)] - self._known_of(self._before(low, high))

    def total(self, low: Moments, high: Moments, power: int) -> Floats:
        # By the tree alone: whether all rows so far are known may change with rows of later, a count does not.
        name = (id(high), power)
        if name not in self._totals:
            self._totals[name] = self._tree.total(self._first, self._ends(high) - self._first, self._known, power)
        return self._totals[name] - self._tree.total(self._first, self._before(low, high), self._known, power)

    def _before(self, low: Moments, high: Moments) -> Ints:
        before: Ints = np.minimum(self._ends(low), self._ends(high)) - self._first
        return before

    def _known_of(self, before: Ints) -> Ints:
        """How many of the first ``before`` rows of the key are known: all of them, or as the tree says."""
        found = before.copy()
        rows = np.flatnonzero((before > 0) & (_taken(self._latest, self._first + before - 1) >= self._limit))
        found[rows] = self._tree.count(self._first[rows], before[rows], self._known[rows])
        return found


class Grid:
    """Positions in a sorted array for every key and edge of n questions, each looked up once.

    A panel asks many places at the same moments, and the windows of one day end where those of
    another began: then a table of keys x moments is smaller than the questions. Otherwise each is looked up alone, all
    edges together where that is little.
    """

    def __init__(self, sorted_by: Ints, keys: Ints, times: Ints, edges: Sequence[Moments]) -> None:
        """Look up what several edges share; they are known by what they are, so the same have to be asked for."""
        self._sorted_by, self._keys, self._times, self._edges = sorted_by, keys, times, edges
        self._moments = np.unique(np.concatenate([edge.values for edge in edges]))
        self._found: dict[int, Ints] = {}
        self._rows: Ints | None = None
        pairs = Pairs.of(keys)
        mine, alone = keys[pairs.first], len(keys) * len(edges)
        cells = len(mine) * len(self._moments)
        if cells <= _SHARED * len(keys) or 2 * cells <= alone <= _TOGETHER:
            rank = np.searchsorted(times, self._moments, side="right")
            asked = mine[:, None] * (len(times) + 1) + rank[None, :]
            self._table = np.searchsorted(sorted_by, asked.reshape(-1), side="left")
            self._rows = pairs.inverse * len(self._moments)
        elif alone <= _TOGETHER:
            # Each key with all its edges: what lies near each other is looked for one after the other.
            asked = np.stack([_query(keys, times, edge) for edge in edges], axis=1)
            found = np.searchsorted(sorted_by, asked.reshape(-1), side="left").reshape(asked.shape)
            self._found = {id(edge): found[:, which] for which, edge in enumerate(edges)}

    def __call__(self, edge: Moments) -> Ints:
        """Position after the last row of each question's key at or before its edge, one of those given."""
        told = self._found.get(id(edge))
        if told is not None:
            return told
        if self._rows is None:
            return _search(self._sorted_by, self._keys, self._times, edge)
        column = np.searchsorted(self._moments, edge.values)
        found: Ints = self._table[self._rows + column[edge.index]]
        return found


def _query(keys: Ints, times: Ints, moments: Moments) -> Ints:
    """Number that is above those of all rows of each question's key at or before its moment, and of no others."""
    return keys * (len(times) + 1) + np.searchsorted(times, moments.values, side="right")[moments.index]


def _search(sorted_by: Ints, keys: Ints, times: Ints, moments: Moments) -> Ints:
    """Position after the last row of each question's key with a time at or before its moment."""
    return np.searchsorted(sorted_by, _query(keys, times, moments), side="left")


def _begin(sorted_by: Ints, keys: Ints, times: Ints) -> Ints:
    """Position of the first row of each question's key."""
    return np.searchsorted(sorted_by, keys * (len(times) + 1), side="left")


def _packed(positions: Ints) -> Positions:
    return positions.astype(np.int32) if int(positions.max(initial=0)) <= np.iinfo(np.int32).max else positions


def _taken(values: npt.NDArray[Number], index: Ints, missing: float = -1) -> npt.NDArray[Number]:
    """Values at positions, ``missing`` where the position is outside."""
    if not len(values):
        return np.full(len(index), missing, dtype=values.dtype)
    inside = (index >= 0) & (index < len(values))
    return np.where(inside, values[np.where(inside, index, 0)], values.dtype.type(missing))


def _stable_order(key: Ints) -> Ints:
    """Order that sorts by key and leaves equal keys as they stand; 16 bits at a time, which NumPy sorts by radix."""
    order = np.argsort((key & 0xFFFF).astype(np.uint16), kind="stable")
    shift, highest = 16, int(key.max(initial=0))
    while highest >> shift:
        digit = ((key >> shift) & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digit[order], kind="stable")]
        shift += 16
    return order


def _centres(key: Ints, value: Floats) -> Floats:
    """Value of the first row in order of each key: no other row of the key was known before it."""
    centre = np.zeros(int(key.max(initial=-1)) + 1)
    first = np.flatnonzero(np.diff(key, prepend=-1))
    centre[key[first]] = value[first]
    return centre


def _running(key: Ints, value: Floats) -> Floats:
    """Running totals that begin anew with each key, so that no other key's rounding enters."""
    frame = pl.DataFrame({"key": key, "value": value})
    return frame.select(pl.col("value").cum_sum().over("key")).to_series().to_numpy()


def _late(
    out: Ints, key: Ints, by_end: Ints, by_known: Ints, values: tuple[Floats, ...]
) -> tuple[_Part, Dominance | None, Ints, Ints]:
    known_order = np.argsort(by_known[out], kind="stable")
    part = _Part(out, by_end[out], by_known[out][known_order])
    if not len(out):
        return part, None, out, out
    first = np.searchsorted(key[out], key[out], side="left")
    place = np.empty(len(out), dtype=np.int64)
    place[known_order] = np.arange(len(out))
    tree = Dominance.build(first, place - first, values)
    return part, tree, np.maximum.accumulate(out[known_order]), np.maximum.accumulate(by_known[out])
