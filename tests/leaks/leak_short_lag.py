"""Yesterday's count is used as a lag, though the question is asked two days ahead."""

from tests.leaks.worlds import panel

SUBJECT = "lagged"
PLUGIN = '''
LAG = timedelta(days=1)


@asof.lookup
def lagged(questions, past):
    """Calls of the zone, the lag before the day."""
    zone = past.panel.zone
    calls = past.table("calls").rows
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date()
    counts = calls.group_by("_place", (day + LAG).alias("day")).agg(pl.len().alias("calls"))
    asked = questions.select("place", day=pl.col("start").dt.convert_time_zone(zone).dt.date())
    found = asked.join(counts, left_on=["place", "day"], right_on=["_place", "day"], how="left", maintain_order="left")
    return found["calls"].fill_null(0)
'''
AHEAD = {"predict": {"horizon": "2d"}}
LEAK = panel(PLUGIN, AHEAD)
TWIN = panel(PLUGIN.replace("LAG = timedelta(days=1)", "LAG = timedelta(days=3)"), AHEAD)
