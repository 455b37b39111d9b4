"""Days to the next event are counted beside the days since the last one."""

from tests.leaks.worlds import panel

SUBJECT = "gap"
PLUGIN = '''
@asof.lookup
def gap(questions, past):
    """Hours between the question and the nearest fire of the zone."""
    fires = past.table("calls").rows.filter(pl.col("kind") == "fire").sort("_available")
    fires = fires.select("_available", place="_place")
    asked = questions.with_row_index().sort("as_of")
    found = asked.join_asof(
        fires, left_on="as_of", right_on="_available", by="place", strategy="forward", coalesce=False,
        check_sortedness=False,
    )
    hours = (pl.col("_available") - pl.col("as_of")).dt.total_minutes().abs() / 60
    return found.sort("index").select(hours.alias("gap"))["gap"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('strategy="forward"', 'strategy="backward"'))
