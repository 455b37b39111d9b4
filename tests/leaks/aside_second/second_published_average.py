"""The town's page gives an average of seven days for each day, and it is centred: three of them are to come."""

from datetime import timedelta

import polars as pl

from tests.leaks.worlds import DAYS, FIRST, calls, panel

SUBJECTS = ("trend", "trend_average", "average")
SETTINGS = {
    "sources": {
        "trend": {"files": "trend.csv", "key": "day", "time": {"columns": ["day"], "zone": "America/New_York"}}
    },
    "predict": {"per": {"place": None, "every": "1d"}, "horizon": "0h"},
    "features": [
        {"history": {"windows": ["3d", "7d", "28d"], "weekday": [], "lags": [], "since": False}},
        {"trend": {"nearest": "trend"}},
    ],
}


def trend(*, centred: bool) -> pl.DataFrame:
    """Return the average calls a day, over the week around each day or the week that ends with it."""
    days = pl.date_range(FIRST, FIRST + timedelta(days=DAYS - 1), eager=True).alias("day").to_frame()
    daily = calls().group_by(day=pl.col("at").str.slice(0, 10).str.to_date()).len("calls")
    average = pl.col("calls").fill_null(0).rolling_mean(7, min_samples=4, center=centred).round(2)
    return days.join(daily, on="day", how="left", maintain_order="left").select("day", average=average).drop_nulls()


LEAK = panel(settings=SETTINGS, tables={"trend": trend(centred=True)})
TWIN = panel(settings=SETTINGS, tables={"trend": trend(centred=False)})
