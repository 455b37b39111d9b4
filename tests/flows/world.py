"""A small made-up project on disk: events in six places over most of a year, with a weekly rhythm."""

from datetime import date, datetime, time, timedelta
from pathlib import Path

import numpy as np
import polars as pl

PROJECT = """\
name: world
sources:
  calls:
    files: calls*.csv
    key: id
    time: {columns: [at], zone: America/New_York}
    delay: 1d
    place: zone
predict:
  count: calls
  per: {place: zone, every: 1d}
  horizon: [1d, 2d]
features:
  - calendar
  - history: {windows: [7d, 28d], lags: [7d]}
judge: {holdout: 28d, folds: 2, fold: 14d}
train: {budget: 0s, candidates: [poisson], threads: 1, since: 2021-02-15}
promote: {audit: pass}
"""


def calls(days: int = 200, places: int = 6, seed: int = 7, first: date = date(2021, 1, 1)) -> pl.DataFrame:
    """Rows ``id``, ``at`` (local, to the minute) and ``zone``; the rate differs by place and is half on weekends."""
    draw = np.random.default_rng(seed)
    rows = []
    for day in range(days):
        moment = datetime.combine(first, time()) + timedelta(days=day)
        for place in range(places):
            rate = (2.0 + 2.0 * place) * (0.5 if moment.weekday() >= 5 else 1.0)
            minutes = np.sort(draw.integers(4 * 60, 24 * 60, draw.poisson(rate)))
            rows += [(moment + timedelta(minutes=int(minute)), f"z{place}") for minute in minutes]
    frame = pl.DataFrame(rows, schema=["at", "zone"], orient="row")
    return frame.select(
        id=pl.format("c{}", pl.int_range(pl.len())), at=pl.col("at").dt.strftime("%Y-%m-%d %H:%M"), zone="zone"
    )


def make(folder: Path, *, project: str = PROJECT, rows: pl.DataFrame | None = None) -> Path:
    """Write the project and its rows into ``folder``; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.yaml").write_text(project)
    (calls() if rows is None else rows).write_csv(folder / "calls.csv")
    return folder
