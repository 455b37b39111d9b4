"""What the house fetched when it was sold again, years later, stands in the row of its first sale."""

import numpy as np
import polars as pl

from tests.leaks.worlds import sale_table, sales

LATER = pl.Series(np.random.default_rng(16).normal(1.2, 0.03, sale_table().height))
EARLIER = pl.Series(np.random.default_rng(16).normal(0.8, 0.2, sale_table().height))
SUBJECT = "other_sale"
LEAK = sales(columns={"other_sale": (pl.col("price") * LATER).round()})
TWIN = sales(columns={"other_sale": (pl.col("price") * EARLIER).round()})
