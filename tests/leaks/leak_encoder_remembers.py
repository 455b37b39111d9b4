"""A scaler keeps what it has seen in other folds, and scales the early ones by what came later."""

from tests.leaks.worlds import panel

SUBJECT = "Scaled"
PLUGIN = '''
@asof.encoder
class Scaled:
    """Numbers in standard deviations."""

    def __init__(self):
        self.seen = SEEN

    def fit(self, table):
        self.seen.append(table.features.select(pl.col(pl.Float64)))
        seen = pl.concat(self.seen)
        return {name: [seen[name].mean(), seen[name].std()] for name in seen.columns}

    def encode(self, features, state):
        return features.with_columns((pl.col(name) - mean) / (std or 1.0) for name, (mean, std) in state.items())


SEEN = []
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("self.seen = SEEN", "self.seen = []"))
