"""Measured weather is declared to be a forecast, so that the weather of the day itself may be read."""

from datetime import timedelta

import polars as pl

from tests.leaks.worlds import panel, weather


def forecast() -> pl.DataFrame:
    """Rain as forecast two days before, with the error that forecasts have."""
    noise = pl.Series([(7 * number) % 11 - 5 for number in range(weather().height)])
    rain = (pl.col("rain") + noise).clip(0)
    return weather().select("day", rain, issued=pl.col("day") - timedelta(days=2))


SUBJECT = "sky_rain"
HISTORY = {"history": {"windows": ["3d", "7d", "28d"], "weekday": [], "lags": [], "since": False}}
FEATURES = {"features": [HISTORY, {"sky": {"nearest": "weather", "columns": ["rain"], "known_ahead": True}}]}
LEAK = panel(settings=FEATURES)
ISSUED = {"sources": {"weather": {"time": {"available": "issued"}}}}
TWIN = panel(settings={**FEATURES, **ISSUED}, tables={"weather": forecast()})
