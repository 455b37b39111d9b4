"""The highest count so far includes the day that is asked about."""

from tests.leaks.worlds import panel

SUBJECT = "record"
PLUGIN = '''
@asof.lookup
def record(questions, past):
    """Most calls of the zone on one day so far."""
    zone = past.panel.zone
    day = pl.col("_event").dt.convert_time_zone(zone).dt.date().alias("day")
    counts = past.table("calls").rows.group_by(pl.col("_place").alias("place"), day).agg(pl.len().alias("calls"))
    counts = counts.sort("day").with_columns(record=pl.col("calls").cum_max().over("place"))
    today = pl.col("start").dt.convert_time_zone(zone).dt.date()
    asked = questions.with_row_index().with_columns(day=today).sort("day")
    found = asked.join_asof(counts, on="day", by="place", allow_exact_matches=True, check_sortedness=False)
    return found.sort("index")["record"]
'''
AT_ONCE = {"predict": {"horizon": "0h"}}
LEAK = panel(PLUGIN, AT_ONCE)
TWIN = panel(PLUGIN.replace("allow_exact_matches=True", "allow_exact_matches=False"), AT_ONCE)
