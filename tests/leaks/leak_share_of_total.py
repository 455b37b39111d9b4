"""A running count is divided by the total of the whole file, so that it tells how much is still to come."""

from tests.leaks.worlds import panel

SUBJECT = "share"
PLUGIN = '''
@asof.lookup
def share(questions, past):
    """Share of the zone in the calls of the town."""
    calls = past.table("calls").rows.sort("_available")
    own = calls.select("_available", place="_place", own=pl.int_range(1, pl.len() + 1).over("_place"))
    town = calls.select("_available", town=pl.int_range(1, pl.len() + 1))
    asked = questions.with_row_index().sort("as_of")
    found = asked.join_asof(own, left_on="as_of", right_on="_available", by="place", check_sortedness=False)
    found = found.drop("_available", strict=False).join_asof(town, left_on="as_of", right_on="_available")
    return found.sort("index").select((pl.col("own") / calls.height).alias("share"))["share"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("calls.height", 'pl.col("town")'))
