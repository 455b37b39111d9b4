"""An archive of forecasts holds also the runs issued during the day itself, and all are read as known ahead."""

from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from tests.leaks.worlds import FIRST, Project, panel

SUBJECT = "forecast_rain"
DAYS = 112
ZONES = 5


def rain_and_calls() -> tuple[np.ndarray, pl.DataFrame]:
    """Rain of each day (mm), and calls of flooded cellars: the more rain, the more of them."""
    draw = np.random.default_rng(101)
    rain = np.where(draw.random(DAYS) < 0.5, draw.gamma(2.0, 5.0, DAYS), 0.0)
    rate = np.outer(np.exp(0.06 * np.minimum(rain, 30)), 3.0 + np.arange(ZONES))
    rows = [
        (datetime.combine(FIRST, time()) + timedelta(days=day, minutes=int(minute)), f"z{zone}")
        for day in range(DAYS)
        for zone in range(ZONES)
        for minute in np.sort(draw.integers(240, 1439, draw.poisson(rate[day, zone])))
    ]
    calls = pl.DataFrame(rows, schema=["at", "zone"], orient="row")
    return rain, calls.select(
        id=pl.format("c{}", pl.int_range(pl.len())), at=pl.col("at").dt.strftime("%Y-%m-%d %H:%M"), zone="zone"
    )


def forecasts(rain: np.ndarray, hours: tuple[int, ...]) -> pl.DataFrame:
    """Runs for each day, issued so many ``hours`` after it begins; the later, the nearer the truth."""
    draw = np.random.default_rng(102)
    rows = []
    for day, fallen in enumerate(rain):
        midnight = datetime.combine(FIRST, time()) + timedelta(days=day)
        for hour in hours:
            error = draw.normal(0, 3.0 * np.exp(-hour / 48))
            issued = midnight + timedelta(hours=hour)
            rows.append(
                (f"{midnight:%m%d} {issued:%m%d%H}", midnight.date(), round(max(0.0, fallen + error), 1), issued)
            )
    return pl.DataFrame(rows, schema=["run", "day", "rain", "issued"], orient="row").with_columns(
        pl.col("issued").dt.strftime("%Y-%m-%d %H:%M")
    )


def project(hours: tuple[int, ...]) -> Project:
    """Flooded cellars by zone and day, beside the archive of forecasts."""
    rain, calls = rain_and_calls()
    return panel(
        settings={
            "sources": {
                "forecast": {
                    "files": "forecast.csv",
                    "key": "run",
                    "time": {"columns": ["day"], "zone": "America/New_York", "available": "issued"},
                }
            },
            "features": [
                {"history": {"windows": ["7d", "28d"], "weekday": [], "lags": [], "since": False}},
                {"forecast": {"nearest": "forecast", "columns": ["rain"], "known_ahead": True}},
            ],
        },
        tables={"calls": calls, "forecast": forecasts(rain, hours)},
    )


LEAK = project((-66, -54, -42, -30, -18, -6, 6, 18))
TWIN = project((-66, -54, -42, -30))
