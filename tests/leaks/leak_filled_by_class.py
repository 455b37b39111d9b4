"""What was missing has been filled with the mean of the row's own class."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

MISSING = pl.Series(np.random.default_rng(12).random(passenger_table().height) < 0.4)
SUBJECT = "age"
MEAN = pl.col("age").mean()
LEAK = passengers(columns={"age": pl.when(MISSING).then(MEAN.over("survived")).otherwise(pl.col("age"))})
TWIN = passengers(columns={"age": pl.when(MISSING).then(MEAN).otherwise(pl.col("age"))})
