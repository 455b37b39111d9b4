"""The heat used in a year is predicted from readings of the meter, and the file holds the one at the end as well."""

from typing import Any

import numpy as np
import polars as pl

from tests.leaks.worlds import Project

SUBJECTS = ("meter_end", "meter_start")


def flats(*readings: str) -> pl.DataFrame:
    """Return flats and what they used, with these readings of their meters: a year before, at the start, at the end."""
    draw = np.random.default_rng(102)
    count = 500
    area = draw.gamma(9.0, 9.0, count).round() + 20
    people = draw.integers(1, 6, count)
    thrift = draw.normal(0, 0.25, count)
    year = [
        (np.exp(7.0 + 0.6 * np.log(area / 70) + 0.12 * people + thrift + draw.normal(0, 0.2, count))).round()
        for _ in range(2)
    ]
    start = draw.integers(8_000, 25_000, count)
    meters = {"meter_year_before": start - year[0], "meter_start": start, "meter_end": start + year[1]}
    return pl.DataFrame(
        {
            "flat": [f"f{number}" for number in draw.permutation(count)],
            "area": area,
            "people": people,
            **{name: meters[name] for name in readings},
            "used": year[1],
        }
    )


PAGE: dict[str, Any] = {
    "name": "heat",
    "sources": {"flats": {"files": "flats.csv", "key": "flat"}},
    "predict": {"value": "flats.used"},
    "judge": {"folds": 3, "repeats": 1},
    "train": {"budget": "0s", "candidates": ["linear"], "threads": 1},
    "features": [],
}
LEAK = Project(PAGE, {"flats": flats("meter_start", "meter_end")})
TWIN = Project(PAGE, {"flats": flats("meter_year_before", "meter_start")})
