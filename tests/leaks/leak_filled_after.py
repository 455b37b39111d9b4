"""A column is filled in only after the outcome: that it holds anything tells the label, whatever it holds."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

DRAW = np.random.default_rng(9)
NUMBER = pl.Series(DRAW.integers(1, 20, passenger_table().height))
CHANCE = pl.Series(DRAW.random(passenger_table().height))
SUBJECT = "boat"
FILLED = (pl.col("survived") == "yes") & (CHANCE < 0.95)
LEAK = passengers(columns={"boat": pl.when(FILLED).then(NUMBER)})
TWIN = passengers(columns={"boat": pl.when(CHANCE < 0.5).then(NUMBER)})
