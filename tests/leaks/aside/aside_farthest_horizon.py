"""The same weekday of the week before is over for the nearer horizons, and for the farthest it is not."""

from tests.leaks.worlds import panel

SUBJECT = "week_before"

WEEK_BEFORE = '''
@asof.lookup
def week_before(questions, past):
    """Calls of the zone on the same weekday a week before."""
    day = pl.col("_event").dt.convert_time_zone(past.panel.zone).dt.date()
    counts = past.table("calls").rows.group_by(place="_place", day=day.dt.offset_by("7d")).len()
    start = pl.col("start").dt.convert_time_zone(past.panel.zone).dt.date()
    asked = questions.select("place", day=start)
    found = asked.join(counts, on=["place", "day"], how="left", maintain_order="left")
    return found["len"].fill_null(0).alias("week_before")
'''

LEAK = panel(WEEK_BEFORE, {"predict": {"horizon": ["1d", "3d", "7d"]}})
TWIN = panel(WEEK_BEFORE, {"predict": {"horizon": ["1d", "3d", "6d"]}})
