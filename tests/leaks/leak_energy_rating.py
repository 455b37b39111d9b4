"""The energy rating is entered when the papers of a sale are drawn up: houses still on offer have none."""

import numpy as np
import polars as pl

from tests.leaks.worlds import sale_table, sales

DRAW = np.random.default_rng(44)
TABLE = sale_table()
RATING = pl.Series(DRAW.integers(40, 300, TABLE.height).astype(float))
SOLD = pl.int_range(TABLE.height) < 500
WAITING = {"price": pl.when(SOLD).then("price")}
SUBJECT = "rating"
LEAK = sales(columns={**WAITING, "rating": pl.when(SOLD).then(RATING)})
TWIN = sales(columns={**WAITING, "rating": pl.when(pl.int_range(TABLE.height) < 400).then(RATING)})
