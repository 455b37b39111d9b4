"""A ratio that was made of the label stands in the table beside its divisor: price a square metre, and the area."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

BEFORE = np.random.default_rng(3).normal(0.85, 0.12, house_table().height)
SUBJECT = "per_metre"
LEAK = houses(columns={"per_metre": (pl.col("price") / pl.col("area")).round(1)})
TWIN = houses(columns={"per_metre": (pl.col("price") / pl.col("area") * BEFORE).round(1)})
