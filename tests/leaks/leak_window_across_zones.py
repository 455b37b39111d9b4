"""A window rolls over a table sorted by zone and day, across the border: early weeks average another's last ones."""

from tests.leaks.worlds import panel

SUBJECT = "lately"
PLUGIN = '''
@asof.lookup
def lately(questions, past):
    """Calls of the zone on its last 28 days."""
    zone = past.panel.zone
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    counts = past.table("calls").rows.group_by(pl.col("_place").alias("place"), day).agg(pl.len().cast(pl.Int64))
    counts = counts.sort("place", "day")
    counts = counts.with_columns(lately=pl.col("len").rolling_sum(28, min_samples=1))
    asked = questions.with_row_index().with_columns(day=pl.col("as_of").dt.convert_time_zone(zone).dt.date())
    found = asked.sort("day").join_asof(
        counts.sort("day"), on="day", by="place", allow_exact_matches=False, check_sortedness=False
    )
    return found.sort("index")["lately"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("min_samples=1)", 'min_samples=1).over("place")'))
