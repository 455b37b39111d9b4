"""A jitter against ties is drawn anew at every call, so that no answer can be given twice."""

from tests.leaks.worlds import panel

SUBJECT = "jittered"
PLUGIN = '''
DRAW = np.random.default_rng()


@asof.lookup
def jittered(questions, past):
    """Number of the zone with a little noise, against ties."""
    number = questions["place"].str.slice(1).cast(pl.Float64)
    return number + pl.Series(DRAW.normal(0, 0.01, questions.height))
'''
LEAK = panel(PLUGIN)
TWIN = panel(
    PLUGIN.replace(
        "DRAW = np.random.default_rng()\n", "NOISE = np.random.default_rng(1).normal(0, 0.01, 10)\n"
    ).replace("pl.Series(DRAW.normal(0, 0.01, questions.height))", "pl.Series(NOISE[number.cast(pl.Int64)])")
)
