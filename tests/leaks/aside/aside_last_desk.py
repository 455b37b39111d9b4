"""The place of a claim is the desk where its file lies today; what smelt of fraud has been moved to one desk since."""

from datetime import date, timedelta

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECT = "place"
FIRST = date(2022, 1, 3)
DAYS = 480


def claims(*, moved: bool) -> pl.DataFrame:
    """One row a claim; the desk ``west`` takes large claims from the start, and later, if ``moved``, those in doubt."""
    draw = np.random.default_rng(105)
    count = 1500
    day = np.sort(draw.integers(0, DAYS, count))
    amount = np.exp(draw.normal(7.5, 0.8, count)).round(2)
    age = draw.integers(1, 120, count)
    odds = -0.8 + 0.6 * (np.log(amount) - 7.5) - 0.01 * (age - 60)
    fraud = draw.random(count) < 1 / (1 + np.exp(-odds))
    desk = np.where(amount > 4000, "west", np.array(["north", "east", "south"])[draw.integers(0, 3, count)])
    doubted = draw.random(count) < np.where(fraud, 0.45, 0.05)
    wait = draw.integers(10, 40, count)
    return pl.DataFrame(
        {
            "id": [f"c{number}" for number in range(count)],
            "filed": [FIRST + timedelta(days=int(each)) for each in day],
            "closed": [FIRST + timedelta(days=int(each + more)) for each, more in zip(day, wait, strict=True)],
            "desk": np.where(doubted, "west", desk) if moved else desk,
            "amount": amount,
            "policy_months": age,
            "kind": np.array(["car", "water", "theft"])[draw.integers(0, 3, count)],
            "fraud": np.where(fraud, "yes", "no"),
        }
    )


def project(*, moved: bool) -> Project:
    """Whether a claim is a fraud, told on the day on which it is filed."""
    return Project(
        {
            "name": "claims",
            "sources": {
                "claims": {
                    "files": "claims.csv",
                    "key": "id",
                    "time": {"columns": ["filed"], "zone": "Europe/Zurich", "available": "closed"},
                    "place": "desk",
                    "covered": [[FIRST, FIRST + timedelta(days=DAYS + 60)]],
                }
            },
            "predict": {"classes": "claims.fraud", "per": {"place": "desk"}},
            "features": [{"history": {"windows": ["90d"], "ratios": [], "since": False, "all": True}}],
            "judge": {"folds": 2, "holdout": "90d", "fold": "90d"},
            "train": {"budget": "0s", "candidates": ["logistic"], "threads": 1, "since": FIRST},
            "leave_out": {"closed": "known only when the claim is closed"},
        },
        {"claims": claims(moved=moved)},
    )


LEAK = project(moved=True)
TWIN = project(moved=False)
