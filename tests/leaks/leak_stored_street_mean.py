"""The table already has the mean price of the street, worked out over all of its rows, the row itself included."""

import polars as pl

from tests.leaks.worlds import house_table, houses


def with_means_of(sales: pl.DataFrame) -> pl.DataFrame:
    """Houses, with the mean price of their street among some sales."""
    means = sales.group_by("street").agg(street_mean=pl.col("price").mean().round())
    return house_table().join(means, on="street", how="left", maintain_order="left")


SUBJECT = "street_mean"
LEAK = houses(rows=with_means_of(house_table()))
TWIN = houses(rows=with_means_of(house_table(seed=21)))
