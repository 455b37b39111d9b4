"""A house that another agent lists anew, measured a little differently, is a second row, often in the test fold."""

import numpy as np
import polars as pl

from tests.leaks.worlds import Project, Settings, house_table, houses

SUBJECT = "fold"


def listings() -> pl.DataFrame:
    """300 houses, each listed once to four times: another number, other metres, nearly the same price."""
    draw = np.random.default_rng(111)
    house = np.repeat(np.arange(300), draw.integers(1, 5, 300))
    rows = house_table()[house].with_columns(parcel=pl.format("parcel {}", pl.Series(house)))
    told = rows.with_columns(
        id=pl.format("l{}", pl.Series(draw.permutation(rows.height))),
        area=pl.col("area") + pl.Series(draw.integers(-1, 2, rows.height)),
        price=(pl.col("price") * pl.Series(draw.normal(0.1, 0.003, rows.height))).round() * 10,
    )
    return told[draw.permutation(rows.height)]


def project(rows: pl.DataFrame, judge: Settings) -> Project:
    """What a house is worth, learnt from the listings of all agents."""
    return houses(settings={"judge": judge, "train": {"candidates": ["lightgbm", "extra_trees"]}}, rows=rows)


LEAK = project(listings().drop("parcel"), {})
TWIN = project(listings(), {"group": ["parcel"]})
