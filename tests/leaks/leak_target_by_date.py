"""The daily totals are joined to the questions by their date: the answer stands beside the question."""

from tests.leaks.worlds import panel

SUBJECT = "town"
PLUGIN = '''
@asof.lookup
def town(questions, past):
    """Calls of the whole town."""
    zone = past.panel.zone
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    counts = past.table("calls").rows.group_by(day).agg(pl.len().alias("calls"))
    asked = questions.select(day=pl.col("start").dt.convert_time_zone(zone).dt.date())
    return asked.join(counts, on="day", how="left", maintain_order="left")["calls"].fill_null(0)
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("asked = questions.select(day=", "asked = questions.select(day=-timedelta(days=2) + "))
