"""A price is kept in the money of the buyer beside the rate of the day of payment: together they are the label."""

import numpy as np
import polars as pl

from tests.leaks.worlds import houses

DRAW = np.random.default_rng(49)
RATE = pl.Series(DRAW.uniform(0.7, 1.4, 600))
ASKED = pl.Series(np.exp(DRAW.normal(0, 0.12, 600)))
SUBJECT = "foreign"
LEAK = houses(columns={"rate": RATE, "foreign": (pl.col("price") / RATE).round(2)})
TWIN = houses(columns={"rate": RATE, "foreign": (pl.col("price") * ASKED / RATE).round(2)})
