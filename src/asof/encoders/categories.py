"""Text becomes category codes."""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from asof.data import Table
from asof.encoders.base import CODE, State, chosen, known


@dataclass(frozen=True)
class Categories:
    """Codes 0..n-1 in the order of the n sorted training values; a value never seen is n; unknown stays unknown."""

    columns: Sequence[str] = ()

    def fit(self, table: Table) -> State:
        """Learn ``levels``: the sorted values of each column."""
        names = chosen(table.features, self.columns, pl.String)
        return {"levels": {name: known(table.features[name]).unique().sort().to_list() for name in names}}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with codes (UInt32) in place of the columns learnt."""
        if not state["levels"]:
            return features
        return features.with_columns(code(name, levels) for name, levels in state["levels"].items())


def code(name: str, levels: Sequence[str]) -> pl.Expr:
    """Position of a value among ``levels``; their number for a value that is not there, null for null."""
    column = pl.col(name)
    found = column.replace_strict(
        pl.Series(levels, dtype=pl.String), pl.arange(len(levels), dtype=CODE, eager=True), default=None
    )
    missing = pl.when(column.is_not_null()).then(pl.lit(len(levels), dtype=CODE))
    return pl.coalesce(found.cast(CODE), missing).alias(name)
