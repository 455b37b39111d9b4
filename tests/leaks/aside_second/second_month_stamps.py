"""A monthly index is dated by the first of its month, so that the whole month is read from its second day on."""

from datetime import date, datetime, time, timedelta
from typing import Any

import numpy as np
import polars as pl

from tests.leaks.worlds import Project, overlaid

SUBJECTS = ("index", "index_activity", "activity")
BEGIN = date(2019, 1, 1)
DAYS = 900


def tables() -> dict[str, pl.DataFrame]:
    """Return lorries at a depot by the minute, and the index of activity of each month with its publication day."""
    draw = np.random.default_rng(107)
    days = [BEGIN + timedelta(days=number) for number in range(DAYS)]
    months = sorted({day.replace(day=1) for day in days})
    activity = dict(zip(months, draw.normal(100, 12, len(months)).round(1), strict=True))
    rows: list[datetime] = []
    for day in days:
        rate = 9 * np.exp(0.025 * (activity[day.replace(day=1)] - 100)) * (0.6 if day.weekday() >= 5 else 1.0)
        minutes = np.sort(draw.integers(5 * 60, 22 * 60, draw.poisson(rate)))
        rows += [datetime.combine(day, time()) + timedelta(minutes=int(minute)) for minute in minutes]
    published = [(month + timedelta(days=45)).replace(day=20) for month in months]
    return {
        "lorries": pl.DataFrame(
            {
                "id": [f"l{number}" for number in range(len(rows))],
                "at": [row.strftime("%Y-%m-%d %H:%M") for row in rows],
            }
        ),
        "index": pl.DataFrame({"month": months, "published": published, "activity": list(activity.values())}),
    }


PAGE: dict[str, Any] = {
    "name": "lorries",
    "sources": {
        "lorries": {"files": "lorries.csv", "key": "id", "time": {"columns": ["at"], "zone": "Europe/Lisbon"}},
        "index": {"files": "index.csv", "key": "month", "time": {"columns": ["month"], "zone": "Europe/Lisbon"}},
    },
    "predict": {"count": "lorries", "per": {"every": "1d"}, "horizon": "0h"},
    "features": [
        {"history": {"windows": ["7d", "28d"], "lags": [], "since": False}},
        "calendar",
        {"index": {"nearest": "index", "columns": ["activity"]}},
    ],
    "judge": {"holdout": "60d", "folds": 3, "fold": "60d"},
    "train": {"budget": "0s", "candidates": ["poisson"], "threads": 1, "since": BEGIN + timedelta(days=60)},
}
LEAK = Project(PAGE, tables())
TWIN = Project(overlaid(PAGE, {"sources": {"index": {"time": {"available": "published"}}}}), tables())
