"""A small made-up project whose rows have neither place nor time, answered by LightGBM."""

import numpy as np
import polars as pl

FLATS = """\
name: flats
sources:
  flats: {files: flats.csv, key: id, missing_values: ["", "NA", "-1"]}
predict:
  value: flats.price
judge: {folds: 2, repeats: 1, metric: rmse}
train: {budget: 0s, candidates: [lightgbm], threads: 1}
"""
KINDS = ["brick", "wood", "stone"]


def flats(count: int = 400) -> pl.DataFrame:
    """Flats by numbers, some unknown, and a text."""
    draw = np.random.default_rng(3)
    area, floor = draw.lognormal(4, 0.5, count).round(2), draw.integers(0, 9, count)
    kind = draw.choice(KINDS, count)
    lost = draw.random(count) < 0.2
    return pl.DataFrame(
        {
            "id": [f"f{row}" for row in range(count)],
            "area": area,
            "floor": floor,
            "height": [None if gone else value for gone, value in zip(lost, draw.normal(2.6, 0.2, count), strict=True)],
            "kind": kind,
            "price": (area * 100 + floor * 50 + 1_000 * (kind == "brick") + draw.normal(0, 100, count)).round(),
        }
    )
