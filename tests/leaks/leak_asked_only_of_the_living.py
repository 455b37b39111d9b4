"""Income was asked for afterwards, of those who could still be asked."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

DRAW = np.random.default_rng(45)
CHANCE = pl.Series(DRAW.random(700))
INCOME = pl.Series(np.exp(DRAW.normal(3, 0.5, passenger_table().height)).round(1))
ALIVE = pl.col("survived") == "yes"
WHOLE = {"judge": {"group": "party"}}
SUBJECT = "income"
LEAK = passengers(settings=WHOLE, columns={"income": pl.when(ALIVE & (CHANCE < 0.9)).then(INCOME)})
TWIN = passengers(
    settings=WHOLE, columns={"income": pl.when(pl.when(ALIVE).then(0.9).otherwise(0.6) > CHANCE).then(INCOME)}
)
