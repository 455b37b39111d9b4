"""A filter of signal processing smooths both ways, as such filters do unless they are told otherwise."""

from tests.leaks.worlds import panel

SUBJECT = "smoothed"
PLUGIN = '''
@asof.lookup
def smoothed(questions, past):
    """Rain of the days before, smoothed over five of them."""
    weather = past.table("weather").rows.sort("_ended")
    rain = weather["rain"].to_numpy()
    flat = np.convolve(rain, np.ones(5) / 5)[2 : len(rain) + 2]
    days = weather.select("_available").with_columns(smoothed=pl.Series(flat))
    asked = questions.with_row_index().sort("as_of")
    found = asked.join_asof(days, left_on="as_of", right_on="_available")
    return found.sort("index")["smoothed"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("[2 : len(rain) + 2]", "[: len(rain)]"))
