"""Two small made-up projects whose units are rows: houses with a time and a place, passengers with neither."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

HOUSES = """\
name: houses
sources:
  sales:
    files: sales.csv
    key: id
    time: {columns: [sold], zone: America/New_York}
    place: town
predict:
  value: sales.price
  per: {place: town}
features: [calendar, history: {windows: [56d]}]
judge: {holdout: 28d, folds: 2, fold: 28d, metric: rmsle}
train: {budget: 0s, candidates: [linear], threads: 1}
"""
PASSENGERS = """\
name: passengers
sources:
  people: {files: people.csv, key: id}
predict:
  classes: people.survived
judge: {folds: 3, group: family, repeats: 2}
train: {budget: 0s, candidates: [logistic], threads: 1}
"""


def sales(count: int = 1200, days: int = 240, towns: int = 14, seed: int = 5) -> pl.DataFrame:
    """Houses sold: price by area and town, times noise of 15 %; the last 20 not yet sold."""
    draw = np.random.default_rng(seed)
    day = np.sort(draw.integers(0, days, count))
    town = draw.integers(0, towns, count)
    area = draw.lognormal(4.6, 0.4, count).round(0)
    price = 1000.0 * (area + 40.0 * town) * np.exp(0.15 * draw.standard_normal(count))
    first = date(2021, 1, 1)
    return pl.DataFrame(
        {
            "id": [f"s{row}" for row in range(count)],
            "sold": [(first + timedelta(days=int(one))).isoformat() for one in day],
            "town": [f"t{one:02d}" for one in town],
            "area": area,
            "garden": draw.choice(["yes", "no"], count),
            "price": [None if row >= count - 20 else round(float(value)) for row, value in enumerate(price)],
        }
    )


def people(count: int = 400, seed: int = 6) -> pl.DataFrame:
    """Passengers in families: who is a woman lives more often, and families share their fate to some extent."""
    draw = np.random.default_rng(seed)
    family = draw.integers(0, count // 2, count)
    luck = draw.standard_normal(count // 2)[family]
    woman = draw.random(count) < 0.4
    lost = draw.random(count) < 0.2
    chance = 1 / (1 + np.exp(-(-1.2 + 2.4 * woman + 0.8 * luck)))
    return pl.DataFrame(
        {
            "id": [f"p{row}" for row in range(count)],
            "sex": np.where(woman, "female", "male"),
            "age": [None if lost else int(age) for lost, age in zip(lost, draw.integers(1, 80, count), strict=True)],
            "family": [f"f{one}" for one in family],
            "survived": (draw.random(count) < chance).astype(int),
        }
    )


def make(folder: Path, project: str, **tables: pl.DataFrame) -> Path:
    """Write a project and its tables into ``folder``; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "project.yaml").write_text(project)
    for name, table in tables.items():
        table.write_csv(folder / f"{name}.csv")
    return folder
