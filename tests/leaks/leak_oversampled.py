"""The rarer class was multiplied, with a little noise, before the split: test rows have their parents in training."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

DRAW = np.random.default_rng(7)


def balanced(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the rarer class twice more, with ages and fares moved a little."""
    few = rows.filter(pl.col("survived") == "yes")
    again = pl.concat([few, few])
    moved = {
        "age": pl.col("age") + pl.Series(DRAW.normal(0, 0.3, again.height)).round(1),
        "fare": (pl.col("fare") * pl.Series(DRAW.normal(1, 0.003, again.height))).round(2),
    }
    both = pl.concat([rows, again.with_columns(**moved)]).sample(fraction=1.0, shuffle=True, seed=1)
    return both.with_columns(id=pl.format("p{}", pl.int_range(pl.len())))


SUBJECT = "fold"
LEAK = passengers(rows=balanced(passenger_table()).drop("party"))
TWIN = passengers(rows=passenger_table().drop("party"))
