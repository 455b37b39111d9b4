"""The weather that was measured on a day is joined to that day, as if it could have been known before."""

from tests.leaks.worlds import panel

SUBJECT = "rain"
PLUGIN = '''
@asof.lookup
def rain(questions, past):
    """Rain in mm."""
    weather = past.table("weather").rows.select("rain", day=pl.col("day").str.to_date())
    day = pl.col("start").dt.convert_time_zone(past.panel.zone).dt.date()
    return questions.select(day=day).join(weather, on="day", how="left", maintain_order="left")["rain"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace(".dt.date()\n", ".dt.date() - timedelta(days=2)\n"))
