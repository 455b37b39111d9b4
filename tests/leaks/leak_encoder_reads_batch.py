"""Numbers are scaled by the rows at hand: the test part by its own mean, and a single question by itself."""

from tests.leaks.worlds import panel

SUBJECT = "Scaled"
LEAK = panel('''
@asof.encoder
class Scaled:
    """Numbers about their mean."""

    def fit(self, table):
        return {"columns": table.features.select(pl.col(pl.Float64)).columns}

    def encode(self, features, state):
        return features.with_columns(pl.col(name) - pl.col(name).mean() for name in state["columns"])
''')
TWIN = panel('''
@asof.encoder
class Scaled:
    """Numbers about their mean."""

    def fit(self, table):
        return {"means": table.features.select(pl.col(pl.Float64)).mean().row(0, named=True)}

    def encode(self, features, state):
        return features.with_columns(pl.col(name) - (mean or 0.0) for name, mean in state["means"].items())
''')
