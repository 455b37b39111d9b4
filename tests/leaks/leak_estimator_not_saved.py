"""A part of what was learnt is kept in the object and not in its files: the model in service is another one."""

from tests.leaks.worlds import panel

SUBJECT = "Raised"
PLUGIN = '''
class Line(Coefficients):
    """A line whose answers are raised where it was too low in training."""

    ratio = 1.0

    def predict(self, features, threads=1):
        return self.ratio * super().predict(features, threads)

    def files(self):
        return {**super().files(), "ratio.json": str(self.ratio).encode()}

    canonical = files


@asof.estimator
class Raised(Linear):
    """Linear regression that is right on the whole."""

    def fit(self, table, job, watch=None):
        line = Line(**vars(super().fit(table, job, watch)))
        object.__setattr__(line, "ratio", 1.05 * table.label.sum() / line.predict(table.features).sum())
        return line

    def read(self, files):
        line = Line(**vars(super().read(files)))
        return line
'''
LEAK = panel(PLUGIN)
READ = 'object.__setattr__(line, "ratio", float(files["ratio.json"]))'
TWIN = panel(
    PLUGIN.replace("        return line\n'''", "").replace(
        "        line = Line(**vars(super().read(files)))\n",
        f"        line = Line(**vars(super().read(files)))\n        {READ}\n",
    )
)
