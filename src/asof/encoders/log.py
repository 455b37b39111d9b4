"""Skewed counts and rates become logarithms."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen, known


@dataclass(frozen=True)
class Log:
    """``log(x + c)`` of columns that are never negative and have more than two values; c is ``share`` of their mean.

    A rate that a log-link model multiplies is linear in its logarithm; c keeps zeros finite and
    scales with the column. With ``skew`` only columns whose moment coefficient of skewness is above it.
    """

    columns: Sequence[str] = ()
    share: float = 0.1
    skew: float | None = None

    def fit(self, table: Table) -> State:
        """Learn ``offsets``: c by column."""
        offsets: dict[str, float] = {}
        for name in chosen(table.features, self.columns, pl.Float64):
            column = known(table.features[name])
            low, mean = column.min(), column.mean()
            if not isinstance(low, float) or not isinstance(mean, float) or low < 0 or column.n_unique() <= 2:
                continue
            skew = None if self.skew is None else column.skew()
            if self.skew is None or (skew is not None and skew > self.skew):
                offsets[name] = self.share * mean
        return {"offsets": offsets}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with logarithms in place of the columns learnt; a negative value is read as 0."""
        if not state["offsets"]:
            return features
        return features.with_columns(
            (pl.col(name).clip(lower_bound=0.0) + offset).log() for name, offset in state["offsets"].items()
        )
