"""Gaps are filled forward after the rows were sorted newest first: every gap takes the reading that follows it."""

from tests.leaks.worlds import panel

SUBJECT = "river"
PLUGIN = '''
@asof.lookup
def river(questions, past):
    """Height of the river on the day before."""
    zone = past.panel.zone
    weather = past.table("weather").rows.with_columns(day=pl.col("day").str.to_date())
    filled = weather.sort("day", descending=True).with_columns(pl.col("gauge").forward_fill())
    yesterday = pl.col("as_of").dt.convert_time_zone(zone).dt.date() - timedelta(days=1)
    asked = questions.select(day=yesterday)
    return asked.join(filled, on="day", how="left", maintain_order="left")["gauge"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('.sort("day", descending=True)', '.sort("day")'))
