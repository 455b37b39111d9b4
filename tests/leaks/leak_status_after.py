"""A status was set after the outcome, and every outcome has statuses of its own."""

import numpy as np
import polars as pl

from tests.leaks.worlds import passenger_table, passengers

DRAW = np.random.default_rng(8)
SOME = pl.Series(DRAW.integers(0, 3, passenger_table().height))


def status(yes: list[str], no: list[str]) -> pl.Expr:
    """One of three words for each class."""
    words = [SOME.replace_strict(dict(enumerate(words)), return_dtype=pl.String) for words in (yes, no)]
    return pl.when(pl.col("survived") == "yes").then(words[0]).otherwise(words[1])


BOOKED = ["booked by agent", "booked by letter", "booked at the quay"]
SUBJECT = "status"
LEAK = passengers(columns={"status": status(["landed", "in hospital", "at home"], ["closed", "estate", "claim paid"])})
TWIN = passengers(columns={"status": status(BOOKED, BOOKED)})
