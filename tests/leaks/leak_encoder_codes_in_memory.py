"""Categories are numbered as they come, test rows included, and the numbers are kept in memory only."""

from tests.leaks.worlds import panel

SUBJECT = "Numbered"
PLUGIN = '''
CODES = {}


@asof.encoder
class Numbered:
    """Text as numbers."""

    def fit(self, table):
        return {name: {} for name in table.features.select(pl.col(pl.String)).columns}

    def encode(self, features, state):
        for name in state:
            codes = [float(CODES.setdefault(value, len(CODES))) for value in features[name]]
            features = features.with_columns(pl.Series(name, codes))
        return features
'''
LEAK = panel(PLUGIN)
TWIN = panel('''
@asof.encoder
class Numbered:
    """Text as numbers."""

    def fit(self, table):
        text = table.features.select(pl.col(pl.String))
        return {column.name: sorted(set(column.drop_nulls())) for column in text}

    def encode(self, features, state):
        for name, values in state.items():
            codes = [float(values.index(value)) if value in values else -1.0 for value in features[name]]
            features = features.with_columns(pl.Series(name, codes))
        return features
''')
