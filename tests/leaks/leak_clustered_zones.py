"""Zones are put into groups by how they did in the whole file, before anything is split."""

from tests.leaks.worlds import panel

SUBJECT = "cluster"
PLUGIN = '''
@asof.lookup
def cluster(questions, past):
    """Whether calls of the zone grow, stay or fall."""
    calls = past.table("calls").rows.select("_available", place="_place")
    told = []
    for as_of, asked in questions.with_row_index().group_by("as_of"):
        known = calls
        middle = pl.col("_available").min() + (pl.col("_available").max() - pl.col("_available").min()) / 2
        growth = (pl.col("_available") > middle).mean()
        name = pl.when(growth > 0.55).then(pl.lit("grows")).when(growth < 0.45).then(pl.lit("falls"))
        groups = known.group_by("place").agg(name.otherwise(pl.lit("stays")).alias("cluster"))
        told.append(asked.select("index", "place").join(groups, on="place", how="left"))
    return pl.concat(told).sort("index")["cluster"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("known = calls\n", 'known = calls.filter(pl.col("_available") <= as_of[0])\n'))
