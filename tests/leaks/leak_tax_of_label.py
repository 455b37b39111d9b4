"""A tax is worked out of the label by steps and rates: no straight line, and yet the label itself."""

import numpy as np
import polars as pl

from tests.leaks.worlds import house_table, houses

VALUED = np.random.default_rng(4).normal(0.8, 0.15, house_table().height)


def tax(price: pl.Expr) -> pl.Expr:
    """Stamp duty: a base, 2 % beyond 300,000, 5 % more beyond 600,000."""
    rates = 0.01 * price + 0.02 * (price - 300_000).clip(0) + 0.05 * (price - 600_000).clip(0)
    return rates.round()


SUBJECT = "tax"
LEAK = houses(columns={"tax": tax(pl.col("price"))})
TWIN = houses(columns={"tax": tax(pl.col("price") * VALUED)})
