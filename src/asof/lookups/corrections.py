"""How far off what was expected has been of late: errors of answers whose truth is known, summed exactly."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from asof.ledgers.moments import Floats, Ints

PRIOR = 20
"""A mean is shrunk as if so many rows more had been told without error."""
UNIT = 2.0**32
"""Errors are kept as whole numbers of 1 / UNIT, so that their sums are exact in any order; of 16 million rows, too."""
WORST = 100.0
"""An error on the log scale is held within this."""


@dataclass(frozen=True)
class Recent:
    """What n questions look back at."""

    as_of: Ints
    """Only rows available by then, in microseconds."""
    low: Ints
    """Only rows that ended later than this,"""
    high: Ints
    """and not after this."""
    itself: Ints
    """Position of the row that each is about, which it never looks at; -1 = none."""


@dataclass
class Errors:
    """Errors of m rows, each as of its own question, worked out when first looked at."""

    ended: Ints
    """Rising."""
    available: Ints
    _done: NDArray[np.bool_] = field(init=False)
    _there: Ints = field(init=False)
    _parts: Ints = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._done = np.zeros(len(self.ended), dtype=bool)
        self._there, self._parts = np.zeros((2, len(self.ended)), dtype=np.int64)

    def mean(self, recent: Recent, found: Callable[[Ints], Floats]) -> Floats:
        """Mean error of the rows that each of n questions looks back at, shrunk towards 0.

        ``found`` gives the errors of the rows at some positions, NaN where there is none: always the same ones.
        """
        looks = np.column_stack([recent.as_of, recent.low, recent.high])
        different, of = np.unique(looks, axis=0, return_inverse=True)
        firsts, lasts = (np.searchsorted(self.ended, different[:, at], side="right") for at in (1, 2))
        seen = [
            first + np.flatnonzero(self.available[first:last] <= as_of)
            for first, last, as_of in zip(firsts, lasts, different[:, 0], strict=True)
        ]
        self._work_out(np.concatenate([*seen, np.zeros(0, dtype=np.int64)]), found)
        sums = np.array([self._parts[rows].sum() for rows in seen], dtype=np.int64)[of.ravel()]
        counts = np.array([self._there[rows].sum() for rows in seen], dtype=np.int64)[of.ravel()]
        own = np.flatnonzero(recent.itself >= 0)
        own = own[self._inside(recent, own)]
        sums[own] -= self._parts[recent.itself[own]]
        counts[own] -= self._there[recent.itself[own]]
        return sums / UNIT / (counts + PRIOR)

    def _inside(self, recent: Recent, own: Ints) -> NDArray[np.bool_]:
        """Which of some questions would look at the row that they are about."""
        ended, available = self.ended[recent.itself[own]], self.available[recent.itself[own]]
        late = (ended > recent.low[own]) & (ended <= recent.high[own])
        return np.asarray(late & (available <= recent.as_of[own]))

    def _work_out(self, rows: Ints, found: Callable[[Ints], Floats]) -> None:
        wanted = np.zeros(len(self.ended), dtype=bool)
        wanted[rows] = True
        missing = np.flatnonzero(wanted & ~self._done)
        if missing.size:
            error = found(missing)
            self._there[missing] = np.isfinite(error)
            self._parts[missing] = np.round(np.clip(np.nan_to_num(error, posinf=0, neginf=0), -WORST, WORST) * UNIT)
            self._done[missing] = True
