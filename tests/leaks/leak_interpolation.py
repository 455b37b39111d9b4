"""A weekly reading is interpolated to days: Thursday's value leans on next Monday's reading."""

from tests.leaks.worlds import panel

SUBJECT = "river"
PLUGIN = '''
@asof.lookup
def river(questions, past):
    """Height of the river on the day before."""
    weather = past.table("weather").rows.with_columns(day=pl.col("day").str.to_date()).sort("day")
    daily = weather.select("day", river=pl.col("gauge").interpolate())
    day = pl.col("as_of").dt.convert_time_zone(past.panel.zone).dt.date() - timedelta(days=1)
    return questions.select(day=day).join(daily, on="day", how="left", maintain_order="left")["river"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace(".interpolate()", ".forward_fill()"))
