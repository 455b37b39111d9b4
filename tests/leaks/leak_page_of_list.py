"""The file was sorted by the price before it was printed, and each row kept the number of its page."""

import polars as pl

from tests.leaks.worlds import houses

SUBJECT = "page"
LEAK = houses(columns={"page": (pl.col("price").rank("ordinal") - 1) // 12 + 1})
TWIN = houses(columns={"page": (pl.col("id").rank("ordinal") - 1) // 12 + 1})
