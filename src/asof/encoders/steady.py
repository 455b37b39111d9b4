"""Columns that tell when, rather than what, are left out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen

LEAST_ROWS = 50
"""Of fewer rows the halves differ by chance."""


@dataclass(frozen=True)
class Steady:
    """Leave out numbers whose earlier and later training rows hardly overlap; rows come in the order of time.

    With less than a year known the month, a window that still fills, or the covered share of one rise with time alone:
    nothing tells what they mean from what has changed meanwhile, and what follows lies outside of what was seen. The
    two halves overlap by 1 - D, D the greatest distance of their distribution functions (Kolmogorov and Smirnov);
    unknown counts as a value below all. Columns with less than ``overlap`` are dropped.
    """

    columns: Sequence[str] = ()
    overlap: float = 0.5

    def fit(self, table: Table) -> State:
        """Learn ``left_out``: names of the columns to drop."""
        names = chosen(table.features, self.columns, pl.Float64)
        if len(table) < LEAST_ROWS:
            return {"left_out": []}
        return {"left_out": [name for name in names if overlapping(table.features[name]) < self.overlap]}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features without the columns learnt."""
        return features.drop(state["left_out"])


@dataclass(frozen=True)
class Without:
    """Leave out the columns, of any kind, that match one of the patterns ``columns`` (``*`` and ``?``)."""

    columns: Sequence[str] = ()

    def fit(self, table: Table) -> State:
        """Learn ``left_out``: names of the columns to drop."""
        names = [chosen(table.features, self.columns, dtype) for dtype in dict.fromkeys(table.features.dtypes)]
        return {"left_out": [name for each in names for name in each]} if self.columns else {"left_out": []}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features without the columns learnt."""
        return features.drop(state["left_out"])


def overlapping(column: pl.Series) -> float:
    """By how much the earlier and the later half of n values overlap, 0 to 1."""
    rank = column.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    half, levels = len(rank) // 2, int(rank.max()) + 1
    early, late = (np.bincount(part, minlength=levels).cumsum() / len(part) for part in (rank[:half], rank[half:]))
    return 1 - float(np.abs(early - late).max())
