"""The most frequent value is the first after a sort, and among equals chance decides which one stands first."""

from tests.leaks.worlds import panel

SUBJECT = "usual"
PLUGIN = '''
@asof.lookup
def usual(questions, past):
    """Most frequent kind of call of the zone in three days."""
    calls = past.table("calls").rows.select("_available", "kind", place="_place")
    told = []
    for as_of, asked in questions.with_row_index().group_by("as_of"):
        within = pl.col("_available").is_between(as_of[0] - timedelta(days=3), as_of[0])
        counts = calls.filter(within).group_by("place", "kind").len()
        first = counts.sort("len", descending=True).unique("place", keep="first", maintain_order=True)
        told.append(asked.select("index", "place").join(first, on="place", how="left"))
    return pl.concat(told).sort("index")["kind"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('counts.sort("len", descending=True)', 'counts.sort("len", "kind", descending=True)'))
