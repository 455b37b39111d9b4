"""Today is read off UTC, where the next day has begun while the local evening still goes on."""

from tests.leaks.worlds import panel

SUBJECT = "yesterday"
PLUGIN = '''
@asof.lookup
def yesterday(questions, past):
    """Calls of the zone on the last day that is over."""
    local = past.table("calls").rows.with_columns(day=pl.col("at").str.slice(0, 10).str.to_date())
    counts = local.group_by("_place", "day").agg(pl.len().alias("calls"))
    today = pl.col("as_of").dt.date()
    asked = questions.select("place", day=today - timedelta(days=1))
    found = asked.join(counts, left_on=["place", "day"], right_on=["_place", "day"], how="left", maintain_order="left")
    return found["calls"].fill_null(0)
'''
EVENING = {"predict": {"horizon": "4h"}}
LEAK = panel(PLUGIN, EVENING)
TWIN = panel(
    PLUGIN.replace('"as_of").dt.date()', '"as_of").dt.convert_time_zone("America/New_York").dt.date()'), EVENING
)
