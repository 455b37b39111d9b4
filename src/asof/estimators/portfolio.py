"""The fixed portfolio: good recipes that are tried before any tuning, cheap and strong ones first."""

from dataclasses import replace

from asof.encoders import EncoderPlan
from asof.errors import DataError
from asof.estimators import BASELINES, ESTIMATORS
from asof.recipes import Recipe

CODES = (EncoderPlan("categories"),)
"""For estimators that split on categories themselves."""
MEANS = (EncoderPlan("target_mean"),)
"""For trees that read numbers and take unknown ones."""
FILLED = (EncoderPlan("target_mean"), EncoderPlan("impute"))
CALENDAR = EncoderPlan("onehot", {"numbers": ["*weekday", "*hour"]})
"""A month is left a number: with a year or two of history its own level would be that of one stretch."""
RATES = (
    CALENDAR,
    EncoderPlan("target_mean"),
    EncoderPlan("log", {"share": 0.001}),
    EncoderPlan("impute"),
    EncoderPlan("scale", {"least": 1.0}),
)
"""For the log link: every rate as its logarithm. Columns that hardly vary (the level of the whole city, with a year or
two of history) keep their small size, so that the penalty holds their coefficients back."""
LINEAR = (
    CALENDAR,
    EncoderPlan("target_mean"),
    EncoderPlan("log", {"share": 0.1, "skew": 2.0}),
    EncoderPlan("impute"),
    EncoderPlan("scale"),
)
"""For the identity link: only long tails as logarithms, and one size."""


def baselines(task: str, classes: int = 0) -> tuple[Recipe, ...]:
    """Return the recipes that every model must beat: those of our baselines that fit the task."""
    fit = [name for name in BASELINES if task in ESTIMATORS[name]().tasks]
    return tuple(Recipe(name, (), name, task=task, classes=classes) for name in fit)


def portfolio(task: str, *, classes: int = 0) -> tuple[Recipe, ...]:
    """Return the default recipes of a task, in the order in which they are tried.

    Args:
        task: ``count``, ``number`` or ``class``.
        classes: number of classes, for the task ``class``.

    Raises:
        DataError: another task, or fewer than two classes.
    """
    if task == "class":
        return _of_classes(classes)
    linear = Recipe("linear", LINEAR, "linear", task=task)
    light = Recipe("lightgbm", CODES, "lightgbm", task=task)
    boosters = (Recipe("xgboost", MEANS, "xgboost", task=task), Recipe("catboost", MEANS, "catboost", task=task))
    forests = tuple(Recipe(name, FILLED, name, task=task) for name in ("extra_trees", "random_forest"))
    if task == "count":
        regression = Recipe("poisson", RATES, "poisson", task=task)
        firm = Recipe("poisson_firm", RATES, "poisson", {"alpha": 0.03}, task=task)  # for a short history
        corrected = Recipe("poisson_boosted", RATES, "poisson_boosted", task=task)
        tweedie = Recipe("lightgbm_tweedie", CODES, "lightgbm", loss="tweedie", task=task)
        return (regression, firm, corrected, light, *boosters, tweedie, linear, *forests)
    if task == "number":
        return (linear, light, *boosters, *forests)
    raise DataError(f"no task {task!r}; expected count, number or class")


def _of_classes(classes: int) -> tuple[Recipe, ...]:
    if classes < 2:
        raise DataError(f"{classes} classes; expected two or more: a label that is always the same needs no model")
    means = EncoderPlan("target_mean", {"classes": classes} if classes > 2 else {})
    filled = (means, EncoderPlan("impute"))
    line = (
        CALENDAR,
        means,
        EncoderPlan("log", {"share": 0.1, "skew": 2.0}),
        EncoderPlan("impute"),
        EncoderPlan("scale"),
    )
    made = (
        Recipe("logistic", line, "logistic"),
        Recipe("lightgbm", CODES, "lightgbm"),
        Recipe("xgboost", (means,), "xgboost"),
        Recipe("catboost", (means,), "catboost"),
        Recipe("extra_trees", filled, "extra_trees"),
        Recipe("random_forest", filled, "random_forest"),
    )
    return tuple(replace(recipe, task="class", classes=classes) for recipe in made)
