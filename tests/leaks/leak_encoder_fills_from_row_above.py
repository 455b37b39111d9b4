"""What is missing is taken from the row above, which is another zone, and for a single question is nobody."""

from tests.leaks.worlds import panel

SUBJECT = "Filled"
PLUGIN = '''
@asof.lookup
def river(questions, past):
    """The river, where it was read the day before."""
    zone = past.panel.zone
    weather = past.table("weather").rows.select("gauge", day=pl.col("day").str.to_date())
    day = pl.col("as_of").dt.convert_time_zone(zone).dt.date() - timedelta(days=1)
    return questions.select(day=day).join(weather, on="day", how="left", maintain_order="left")["gauge"]


@asof.encoder
class Filled:
    """No reading is missing."""

    def fit(self, table):
        return {"first": table.features["river"].mean()}

    def encode(self, features, state):
        return features.with_columns(pl.col("river").fill_null(strategy="forward").fill_null(state["first"]))
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace('.fill_null(strategy="forward")', ""))
