"""Rows are drawn by a generator that nobody seeded: no run can be repeated, and the best draw is kept."""

from tests.leaks.worlds import panel

SUBJECT = "Bagged"
PLUGIN = '''
@asof.estimator
class Bagged(Linear):
    """Linear regression on a bootstrap of the rows."""

    def fit(self, table, job, watch=None):
        rows = np.random.default_rng().integers(len(table), size=2 * len(table))
        return super().fit(Table(table.features[rows], table.label[rows]), job, watch)
'''
BY_SQUARES = {"judge": {"metric": "rmse"}}
LEAK = panel(PLUGIN, BY_SQUARES)
TWIN = panel(PLUGIN.replace("default_rng()", "default_rng(job.seed)"), BY_SQUARES)
