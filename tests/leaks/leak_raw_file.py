"""A lookup opens the raw file itself, past everything that keeps to the time, and joins the day's own total."""

from tests.leaks.worlds import panel

SUBJECT = "town"
PLUGIN = '''
@asof.lookup
def town(questions, past):
    """Calls of the zone."""
    calls = pl.read_csv(Path(__file__).parent / "calls.csv")
    calls = calls.select(place="zone", day=pl.col("at").str.slice(0, 10).str.to_date())
    counts = calls.group_by("place", "day").agg(pl.len().alias("calls"))
    day = pl.col("start").dt.convert_time_zone(past.panel.zone).dt.date()
    asked = questions.select("place", day=day)
    return asked.join(counts, on=["place", "day"], how="left", maintain_order="left")["calls"].fill_null(0)
'''
LEAK = panel(PLUGIN)
TWIN = panel('''
@asof.lookup
def town(questions, past):
    """Calls of the zone, two days before."""
    calls = past.table("calls").rows
    calls = calls.select(place="_place", day=pl.col("at").str.slice(0, 10).str.to_date())
    counts = calls.group_by("place", "day").agg(pl.len().alias("calls"))
    day = pl.col("start").dt.convert_time_zone(past.panel.zone).dt.date() - timedelta(days=2)
    asked = questions.select("place", day=day)
    return asked.join(counts, on=["place", "day"], how="left", maintain_order="left")["calls"].fill_null(0)
''')
