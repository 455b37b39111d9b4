"""A rate is standardised by the mean and the deviation of the whole table before anything is split."""

from tests.leaks.worlds import panel

SUBJECT = "standing"
PLUGIN = '''
@asof.lookup
def standing(questions, past):
    """The rain of the day before, in standard deviations."""
    zone = past.panel.zone
    weather = past.table("weather").rows.with_columns(day=pl.col("day").str.to_date()).sort("day")
    rain = pl.col("rain")
    scaled = weather.with_columns(standing=(rain - rain.mean()) / rain.std())
    asked = questions.select(day=pl.col("as_of").dt.convert_time_zone(zone).dt.date() - timedelta(days=1))
    return asked.join(scaled, on="day", how="left", maintain_order="left")["standing"]
'''
LEAK = panel(PLUGIN)
SO_FAR = PLUGIN.replace("rain.mean()", "rain.cum_sum() / rain.cum_count()").replace("rain.std()", "rain.cum_max()")
TWIN = panel(SO_FAR.replace("in standard deviations", "as a share of the most so far"))
