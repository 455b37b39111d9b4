"""Whether a zone was open is read off the events of the day itself: a day without any says so."""

from tests.leaks.worlds import panel

SUBJECT = "open"
PLUGIN = '''
@asof.lookup(name="open")
def opened(questions, past):
    """Whether a fire was reported by the zone."""
    zone = past.panel.zone
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    fires = past.table("calls").rows.filter(pl.col("kind") == "fire")
    days = fires.select(pl.col("_place").alias("place"), day, open=pl.lit(True)).unique()
    day = pl.col("start").dt.convert_time_zone(zone).dt.date() - timedelta(days=0)
    asked = questions.select("place", day=day)
    return asked.join(days, on=["place", "day"], how="left", maintain_order="left")["open"].fill_null(False)
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("timedelta(days=0)", "timedelta(days=7)"))
