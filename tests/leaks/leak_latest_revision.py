"""A statistic is revised for weeks, and the table that is joined holds its last revision only."""

from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from tests.leaks.worlds import DAYS, FIRST, panel


def readings() -> pl.DataFrame:
    """Traffic of each day as ``published`` the next morning, and corrected ten days later."""
    draw = np.random.default_rng(8)
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    true = draw.normal(500, 40, DAYS).round()
    parts = []
    for wait, error in ((1, 60.0), (11, 0.0)):
        published = [datetime.combine(day + timedelta(days=wait), time(6)) for day in days]
        traffic = (true + draw.normal(0, error, DAYS)).round()
        parts.append(pl.DataFrame({"day": days, "published": published, "traffic": traffic}))
    return pl.concat(parts).with_columns(pl.col("published").dt.strftime("%Y-%m-%d %H:%M"))


SUBJECT = "traffic"
PLUGIN = '''
@asof.lookup
def traffic(questions, past):
    """Traffic of two days before."""
    readings = past.table("traffic").rows.sort("_available")
    told = []
    for as_of, asked in questions.with_row_index().group_by("as_of"):
        known = readings
        last = known.unique("day", keep="last").select("traffic", day=pl.col("day").str.to_date())
        day = pl.col("as_of").dt.convert_time_zone(past.panel.zone).dt.date() - timedelta(days=2)
        told.append(asked.select("index", day=day).join(last, on="day", how="left"))
    return pl.concat(told).sort("index")["traffic"]
'''
SOURCE = {
    "files": "traffic.csv",
    "delay": "6h",
    "key": ["day", "published"],
    "time": {"columns": ["day"], "zone": "America/New_York", "available": "published"},
}
LEAK = panel(PLUGIN, {"sources": {"traffic": SOURCE}}, {"traffic": readings()})
KNOWN = PLUGIN.replace("known = readings\n", 'known = readings.filter(pl.col("_available") <= as_of[0])\n')
TWIN = panel(KNOWN, {"sources": {"traffic": SOURCE}}, {"traffic": readings()})
