"""The mean label of a fine category is given to the very rows that it was made of."""

from tests.leaks.worlds import panel

SUBJECT = "MeanLabel"
PLUGIN = '''
@asof.lookup
def block(questions, past):
    """Zone and weekday."""
    return questions["place"] + questions["start"].dt.convert_time_zone(past.panel.zone).dt.strftime(" %A")


@asof.encoder
class MeanLabel:
    """The block as the mean label that it had."""

    def fit(self, table):
        rows = table.features.select("block", label=table.label)
        means = rows.group_by("block").agg(pl.mean("label")).sort("block")
        return {"means": dict(means.iter_rows()), "usual": table.label.mean()}

    def encode(self, features, state):
        means = pl.col("block").replace_strict(state["means"], default=state["usual"], return_dtype=pl.Float64)
        return features.with_columns(block=means)
'''
LEAK = panel(PLUGIN)
OUT_OF_FOLD = """
    def encode_training(self, table, state):
        parts = []
        for rows in np.array_split(np.random.default_rng(1).permutation(len(table)), 5):
            others = np.setdiff1d(np.arange(len(table)), rows)
            part = Table(table.features[others], table.label[others])
            parts.append(self.encode(table.features[rows], self.fit(part)).with_columns(row=pl.Series(rows)))
        return pl.concat(parts).sort("row").drop("row")
"""
TWIN = panel(PLUGIN + OUT_OF_FOLD)
