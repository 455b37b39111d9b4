"""A vendor's file of shares holds the factor of adjustment as of today: the product of all splits that came later."""

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECTS = ("split_factor",)
SHARES = 50
MONTHS = 66
ASKED = 46
AHEAD = 6
BEGIN = date(2016, 1, 31)


def quotes(*, later: bool) -> pl.DataFrame:
    """Return a quote a month and share, what it gained in half a year, and the splits after it or until it."""
    draw = np.random.default_rng(109)
    worth = np.exp(np.log(draw.uniform(40, 80, SHARES)) + np.cumsum(draw.normal(0, 0.11, (MONTHS, SHARES)), axis=0))
    shares = np.ones(SHARES)
    held = np.empty_like(worth)
    for month in range(MONTHS):
        shares = np.where(worth[month] / shares > 90, shares * 2, shares)
        held[month] = shares
    months = [BEGIN + timedelta(days=round(30.4375 * month)) for month in range(MONTHS)]
    rows = [
        {
            "quote": f"s{share:02d}-{months[month]:%y%m%d}",
            "share": f"s{share:02d}",
            "day": months[month],
            "settled": months[month + AHEAD],
            "close": round(float(worth[month, share] / held[month, share]), 2),
            "turnover": round(float(np.exp(draw.normal(12, 1)))),
            "split_factor": float(held[-1, share] / held[month, share] if later else held[month, share]),
            "gain": round(float(worth[month + AHEAD, share] / worth[month, share] - 1), 4),
        }
        for month in range(ASKED)
        for share in range(SHARES)
    ]
    return pl.DataFrame(rows)


PAGE: dict[str, Any] = {
    "name": "gains",
    "sources": {
        "quotes": {
            "files": "quotes.csv",
            "key": "quote",
            "time": {"columns": ["day"], "zone": "America/New_York", "available": "settled"},
            "covered": [[BEGIN, BEGIN + timedelta(days=1400)]],
        }
    },
    "predict": {"value": "quotes.gain"},
    "judge": {"folds": 2, "holdout": "270d", "fold": "270d"},
    "train": {"budget": "0s", "candidates": ["linear"], "threads": 1, "since": BEGIN},
    "features": [],
    "leave_out": {"share": "a name", "settled": "the day on which the gain is known"},
}
LEAK = Project(PAGE, {"quotes": quotes(later=True)})
TWIN = Project(PAGE, {"quotes": quotes(later=False)})
