"""The latest level of each zone is remembered between calls: asked about March again, it answers with April's."""

from tests.leaks.worlds import panel

SUBJECT = "latest"
PLUGIN = '''
LATEST = {}


@asof.lookup
def latest(questions, past):
    """Calls of the zone so far, as last counted."""
    calls = past.table("calls").rows.select("_available", place="_place")
    for as_of in questions["as_of"].unique().sort():
        known = calls.filter(pl.col("_available") <= as_of)
        for place, count in known.group_by("place").agg(pl.len()).iter_rows():
            LATEST[place] = max(LATEST.get(place, 0), count)
    return pl.Series([LATEST.get(place) for place in questions["place"]])
'''
LEAK = panel(PLUGIN)
REMEMBERED = PLUGIN.replace("LATEST[place] = max(LATEST.get(place, 0), count)", "LATEST[place, as_of] = count")
TWIN = panel(
    REMEMBERED.replace(
        '[LATEST.get(place) for place in questions["place"]]',
        "[LATEST.get(pair) for pair in questions.select('place', 'as_of').iter_rows()]",
    )
)
