"""Two clocks are joined by the nearest time: every second reading is one that comes after the question."""

from tests.leaks.worlds import panel

SUBJECT = "reading"
PLUGIN = '''
@asof.lookup
def reading(questions, past):
    """The river, as read nearest to the moment."""
    readings = past.table("weather").rows.drop_nulls("gauge").select("_available", "gauge").sort("_available")
    asked = questions.with_row_index().sort("as_of")
    found = asked.join_asof(readings, left_on="as_of", right_on="_available", strategy="nearest")
    return found.sort("index")["gauge"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('strategy="nearest"', 'strategy="backward"'))
