"""Counts of the places that touch one, added up from the ledger by place: no row has to stand under each of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from asof.ledgers.ledger import Ledger
from asof.ledgers.moments import Floats, Ints, Moments, Pairs

_AT_ONCE: Final = 1_000_000
"""So many pairs of a question and a neighbour are read at once, so that memory does not grow with the questions."""


@dataclass(frozen=True)
class Beside:
    """What a ledger that counts rows would tell, had each row stood under every neighbour of its place."""

    ledger: Ledger
    """Rows by place, without values."""
    begun: Ints
    """Of each place p, where its neighbours begin in ``others``; p + 1 is where they end."""
    others: Ints
    """Numbers of the neighbours."""
    slots: int
    """Keys of the ledger are place * slots + slot."""

    def read(self, keys: Ints, high: Moments, as_of: Moments, lows: Sequence[Moments]) -> "Counts":
        """Count, for each question and each of ``lows``; see ``Ledger.read``."""
        counts = np.zeros((len(lows), len(keys)), dtype=np.int64)
        alike = all(edge.index is as_of.index for edge in (high, *lows))
        for asked, near, begun in self._pairs(keys):
            # Places that touch have neighbours in common: each is read once, where all asks at one as_of is alike.
            pairs = Pairs.of(near, as_of.take(asked)) if alike else None
            rows, some = (asked, near) if pairs is None else (asked[pairs.first], near[pairs.first])
            until, known, *mine = Moments.take_all([high, as_of, *lows], rows)
            reading = self.ledger.read(some, until, known, mine)
            for which, low in enumerate(mine):
                count = reading.count(low)
                counts[which, asked[begun]] = np.add.reduceat(count if pairs is None else count[pairs.inverse], begun)
        return Counts(tuple(lows), counts)

    def count(self, keys: Ints, low: Moments, high: Moments, as_of: Moments) -> Ints:
        """Count rows with ``low < _ended <= high`` and ``_available <= as_of``: n of int64."""
        return self.read(keys, high, as_of, [low]).count(low)

    def last(self, keys: Ints, as_of: Moments) -> Ints:
        """Return the row of the source that ended last among those known, -1 where there is none."""
        found = np.full(len(keys), -1, dtype=np.int64)
        for asked, near, begun in self._pairs(keys):
            # Rows of a source stand in the order of their ends.
            found[asked[begun]] = np.maximum.reduceat(self.ledger.last(near, as_of.take(asked)), begun)
        return found

    def _pairs(self, keys: Ints) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Questions, each as often as it has neighbours, keys of these, and where each question begins; a few each."""
        place = np.where(keys < 0, -1, keys // self.slots)
        begun = np.where(place < 0, 0, self.begun[place])
        often = np.where(place < 0, 0, self.begun[place + 1] - begun)
        asked = np.flatnonzero(often)
        until = np.cumsum(often[asked])
        low = 0
        while low < len(asked):
            done = until[low - 1] if low else 0
            high = max(int(np.searchsorted(until, done + _AT_ONCE, side="right")), low + 1)
            some, times = asked[low:high], often[asked[low:high]]
            first = np.cumsum(times) - times
            position = np.arange(int(times.sum())) - np.repeat(first - begun[some], times)
            slot = np.repeat(keys[some] % self.slots, times)
            yield np.repeat(some, times), self.others[position] * self.slots + slot, first
            low = high


@dataclass(frozen=True)
class Counts:
    """Counts of n questions over windows that differ in their beginnings."""

    lows: tuple[Moments, ...]
    counts: Ints
    """One row of n for each of ``lows``."""

    def count(self, low: Moments, high: Moments | None = None) -> Ints:
        """Count the rows that ended after ``low``, one of those asked for, up to the end of all: n of int64."""
        if high is not None:
            message = "windows over the places that touch end alike"
            raise ValueError(message)
        return np.asarray(self.counts[next(which for which, one in enumerate(self.lows) if one is low)])

    def total(self, _low: Moments, _high: Moments | None = None) -> Floats:
        """Raise ValueError: these rows are counted."""
        message = "this ledger counts rows; build it with a value to have totals"
        raise ValueError(message)
