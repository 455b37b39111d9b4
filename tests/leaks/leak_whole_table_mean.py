"""The usual level of a zone is its mean over the whole file, later months included."""

from tests.leaks.worlds import panel

SUBJECT = "level"
LEAK = panel('''
@asof.lookup
def level(questions, past):
    """Calls a day of the zone."""
    calls = past.table("calls").rows
    days = (calls["_ended"].max() - calls["_ended"].min()) / timedelta(days=1)
    means = calls.group_by("_place").agg((pl.len() / days).alias("level"))
    return questions.join(means, left_on="place", right_on="_place", how="left", maintain_order="left")["level"]
''')
TWIN = panel('''
@asof.lookup
def level(questions, past):
    """Calls a day of the zone, so far."""
    calls = past.table("calls").rows
    begun = calls["_ended"].min()
    known = calls.select("_available", place="_place", calls=pl.int_range(1, pl.len() + 1).over("_place"))
    asked = questions.with_row_index().sort("as_of")
    found = asked.join_asof(
        known.sort("_available"), left_on="as_of", right_on="_available", by="place", check_sortedness=False
    )
    days = (pl.col("as_of") - begun) / timedelta(days=1)
    return found.sort("index").select((pl.col("calls") / days).alias("level"))["level"]
''')
