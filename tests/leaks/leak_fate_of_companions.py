"""Each passenger is told how many others of the party were saved, known no sooner than the own fate."""

import polars as pl

from tests.leaks.worlds import passengers

SUBJECT = "saved"
WHOLE = {"judge": {"group": "party"}}
SAVED = (pl.col("survived") == "yes").sum().over("party") - (pl.col("survived") == "yes").cast(pl.Int64)
LEAK = passengers(settings=WHOLE, columns={"saved": SAVED})
TWIN = passengers(settings=WHOLE, columns={"saved": pl.len().over("party") - 1})
