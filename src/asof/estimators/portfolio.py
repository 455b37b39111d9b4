"""The fixed portfolio: good recipes that are tried before any tuning, cheap and strong ones first."""

from asof.encoders import EncoderPlan
from asof.errors import DataError
from asof.estimators import BASELINES
from asof.recipes import Recipe

CODES = (EncoderPlan("categories"),)
"""For estimators that split on categories themselves."""
MEANS = (EncoderPlan("target_mean"),)
"""For trees that read numbers and take unknown ones."""
FILLED = (EncoderPlan("target_mean"), EncoderPlan("impute"))
LINEAR = (
    EncoderPlan("target_mean", {"keep": True}),
    EncoderPlan("onehot", {"numbers": ["*weekday", "*month", "*hour"]}),
    EncoderPlan("categories"),
    EncoderPlan("log"),
    EncoderPlan("impute"),
    EncoderPlan("scale"),
)
"""For linear models: everything a number, rates as logarithms, nothing unknown, one size."""


def baselines(task: str) -> tuple[Recipe, ...]:
    """Return the recipes that every model must beat."""
    return tuple(Recipe(name, (), name, task=task) for name in BASELINES)


def portfolio(task: str) -> tuple[Recipe, ...]:
    """Return the default recipes of a task (``count`` or ``number``), in the order in which they are tried."""
    linear = Recipe("linear", LINEAR, "linear", task=task)
    trees = (
        Recipe("lightgbm", CODES, "lightgbm", task=task),
        Recipe("xgboost", MEANS, "xgboost", task=task),
        Recipe("catboost", MEANS, "catboost", task=task),
    )
    forests = (
        Recipe("extra_trees", FILLED, "extra_trees", task=task),
        Recipe("random_forest", FILLED, "random_forest", task=task),
    )
    if task == "count":
        tweedie = Recipe("lightgbm_tweedie", CODES, "lightgbm", loss="tweedie", task=task)
        return (Recipe("poisson", LINEAR, "poisson", task=task), *trees, tweedie, linear, *forests)
    if task == "number":
        return (linear, *trees, *forests)
    raise DataError(f"no task {task!r}; expected count or number")
