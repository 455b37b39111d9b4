"""The fixed portfolio: good recipes that are tried before any tuning, cheap and strong ones first."""

from dataclasses import dataclass, replace

import polars as pl

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
NEAR = EncoderPlan("near_mean")
"""Adds nothing where there are no coordinates."""
WORDS = EncoderPlan("words")
"""Adds nothing where no text is nearly different in every row."""
WIDE = (NEAR, WORDS, EncoderPlan("onehot", {**CALENDAR.options, "limit": 100}), *LINEAR[1:])
"""For rows that features tell well: up to a hundred values of a text have a level each, besides what goes with them."""
SIZES = tuple(EncoderPlan("log", {"share": 0.1, "skew": 0.5}) if plan.name == "log" else plan for plan in WIDE)
"""For a line on the log scale of the label: sizes as logarithms, so that a share more of one is a share more of it."""
LIGHT = {
    "num_leaves": 15,
    "min_data_in_leaf": 20,
    "feature_fraction": 0.4,
    "bagging_fraction": 0.9,
    "lambda_l2": 1.0,
    "cat_smooth": 10.0,
}
"""For labels that features tell well, as a price or a class; the defaults are for counts, which are mostly chance."""
FIRM_LINE = {"alpha": 1000.0}
FIRM_FOREST = {"min_samples_leaf": 10, "max_features": 0.2, "trees": 100}
"""For labels that are mostly chance, with more features than they can tell apart."""
EXTREME = {"min_child_weight": 3.0, "subsample": 0.9, "lambda": 1.0}
DEEP = {"min_samples_leaf": 3, "trees": 60, "max_samples": 20_000}
MIDDLES = frozenset({"rmsle", "mae", "mape", "median_ape"})
"""Metrics that ask for the middle of a skewed label; others ask for its mean."""
RELATIVE = frozenset({"rmsle"})
"""Metrics of ratios: nothing but logarithms is tried."""
AVERAGED = frozenset({"mean", "place_calendar", "best_column"})
"""Baselines that are means of labels, and so can be means of their logarithms."""
SKEWED = 1.0
"""Labels of 0 or more that are skewed beyond this are tried as logarithms too."""
EVENTS = (0.05, 0.98)
"""Share of zeros between which a label is read as an event that happens or not, with a size if it does."""


def baselines(task: str, classes: int = 0, metric: str = "") -> tuple[Recipe, ...]:
    """Return the recipes that every model must beat: those of our baselines that fit the task.

    Where ratios are judged, means are taken of logarithms: else any model would beat them by that alone.
    """
    fit = [name for name in BASELINES if task in ESTIMATORS[name]().tasks]
    logs = AVERAGED if metric in RELATIVE else frozenset()
    loss = {name: "log_squared" if name in logs else "" for name in fit}
    return tuple(Recipe(name, (), name, loss=loss[name], task=task, classes=classes) for name in fit)


@dataclass(frozen=True)
class Facts:
    """What the labels of a training table call for."""

    low: float
    """Smallest label."""
    zeros: float
    """Share of labels that are 0."""
    skew: float
    """Moment coefficient of skewness; 0 where all are equal."""


def facts(label: pl.Series) -> Facts:
    """Look at n labels, of which at least one is known."""
    numbers = label.cast(pl.Float64).drop_nulls().to_numpy()
    width = float(numbers.std())
    skew = float((((numbers - numbers.mean()) / width) ** 3).mean()) if width > 0 else 0.0
    return Facts(float(numbers.min()), float((numbers == 0).mean()), skew)


def portfolio(task: str, *, classes: int = 0, metric: str = "", label: Facts | None = None) -> tuple[Recipe, ...]:
    """Return the default recipes of a task, in the order in which they are tried.

    Args:
        task: ``count``, ``number`` or ``class``.
        classes: number of classes, for the task ``class``.
        metric: what decides; for numbers it says whether a mean or a middle is asked for.
        label: facts of the labels of numbers; none: nothing but that they are numbers.

    Raises:
        DataError: another task, or fewer than two classes.
    """
    if task == "count":
        return _of_counts()
    if task == "number":
        return _of_numbers(metric, label)
    if task == "class":
        return _of_classes(classes)
    raise DataError(f"no task {task!r}; expected count, number or class")


def names() -> tuple[str, ...]:
    """Names of all recipes that any portfolio may hold, in the order in which they are tried."""
    return tuple(estimators_of())


def estimators_of() -> dict[str, str]:
    """Estimator of each of these recipes, by name."""
    skewed, events = Facts(0.0, 0.0, SKEWED + 1), Facts(0.0, 0.5, SKEWED + 1)
    every = [
        *_of_counts(),
        *_of_numbers("rmse", skewed),
        *_of_numbers("rmse", events),
        *_of_numbers("rmsle", skewed),
        *_of_numbers("rmsle", events),
        *_of_numbers("rmse", None),
        *_of_classes(2),
    ]
    return {recipe.name: recipe.estimator for recipe in every}


def _of_counts() -> tuple[Recipe, ...]:
    made = (
        Recipe("poisson", RATES, "poisson"),
        Recipe("poisson_firm", RATES, "poisson", {"alpha": 0.03}),  # for a short history
        Recipe("poisson_boosted", RATES, "poisson_boosted"),
        Recipe("lightgbm", CODES, "lightgbm"),
        Recipe("xgboost", MEANS, "xgboost"),
        Recipe("catboost", MEANS, "catboost"),
        Recipe("lightgbm_tweedie", CODES, "lightgbm", loss="tweedie"),
        Recipe("linear", LINEAR, "linear"),
        Recipe("extra_trees", FILLED, "extra_trees"),
        Recipe("random_forest", FILLED, "random_forest"),
    )
    return tuple(replace(recipe, task="count") for recipe in made)


def _of_numbers(metric: str, label: Facts | None) -> tuple[Recipe, ...]:
    plain = (
        Recipe("linear", WIDE, "linear"),
        Recipe("kernel", WIDE, "kernel"),
        Recipe("linear_boosted", WIDE, "linear_boosted"),
        Recipe("lightgbm", (NEAR, WORDS, *CODES), "lightgbm", LIGHT),
        Recipe("catboost", (NEAR, WORDS, *MEANS), "catboost"),
        Recipe("xgboost", (NEAR, WORDS, *MEANS), "xgboost", EXTREME),
        Recipe("lightgbm_firm", CODES, "lightgbm"),
        Recipe("extra_trees", FILLED, "extra_trees", DEEP),
        Recipe("random_forest", FILLED, "random_forest", DEEP),
    )
    made = list(plain)
    if label is not None and label.low >= 0:
        loss = "log_squared" if metric in MIDDLES else "log_mean"
        logs = [
            replace(
                recipe,
                name=f"{recipe.name}_log",
                loss=loss,
                encoders=SIZES if recipe.encoders == WIDE else recipe.encoders,
            )
            for recipe in plain
        ]
        if metric in RELATIVE:
            made = logs
        elif label.skew > SKEWED:
            # every second one, so that a short budget has seen both
            made = [each for pair in zip(logs, plain, strict=True) for each in pair]
        if EVENTS[0] < label.zeros < EVENTS[1]:
            tweedie = Recipe("lightgbm_tweedie", (NEAR, WORDS, *CODES), "lightgbm", LIGHT, loss="tweedie")
            parts = Recipe("two_part", CODES, "two_part")
            if metric in RELATIVE:
                # means come last: they are tried, but it is the mean of logarithms that is asked for
                made = [*_of_event_logs(), *made, tweedie, parts]
            else:
                made[2:2] = [tweedie, parts]
    return tuple(replace(recipe, task="number") for recipe in made)


def _of_event_logs() -> tuple[Recipe, ...]:
    """For an event or none, with a size of wide range: its logarithm, held firmly, and as chance times size."""
    made = (
        Recipe("linear_firm_log", SIZES, "linear", FIRM_LINE),
        Recipe("random_forest_firm_log", FILLED, "random_forest", FIRM_FOREST),
        Recipe("two_part_log", CODES, "two_part"),
    )
    return tuple(replace(recipe, loss="log_squared") for recipe in made)


def _of_classes(classes: int) -> tuple[Recipe, ...]:
    if classes < 2:
        raise DataError(f"{classes} classes; expected two or more: a label that is always the same needs no model")
    means = EncoderPlan("target_mean", {"classes": classes} if classes > 2 else {})
    near = (NEAR,) if classes == 2 else ()  # of several classes a mean code says nothing
    filled = (WORDS, means, EncoderPlan("impute"))
    line = tuple(means if plan.name == "target_mean" else plan for plan in (*near, *WIDE[1:]))
    made = (
        Recipe("logistic", line, "logistic"),
        Recipe("catboost", (*near, WORDS, means), "catboost"),
        Recipe("lightgbm", (*near, WORDS, *CODES), "lightgbm", LIGHT),
        Recipe("xgboost", (*near, WORDS, means), "xgboost", EXTREME),
        Recipe("extra_trees", filled, "extra_trees", DEEP),
        Recipe("random_forest", filled, "random_forest", DEEP),
        Recipe("lightgbm_firm", CODES, "lightgbm"),
    )
    return tuple(replace(recipe, task="class", classes=classes) for recipe in made)
