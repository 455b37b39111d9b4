"""Each house is told its rank by price among the sales of its street."""

import polars as pl

from tests.leaks.worlds import houses

SUBJECT = "rank"
LEAK = houses(columns={"rank": pl.col("price").rank("ordinal").over("street")})
TWIN = houses(columns={"rank": pl.col("area").rank("ordinal").over("street")})
