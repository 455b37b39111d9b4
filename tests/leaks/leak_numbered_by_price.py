"""Rows were numbered after the file had been sorted by the label."""

import polars as pl

from tests.leaks.worlds import houses

SUBJECT = "number"
LEAK = houses(columns={"number": pl.col("price").rank("ordinal")})
TWIN = houses(columns={"number": pl.col("id").rank("ordinal")})
