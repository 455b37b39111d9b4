"""A shift has the wrong sign: the lag of a day is the count of the day after."""

from tests.leaks.worlds import panel

SUBJECT = "before"
PLUGIN = '''
SHIFT = -1


@asof.lookup
def before(questions, past):
    """Calls of the zone one day earlier."""
    zone = past.panel.zone
    today = pl.col("as_of").dt.convert_time_zone(zone).dt.date()
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    counts = past.table("calls").rows.group_by(pl.col("_place").alias("place"), day).agg(pl.len().alias("calls"))
    asked = questions.select("place", day=today)
    days = pl.date_range(counts["day"].min(), counts["day"].max() + timedelta(days=1), eager=True)
    grid = counts.select("place").unique().join(days.alias("day").to_frame(), how="cross")
    days = grid.join(counts, on=["place", "day"], how="left").with_columns(pl.col("calls").fill_null(0))
    days = days.sort("place", "day").with_columns(before=pl.col("calls").shift(SHIFT).over("place"))
    return asked.join(days, on=["place", "day"], how="left", maintain_order="left")["before"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("SHIFT = -1", "SHIFT = 1"))
