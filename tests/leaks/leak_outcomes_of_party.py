"""A group's outcomes are counted over the whole table, the row's own among them."""

import polars as pl

from tests.leaks.worlds import passengers

SUBJECT = "lost"
WHOLE = {"judge": {"group": "party"}}
LOST = (pl.col("survived") == "no").sum().over("party")
LEAK = passengers(settings=WHOLE, columns={"lost": LOST / pl.len().over("party")})
TWIN = passengers(
    settings=WHOLE, columns={"lost": (pl.col("sex") == "man").sum().over("party") / pl.len().over("party")}
)
