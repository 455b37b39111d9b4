"""An earlier estimate stands in the table beside its error: their sum is the price."""

import numpy as np
import polars as pl

from tests.leaks.worlds import houses

DRAW = np.random.default_rng(52)
ESTIMATE = (pl.col("price") * pl.Series(np.exp(DRAW.normal(0, 0.2, 600)))).round()
NOISE = pl.Series(DRAW.normal(0, 30_000, 600).round())
SUBJECT = "error"
LEAK = houses(columns={"estimate": ESTIMATE, "error": pl.col("price") - ESTIMATE})
TWIN = houses(columns={"estimate": ESTIMATE, "error": NOISE})
