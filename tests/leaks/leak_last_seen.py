"""A date runs on after the outcome: those who are still there were last seen on the day of the export."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

DRAW = np.random.default_rng(13)
EARLIER = pl.Series([date(2020, 3, 1) - timedelta(days=int(days)) for days in DRAW.integers(1, 300, 700)])
EXPORT = pl.lit(date(2020, 6, 30))
SUBJECT = "last_seen"
assert passenger_table().height == EARLIER.len()
LEAK = passengers(columns={"last_seen": pl.when(pl.col("survived") == "yes").then(EXPORT).otherwise(EARLIER)})
TWIN = passengers(columns={"last_seen": EARLIER})
