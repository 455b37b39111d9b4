"""Totals by calendar week are joined by the week: until its Sunday the week is not over."""

from tests.leaks.worlds import panel

SUBJECT = "weekly"
PLUGIN = '''
@asof.lookup
def weekly(questions, past):
    """Calls of the zone in the calendar week."""
    zone = past.panel.zone
    monday = pl.col("_event").dt.convert_time_zone(zone).dt.date().dt.truncate("1w").alias("monday")
    totals = past.table("calls").rows.group_by(pl.col("_place").alias("place"), monday).agg(pl.len().alias("calls"))
    today = pl.col("as_of").dt.convert_time_zone(zone).dt.date()
    asked = questions.select("place", monday=today.dt.truncate("1w"))
    return asked.join(totals, on=["place", "monday"], how="left", maintain_order="left")["calls"].fill_null(0)
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('monday=today.dt.truncate("1w")', 'monday=(today - timedelta(days=7)).dt.truncate("1w")'))
