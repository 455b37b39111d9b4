"""The table holds the label twice: the price that is shown today is the price at which the house was sold."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

ASKED = np.random.default_rng(1).normal(1.05, 0.12, house_table().height)
SUBJECT = "current_price"
LEAK = houses(columns={"current_price": pl.col("price")})
TWIN = houses(columns={"current_price": (pl.col("price") * ASKED).round()})
