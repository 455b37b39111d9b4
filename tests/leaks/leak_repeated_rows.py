"""A join has repeated rows under new keys, each with another agent: copies stand on both sides of every fold."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

DRAW = np.random.default_rng(6)


def joined(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with one agent each."""
    agents = DRAW.integers(0, 400, rows.height)
    return rows.with_columns(pl.Series("agent", agents), id=pl.format("j{}", pl.int_range(pl.len())))


TWICE = pl.concat([house_table(), house_table()[:300]])
SUBJECT = "fold"
LEAK = houses(rows=joined(TWICE.sample(fraction=1.0, shuffle=True, seed=1)))
TWIN = houses(rows=joined(house_table()))
