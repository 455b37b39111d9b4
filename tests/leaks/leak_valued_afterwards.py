"""The bank values the house once it knows the price, and comes within two in a hundred of it."""

import numpy as np
import polars as pl

from tests.leaks.worlds import houses

DRAW = np.random.default_rng(50)
NEAR, FAR = (pl.Series(np.exp(DRAW.normal(0, width, 600))) for width in (0.02, 0.15))
SUBJECT = "valued"
LEAK = houses(columns={"valued": (pl.col("price") * NEAR).round()})
TWIN = houses(columns={"valued": (pl.col("price") * FAR).round()})
