"""Days are called wet or dry by the quantiles of the whole table, in which later storms move the borders."""

from tests.leaks.worlds import panel

SUBJECT = "wetness"
PLUGIN = '''
@asof.lookup
def wetness(questions, past):
    """How wet the day before was, by thirds of the wet days."""
    weather = past.table("weather").rows.sort("_ended")
    told = []
    for as_of, asked in questions.with_row_index().group_by("as_of"):
        known = weather.filter(pl.col("_available") <= as_of[0])
        rain = known["rain"].last()
        wet = weather.filter(pl.col("rain") > 0)["rain"]
        borders = [wet.quantile(third, "nearest") for third in (1 / 3, 2 / 3)]
        name = ["dry", "wet", "very wet", "storm"][int(rain > 0) + sum(rain > border for border in borders)]
        told.append(asked.select("index", wetness=pl.lit(name)))
    return pl.concat(told).sort("index")["wetness"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("wet = weather.filter", "wet = known.filter"))
