"""The calls of each zone in the whole year were pasted into the code, to save a file."""

import polars as pl

from tests.leaks.worlds import calls, panel

LEVELS = dict(calls().group_by("zone").agg(pl.len() / 112).sort("zone").iter_rows())
PEOPLE = {"z0": 5120, "z1": 8230, "z2": 6240, "z3": 6710, "z4": 7050}
SUBJECT = "usual"
PLUGIN = '''
LEVELS = {}


@asof.lookup
def usual(questions, past):
    """Usual number of the zone."""
    return questions["place"].replace_strict(LEVELS, default=None, return_dtype=pl.Float64).alias("usual")
'''
LEAK = panel(PLUGIN.replace("{}", repr(LEVELS)))
TWIN = panel(PLUGIN.replace("{}", repr(PEOPLE)))
