"""Zones are ranked by their calls in the whole file, so that those that grow later are busy from the beginning."""

from tests.leaks.worlds import panel

SUBJECT = "standing"
PLUGIN = '''
@asof.lookup
def standing(questions, past):
    """Rank of the zone by its calls, busiest first."""
    calls = past.table("calls").rows
    ranks = []
    for as_of, asked in questions.with_row_index().group_by("as_of"):
        known = calls
        totals = known.group_by(pl.col("_place").alias("place")).agg(pl.len().alias("calls"))
        ranked = totals.with_columns(standing=pl.col("calls").rank("min", descending=True))
        ranks.append(asked.select("index", "place").join(ranked, on="place", how="left"))
    return pl.concat(ranks).sort("index")["standing"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("known = calls\n", 'known = calls.filter(pl.col("_available") <= as_of[0])\n'))
