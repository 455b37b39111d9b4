"""The score of an earlier model is a column; that model was trained on these very rows."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

DRAW = np.random.default_rng(14)
FITTED = DRAW.normal(1, 0.015, house_table().height)
HONEST = DRAW.normal(1, 0.2, house_table().height)
SUBJECT = "score"
LEAK = houses(columns={"score": (pl.col("price") * FITTED).round()})
TWIN = houses(columns={"score": (pl.col("price") * HONEST).round()})
