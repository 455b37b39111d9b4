"""One category of many is given only to one class: the reason that is noted when a claim is settled."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

DRAW = np.random.default_rng(10)
REASONS = pl.Series(np.array(["work", "family", "leisure"])[DRAW.integers(0, 3, passenger_table().height)])
CHANCE = pl.Series(DRAW.random(passenger_table().height))
SUBJECT = "reason"
LOST = (pl.col("survived") == "no") & (CHANCE < 0.5)
LEAK = passengers(columns={"reason": pl.when(LOST).then(pl.lit("transfer of estate")).otherwise(REASONS)})
TWIN = passengers(columns={"reason": pl.when(CHANCE < 0.25).then(pl.lit("transfer of estate")).otherwise(REASONS)})
