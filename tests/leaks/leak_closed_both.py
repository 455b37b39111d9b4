"""A rolling window is closed on both sides, so that the day that is asked about lies in it."""

from tests.leaks.worlds import panel

SUBJECT = "window"
PLUGIN = '''
@asof.lookup
def window(questions, past):
    """Calls of the zone in a week."""
    zone = past.panel.zone
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    counts = past.table("calls").rows.group_by(pl.col("_place").alias("place"), day).agg(pl.len().alias("calls"))
    asked = questions.select("place", day=pl.col("start").dt.convert_time_zone(zone).dt.date(), calls=0)
    days = pl.concat([counts, asked.unique()], how="vertical_relaxed").group_by("place", "day").agg(pl.sum("calls"))
    week = pl.col("calls").cast(pl.Int64).rolling_sum_by("day", "7d", closed="both").over("place")
    days = days.sort("place", "day").with_columns(week=week)
    return asked.join(days, on=["place", "day"], how="left", maintain_order="left")["week"].fill_null(0)
'''
AT_ONCE = {"predict": {"horizon": "0h"}}
LEAK = panel(PLUGIN, AT_ONCE)
TWIN = panel(PLUGIN.replace('closed="both"', 'closed="left"'), AT_ONCE)
