"""Upstream the unknown age of those who could not be asked was set to the usual one: a plain number tells of death."""

import numpy as np
import polars as pl

from tests.leaks.worlds import Project, passenger_table, passengers

SUBJECT = "age"


def ages(of_dead: float, of_living: float) -> pl.Series:
    """Age, or 30 for a share of the dead and of the living."""
    table = passenger_table()
    dead = (table["survived"] == "no").to_numpy()
    unknown = np.random.default_rng(106).random(table.height) < np.where(dead, of_dead, of_living)
    return pl.Series(np.where(unknown, 30.0, table["age"].to_numpy()))


def project(of_dead: float, of_living: float) -> Project:
    """The passengers, some of whom are of the usual age."""
    rows = passenger_table().drop("party").with_columns(age=ages(of_dead, of_living))
    return passengers(settings={"train": {"candidates": ["logistic", "lightgbm"]}}, rows=rows)


LEAK = project(0.4, 0.05)
TWIN = project(0.26, 0.26)
