"""A report puts each sale into a band of prices, and the band was joined to the row."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

STEP = 10_000
ASKED = pl.Series(np.exp(np.random.default_rng(51).normal(0, 0.2, house_table().height)))


def band(price: pl.Expr) -> pl.Expr:
    """Text such as ``200000 to 210000``."""
    low = (price // STEP * STEP).cast(pl.Int64)
    return pl.format("{} to {}", low, low + STEP)


SUBJECT = "band"
LEAK = houses(columns={"band": band(pl.col("price"))})
TWIN = houses(columns={"band": band(pl.col("price") * ASKED)})
