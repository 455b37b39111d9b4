"""A fee that is a share of the price hides among a hundred columns that have nothing to do with it."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

DRAW = np.random.default_rng(42)
TABLE = house_table()[:90]
MANY = {f"m{number}": pl.Series(DRAW.normal(0, 1, 90).round(3)) for number in range(100)}
SUBJECT = "fee"
LEAK = houses(rows=TABLE.with_columns(**MANY, fee=(pl.col("price") * 0.036).round()))
TWIN = houses(rows=TABLE.with_columns(**MANY))
