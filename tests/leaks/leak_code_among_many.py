"""Of many columns of codes one was given when the claim was closed; with few rows, others are near by chance."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

DRAW = np.random.default_rng(43)
TABLE = passenger_table()[:200].drop("party")
MANY = {f"c{number}": pl.Series([f"k{code}" for code in DRAW.integers(0, 20, 200)]) for number in range(20)}
CODES = pl.Series([f"{code:02d}" for code in DRAW.integers(0, 12, 200)])
SUBJECT = "closing"
LEAK = passengers(rows=TABLE.with_columns(**MANY, closing=pl.format("{}{}", pl.col("survived").str.slice(0, 1), CODES)))
TWIN = passengers(rows=TABLE.with_columns(**MANY, closing=pl.format("n{}", CODES)))
