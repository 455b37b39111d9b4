"""Unknown numbers become the training median, and say so."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen

MARK = "__unknown"
"""Ending of the column that says where a number was unknown."""


@dataclass(frozen=True)
class Impute:
    """Fill unknown numbers with the training median (0 where nothing is known).

    A column that had unknown values in training, but not only such, gets a companion of 0 and 1
    that tells them; columns are Float64 ones, or those that match ``columns``.
    """

    columns: Sequence[str] = ()
    mark: bool = True

    def fit(self, table: Table) -> State:
        """Learn ``medians`` by column, and which columns are ``marked``."""
        names = chosen(table.features, self.columns, pl.Float64)
        medians: dict[str, float] = {}
        marked: list[str] = []
        for name in names:
            column = table.features[name]
            known = column.len() - column.null_count()
            median = column.median() if known else 0.0
            medians[name] = float(median) if isinstance(median, float) else 0.0
            if self.mark and 0 < known < column.len():
                marked.append(name)
        return {"medians": medians, "marked": marked}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features without unknown numbers in the columns learnt."""
        marks = [pl.col(name).is_null().cast(pl.Float64).alias(name + MARK) for name in state["marked"]]
        medians = state["medians"].items()
        filled = [pl.col(name).fill_null(median) for name, median in medians if features[name].null_count()]
        return features.with_columns(filled + marks) if filled or marks else features
