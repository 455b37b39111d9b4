"""A date that lies after the question is a column of it: the day on which the sale was closed."""

import numpy as np
import polars as pl

from tests.leaks.worlds import sale_table, sales

DAYS = pl.Series(np.random.default_rng(17).integers(100, 3000, sale_table().height))
SUBJECT = "moved"
LEAK = sales(columns={"moved": pl.col("closed")})
TWIN = sales(columns={"moved": pl.col("offered") - pl.duration(days=pl.lit(DAYS))})
