"""A rolling mean is centred on its day, as for a chart: half of the window lies ahead."""

from tests.leaks.worlds import panel

SUBJECT = "smooth"
PLUGIN = '''
@asof.lookup
def smooth(questions, past):
    """Mean of the week about the last whole day."""
    zone = past.panel.zone
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    counts = past.table("calls").rows.group_by("_place", day).agg(pl.len().alias("calls")).sort("_place", "day")
    week = pl.col("calls").cast(pl.Int64).rolling_sum(7, min_samples=1, center=True).over("_place")
    counts = counts.with_columns(week=week)
    asked = questions.with_row_index().with_columns(day=pl.col("as_of").dt.convert_time_zone(zone).dt.date())
    found = asked.sort("day").join_asof(
        counts.sort("day"), on="day", by_left="place", by_right="_place",
        allow_exact_matches=False, check_sortedness=False,
    )
    return found.sort("index")["week"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace(", center=True", ""))
