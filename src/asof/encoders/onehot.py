"""Text with few values becomes one column of 0 and 1 a value."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen, few, known


@dataclass(frozen=True)
class OneHot:
    """A 0/1 column for each training value of a text column, and of the number columns listed in ``numbers``.

    Columns with more than ``limit`` values are left as they are. A value never seen, and an unknown
    one, is 0 everywhere. Numbers stand for themselves only where a pattern names them, and only
    where they are whole and few.
    """

    columns: Sequence[str] = ()
    numbers: Sequence[str] = ()
    limit: int = 24

    def fit(self, table: Table) -> State:
        """Learn ``levels``: the sorted values of each column with few of them."""
        names = chosen(table.features, self.columns, pl.String)
        if self.numbers:
            names += chosen(table.features, self.numbers, pl.Float64)
        levels = {name: known(table.features[name]).unique().sort() for name in names}
        return {"levels": {name: values.to_list() for name, values in levels.items() if self._few(values)}}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with 0/1 columns ``column=value`` in place of the columns learnt."""
        if not state["levels"]:
            return features
        texts = [name for name, levels in state["levels"].items() if not _numbers(levels)]
        numbers = [name for name, levels in state["levels"].items() if _numbers(levels)]
        # What is no number equals itself for Polars, and for Python only if it is the same object.
        nan = any(math.isnan(level) for name in numbers for level in state["levels"][name])
        if few(features, texts, pl.String) and few(features, numbers, pl.Float64) and not nan:
            each = [one for name, levels in state["levels"].items() for one in _told(features[name], levels)]
            return features.with_columns(each).drop(list(state["levels"]))
        added = [
            (pl.col(name) == level).fill_null(value=False).cast(pl.Float64).alias(f"{name}={level}")
            for name, levels in state["levels"].items()
            for level in levels
        ]
        return features.with_columns(added).drop(list(state["levels"]))

    def _few(self, values: pl.Series) -> bool:
        if values.len() > self.limit:
            return False
        return values.dtype == pl.String or bool((values == values.round()).all())


def _numbers(levels: Sequence[str] | Sequence[float]) -> bool:
    return bool(levels) and not isinstance(levels[0], str)


def _told(column: pl.Series, levels: Sequence[str] | Sequence[float]) -> list[pl.Series]:
    """A column of 0 and 1 for each level, of few rows: to put the expressions together takes longer than they do."""
    place = {level: number for number, level in enumerate(levels)}
    found = np.array([place.get(value, -1) for value in column.to_list()], dtype=np.int64)
    made = np.zeros((len(levels), column.len()))
    made[found[found >= 0], np.flatnonzero(found >= 0)] = 1.0
    return [pl.Series(f"{column.name}={level}", row) for level, row in zip(levels, made, strict=True)]
