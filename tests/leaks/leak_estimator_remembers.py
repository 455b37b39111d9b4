"""A model goes on from what it learnt before, as warm starts do, in whatever order the folds were run."""

from tests.leaks.worlds import panel

SUBJECT = "Warm"
PLUGIN = '''
@asof.estimator
class Warm(Linear):
    """Linear regression on the rows at hand."""

    seen = []

    def fit(self, table, job, watch=None):
        self.seen = [*self.seen, table]
        type(self).seen = self.seen
        features = pl.concat([one.features for one in self.seen])
        return super().fit(Table(features, pl.concat([one.label for one in self.seen])), job, watch)
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("        type(self).seen = self.seen\n", ""))
