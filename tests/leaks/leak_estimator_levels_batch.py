"""Predictions are brought to the level of the training rows, all that are asked together: alone, each is that level."""

from tests.leaks.worlds import panel

SUBJECT = "Levelled"
PLUGIN = '''
class Line(Coefficients):
    """A line whose answers keep the usual level."""

    def predict(self, features, threads=1):
        told = super().predict(features, threads)
        return told - told.mean() + self.intercept


@asof.estimator
class Levelled(Linear):
    """Linear regression that keeps the usual level."""

    def fit(self, table, job, watch=None):
        return Line(**vars(super().fit(table, job, watch)))

    def read(self, files):
        return Line(**vars(super().read(files)))
'''
LEAK = panel(PLUGIN)
TWIN = panel(PLUGIN.replace("told - told.mean() + self.intercept", "0.9 * told + 0.1 * self.intercept"))
