"""A running level is shifted by a day so as not to see today, but the table lies newest first: the shift is forward."""

from tests.leaks.worlds import panel

SUBJECTS = ("running_level",)
PLUGIN = '''
NEWEST_FIRST = True
BACK = 1


@asof.lookup
def running_level(questions, past):
    """Exponentially weighted calls a day of the zone, today left out."""
    zone = past.panel.zone
    calls = past.table("calls").rows.select("_place", day=pl.col("_event").dt.convert_time_zone(zone).dt.date())
    asked = questions.select("place", day=pl.col("start").dt.convert_time_zone(zone).dt.date())
    days = pl.date_range(calls["day"].min(), max(calls["day"].max(), asked["day"].max()), eager=True).alias("day")
    grid = asked.select("place").unique(maintain_order=True).join(days.to_frame(), how="cross")
    daily = calls.group_by(place="_place", day="day").agg(pl.len().alias("calls"))
    level = (
        grid.join(daily, on=["place", "day"], how="left")
        .with_columns(pl.col("calls").fill_null(0))
        .sort("place", "day", descending=[False, NEWEST_FIRST])
        .with_columns(level=pl.col("calls").ewm_mean(alpha=0.5).shift(BACK).over("place"))
    )
    return asked.join(level, on=["place", "day"], how="left", maintain_order="left")["level"].alias("running_level")
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("NEWEST_FIRST = True\nBACK = 1", "NEWEST_FIRST = False\nBACK = 2"))
