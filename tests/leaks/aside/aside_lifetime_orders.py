"""The customer table is joined to past orders, so that each tells how many its customer has placed to this day."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECT = "orders"
FIRST = date(2022, 1, 3)
DAYS = 540
WITHIN = 60
"""Days within which a customer has to come again."""


def orders(*, lifetime: bool) -> pl.DataFrame:
    """One row an order: how many ``orders`` its customer has placed, and whether one came ``again``."""
    draw = np.random.default_rng(104)
    bought = []
    for customer in range(500):
        pause = float(np.exp(draw.normal(4.3, 0.8)))
        day = float(draw.integers(-300, DAYS))
        while day < DAYS + 140:
            bought.append((customer, int(day), round(float(np.exp(draw.normal(4.0 - 0.1 * np.log(pause), 0.5))), 2)))
            day += 1 + draw.exponential(pause)
    frame = pl.DataFrame(bought, schema=["customer", "day", "amount"], orient="row").sort("day", "customer")
    following = pl.col("day").shift(-1).over("customer")
    so_far = pl.col("day").cum_count().over("customer")
    told = frame.with_columns(
        orders=pl.len().over("customer") if lifetime else so_far,
        again=pl.when(following - pl.col("day") <= WITHIN).then(pl.lit("yes")).otherwise(pl.lit("no")),
        channel=pl.Series(np.array(["web", "shop", "app"])[draw.integers(0, 3, frame.height)]),
    ).filter(pl.col("day").is_between(0, DAYS - 1))
    return told.select(
        id=pl.format("o{}", pl.int_range(pl.len())),
        at=pl.lit(FIRST) + pl.duration(days="day"),
        settled=pl.lit(FIRST) + pl.duration(days=pl.col("day") + WITHIN + 1),
        customer=pl.format("k{}", pl.col("customer")),
        amount="amount",
        channel="channel",
        orders="orders",
        again="again",
    )


def project(*, lifetime: bool) -> Project:
    """Whether who has ordered comes again within sixty days."""
    return Project(
        {
            "name": "shop",
            "sources": {
                "orders": {
                    "files": "orders.csv",
                    "key": "id",
                    "time": {"columns": ["at"], "zone": "Europe/Berlin", "available": "settled"},
                    "covered": [[FIRST, FIRST + timedelta(days=DAYS + 90)]],
                }
            },
            "predict": {"classes": "orders.again"},
            "features": [{"history": {"windows": ["90d"], "ratios": [], "since": False, "all": True}}],
            "judge": {"folds": 2, "holdout": "90d", "fold": "120d"},
            "train": {"budget": "0s", "candidates": ["logistic"], "threads": 1, "since": FIRST},
            "leave_out": {"settled": "known only when the sixty days are over", "customer": "a number, not a quality"},
        },
        {"orders": orders(lifetime=lifetime)},
    )


LEAK = project(lifetime=True)
TWIN = project(lifetime=False)
