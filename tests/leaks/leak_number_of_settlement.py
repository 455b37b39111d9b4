"""Numbers are given in the order of settlement, and those that are refused wait longest."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passengers

DRAW = np.random.default_rng(47)
WAIT = pl.Series(DRAW.exponential(10, 700))
LATER = pl.when(pl.col("survived") == "no").then(120.0).otherwise(0.0)
SUBJECT = "number"
WHOLE = {"judge": {"group": "party"}}
LEAK = passengers(settings=WHOLE, columns={"number": (WAIT + LATER).rank("ordinal")})
TWIN = passengers(settings=WHOLE, columns={"number": WAIT.rank("ordinal")})
