"""A running total is taken after the day's own calls were added to it."""

from tests.leaks.worlds import panel

SUBJECT = "total"
PLUGIN = '''
@asof.lookup
def total(questions, past):
    """Calls of the zone since the beginning of the month."""
    zone = past.panel.zone
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    counts = past.table("calls").rows.group_by(pl.col("_place").alias("place"), day).agg(pl.len().alias("calls"))
    asked = questions.select("place", day=pl.col("start").dt.convert_time_zone(zone).dt.date(), calls=0)
    days = pl.concat([counts, asked.unique()], how="vertical_relaxed").group_by("place", "day").agg(pl.sum("calls"))
    running = pl.col("calls").cum_sum()
    month = pl.col("day").dt.truncate("1mo")
    days = days.sort("place", "day").with_columns(total=running.over("place", month))
    return asked.join(days, on=["place", "day"], how="left", maintain_order="left")["total"]
'''
AT_ONCE = {"predict": {"horizon": "0h"}}
LEAK = panel(PLUGIN, AT_ONCE)
TWIN = panel(PLUGIN.replace(".cum_sum()", '.cum_sum() - pl.col("calls")'), AT_ONCE)
