"""A column gives the label in other units, rounded: the loan that the bank paid out once the price was agreed."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

LOAN = np.random.default_rng(2).normal(0.8, 0.004, house_table().height)
OFFERED = np.random.default_rng(2).normal(0.8, 0.15, house_table().height)
SUBJECT = "loan"
LEAK = houses(columns={"loan": (pl.col("price") * LOAN / 1000).round(1)})
TWIN = houses(columns={"loan": (pl.col("price") * OFFERED / 1000).round(1)})
