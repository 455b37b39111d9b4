"""A bank's campaign file tells how long each call lasted: it is filled in when the customer has already decided."""

from typing import Any

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECTS = ("duration",)


def calls(name: str, told: str) -> pl.DataFrame:
    """Return customers called by a bank; ``told`` is the call itself or the one of the campaign before."""
    draw = np.random.default_rng(101)
    count = 1000
    age = draw.integers(20, 80, count)
    balance = np.exp(draw.normal(6.5, 1.0, count)).round()
    job = draw.integers(0, 5, count)
    odds = -1.3 + 0.015 * (age - 45) + 0.4 * (np.log(balance) - 6.5) + 0.4 * (job == 3)
    agreed = draw.random(count) < 1 / (1 + np.exp(-odds))
    patience = draw.normal(0, 0.4, count)
    this = np.exp(4.9 + patience + 0.9 * agreed + draw.normal(0, 0.5, count)).round()
    before = np.exp(4.9 + patience + draw.normal(0, 0.5, count)).round()
    return pl.DataFrame(
        {
            "client": [f"k{number}" for number in draw.permutation(count)],
            "age": age,
            "job": np.array(["clerk", "manual", "retired", "manager", "student"])[job],
            "balance": balance,
            name: {"this": this, "before": before}[told],
            "deposit": np.where(agreed, "yes", "no"),
        }
    )


PAGE: dict[str, Any] = {
    "name": "deposits",
    "sources": {"clients": {"files": "clients.csv", "key": "client"}},
    "predict": {"classes": "clients.deposit"},
    "judge": {"folds": 3, "repeats": 1},
    "train": {"budget": "0s", "candidates": ["logistic"], "threads": 1},
    "features": [],
}
LEAK = Project(PAGE, {"clients": calls("duration", "this")})
TWIN = Project(PAGE, {"clients": calls("previous_duration", "before")})
