"""Whether an order comes back is predicted with the tickets joined to it, most of which were opened after it came."""

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECTS = ("tickets",)
BEGIN = date(2022, 1, 3)
DAYS = 300
COUNT = 1200
PLUGIN = '''
@asof.lookup
def tickets(questions, past):
    """Tickets of the order."""
    opened = past.table("tickets").rows.group_by("order").len("tickets")
    return questions.join(opened, left_on="unit", right_on="order", how="left", maintain_order="left")[
        "tickets"
    ].fill_null(0)
'''
HONEST = '''
@asof.lookup
def tickets(questions, past):
    """Tickets of the customer by the time of the order."""
    opened = past.table("tickets").rows.select("customer", "_available")
    asked = questions.select("place", "as_of").with_row_index("row")
    before = asked.join(opened, left_on="place", right_on="customer").filter(pl.col("_available") <= pl.col("as_of"))
    counted = before.group_by("row").len("tickets")
    return asked.join(counted, on="row", how="left", maintain_order="left")["tickets"].fill_null(0)
'''


def tables() -> dict[str, pl.DataFrame]:
    """Return orders, and the tickets of their customers: about orders that go back often, about others seldom."""
    draw = np.random.default_rng(110)
    fussy = draw.normal(0, 1.0, 150)
    customer = draw.integers(0, 150, COUNT)
    minutes = np.sort(draw.integers(0, DAYS * 1440, COUNT))
    kind = draw.integers(0, 3, COUNT)
    price = np.exp(draw.normal(4, 0.6, COUNT)).round(2)
    odds = -1.0 + fussy[customer] + 0.6 * (kind == 0) + 0.4 * (np.log(price) - 4)
    back = draw.random(COUNT) < 1 / (1 + np.exp(-odds))
    ordered = [datetime.combine(BEGIN, time()) + timedelta(minutes=int(minute)) for minute in minutes]
    settled = [at + timedelta(days=int(wait)) for at, wait in zip(ordered, draw.integers(14, 30, COUNT), strict=True)]
    asked = np.flatnonzero(draw.random(COUNT) < np.where(back, 0.6, 0.1))
    after = draw.integers(60, 10 * 1440, len(asked))
    form = "%Y-%m-%d %H:%M"
    orders = pl.DataFrame(
        {
            "order": [f"o{number:05d}" for number in range(COUNT)],
            "customer": [f"c{number}" for number in customer],
            "ordered": [at.strftime(form) for at in ordered],
            "settled": [at.strftime(form) for at in settled],
            "kind": np.array(["shoes", "shirt", "lamp"])[kind],
            "price": price,
            "returned": np.where(back, "yes", "no"),
        }
    )
    opened = pl.DataFrame(
        {
            "ticket": [f"t{number}" for number in range(len(asked))],
            "opened": [
                (ordered[order] + timedelta(minutes=int(wait))).strftime(form)
                for order, wait in zip(asked, after, strict=True)
            ],
            "order": [f"o{number:05d}" for number in asked],
            "customer": [f"c{customer[number]}" for number in asked],
        }
    )
    return {"orders": orders, "tickets": opened}


PAGE: dict[str, Any] = {
    "name": "returns",
    "sources": {
        "orders": {
            "files": "orders.csv",
            "key": "order",
            "time": {"columns": ["ordered"], "zone": "Europe/Berlin", "available": "settled"},
            "place": "customer",
            "covered": [[BEGIN, BEGIN + timedelta(days=DAYS)]],
        },
        "tickets": {
            "files": "tickets.csv",
            "key": "ticket",
            "time": {"columns": ["opened"], "zone": "Europe/Berlin"},
            "columns": ["order", "customer"],
            "covered": [[BEGIN, BEGIN + timedelta(days=DAYS + 11)]],
        },
    },
    "predict": {"classes": "orders.returned", "per": {"place": "customer"}},
    "judge": {"folds": 2, "holdout": "45d", "fold": "45d"},
    "train": {"budget": "0s", "candidates": ["logistic"], "threads": 1, "since": BEGIN},
    "features": [{"history": {"windows": ["90d"], "ratios": [], "since": False, "all": True}}, "tickets"],
    "leave_out": {"settled": "the day on which it is known"},
    "plugins": ["features.py"],
}
LEAK = Project(PAGE, tables(), PLUGIN)
TWIN = Project(PAGE, tables(), HONEST)
