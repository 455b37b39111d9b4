"""A week is counted from the final table: rows that were entered days late are counted as if they had been there."""

from tests.leaks.worlds import panel

SUBJECT = "week"
PLUGIN = '''
@asof.lookup
def week(questions, past):
    """Calls of the zone in the seven days before."""
    calls = past.table("calls").rows.select("_ended", "_available", place="_place")
    counts = []
    for as_of, asked in questions.with_row_index().group_by("as_of"):
        known = calls.filter(pl.col("_ended") <= as_of[0], pl.col("_ended") > as_of[0] - timedelta(days=7))
        sums = known.group_by("place").agg(pl.len().alias("week"))
        counts.append(asked.select("index", "place").join(sums, on="place", how="left"))
    return pl.concat(counts).sort("index")["week"].fill_null(0)
'''
ENTERED = {"sources": {"calls": {"time": {"available": "reported"}, "covered": [["2021-01-01", "2021-04-23"]]}}}
LEAK = panel(PLUGIN, ENTERED)
TWIN = panel(PLUGIN.replace('pl.col("_ended") <= as_of[0]', 'pl.col("_available") <= as_of[0]'), ENTERED)
