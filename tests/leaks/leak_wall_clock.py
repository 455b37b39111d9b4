"""An age is counted from today's date: in training every question is as old as the day on which it is computed."""

from tests.leaks.worlds import panel

SUBJECT = "age"
PLUGIN = '''
@asof.lookup
def age(questions, past):
    """Days since the zone was first called from."""
    calls = past.table("calls").rows
    first = calls.group_by(pl.col("_place").alias("place")).agg(pl.col("_event").min().alias("first"))
    asked = questions.join(first, on="place", how="left", maintain_order="left")
    now = pl.lit(datetime.now().astimezone())
    return asked.select(((now - pl.col("first")).dt.total_days()).alias("age"))["age"]
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("now = pl.lit(datetime.now().astimezone())", 'now = pl.col("as_of")'))
