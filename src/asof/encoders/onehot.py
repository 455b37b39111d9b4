"""Text with few values becomes one column of 0 and 1 a value."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen


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
        levels = {name: table.features[name].drop_nulls().unique().sort() for name in names}
        return {"levels": {name: values.to_list() for name, values in levels.items() if self._few(values)}}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with 0/1 columns ``column=value`` in place of the columns learnt."""
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
