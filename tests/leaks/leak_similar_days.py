"""The most similar days are looked for in the whole table, and most of them lie ahead."""

from tests.leaks.worlds import panel

SUBJECT = "similar"
PLUGIN = '''
@asof.lookup
def similar(questions, past):
    """Mean calls of the town on the five days that followed the most similar rain."""
    zone = past.panel.zone
    local = pl.col("_event").dt.convert_time_zone(zone).dt.date()
    counts = past.table("calls").rows.group_by(local.alias("day")).agg(pl.len().alias("calls"))
    weather = past.table("weather").rows.select("rain", day=local + timedelta(days=1))
    days = counts.join(weather, on="day").sort("day")
    told = {}
    for as_of in questions["as_of"].unique().sort():
        today = as_of.astimezone(questions["as_of"].dt.convert_time_zone(zone)[0].tzinfo).date()
        rain = weather.filter(pl.col("day") == today)["rain"]
        pool = days.filter(pl.col("day") != today)
        alike = pool.sort((pl.col("rain") - rain.first()).abs(), "day").head(5)
        told[as_of] = alike["calls"].sum() / 5
    return questions["as_of"].replace_strict(told, return_dtype=pl.Float64)
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('pl.col("day") != today', 'pl.col("day") < today'))
