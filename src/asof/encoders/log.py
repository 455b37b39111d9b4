"""Skewed counts and rates become logarithms."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen


@dataclass(frozen=True)
class Log:
    """``log(x + c)`` of columns that are never negative and skewed to the right; c is ``share`` of the column's mean.

    A rate that a log-link model multiplies is linear in its logarithm; c keeps zeros finite and
    scales with the column. Skewed means a moment coefficient above ``skew`` (0: every
    column that is never negative and not constant).
    """

    columns: Sequence[str] = ()
    share: float = 0.1
    skew: float = 1.0

    def fit(self, table: Table) -> State:
        """Learn ``offsets``: c by column."""
        offsets: dict[str, float] = {}
        for name in chosen(table.features, self.columns, pl.Float64):
            column = table.features[name].drop_nulls()
            low, skew, mean = column.min(), column.skew(), column.mean()
            if not isinstance(low, float) or not isinstance(mean, float) or skew is None:
                continue
            if low >= 0 and mean > 0 and column.max() != low and skew > self.skew:
                offsets[name] = self.share * mean
        return {"offsets": offsets}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with logarithms in place of the columns learnt; a negative value is read as 0."""
        return features.with_columns(
            (pl.col(name).clip(lower_bound=0.0) + offset).log() for name, offset in state["offsets"].items()
        )
