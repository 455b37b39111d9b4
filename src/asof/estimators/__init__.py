"""Estimators by name. One file a family; its library is imported when it learns or reads."""

import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import polars as pl

from asof.data import Finding, Severity
from asof.errors import DataError
from asof.estimators.base import Choice, Estimator, Files, Fitted, Job, Real, Space, Whole
from asof.estimators.baselines import Last, Mean, PlaceCalendar, PlaceRhythm, Seasonal
from asof.estimators.best_column import BestColumn
from asof.estimators.boosted_lines import LinearBoosted, PoissonBoosted
from asof.estimators.catboost import CatBoost
from asof.estimators.forests import ExtraTrees, RandomForest
from asof.estimators.kernel import Kernel
from asof.estimators.lightgbm import LightGBM
from asof.estimators.linear import Linear, Poisson
from asof.estimators.logistic import Logistic
from asof.estimators.two_part import TwoPart
from asof.estimators.xgboost import XGBoost

__all__ = [
    "BASELINES",
    "ESTIMATORS",
    "Choice",
    "Estimator",
    "Files",
    "Fitted",
    "Job",
    "Real",
    "Space",
    "Whole",
    "available",
    "failures",
    "make",
]

ESTIMATORS: Mapping[str, Callable[[], Estimator]] = {
    "mean": Mean,
    "last": Last,
    "seasonal": Seasonal,
    "place_calendar": PlaceCalendar,
    "place_rhythm": PlaceRhythm,
    "best_column": BestColumn,
    "linear": Linear,
    "logistic": Logistic,
    "poisson": Poisson,
    "poisson_boosted": PoissonBoosted,
    "two_part": TwoPart,
    "linear_boosted": LinearBoosted,
    "kernel": Kernel,
    "random_forest": RandomForest,
    "extra_trees": ExtraTrees,
    "lightgbm": LightGBM,
    "xgboost": XGBoost,
    "catboost": CatBoost,
}
"""Our estimators by name, cheapest first."""
BASELINES = ("mean", "last", "seasonal", "place_calendar", "place_rhythm", "best_column")
"""What every model must beat."""
NEEDS = {
    "xgboost": "xgboost",
    "catboost": "catboost",
    "lightgbm": "lightgbm",
    "poisson_boosted": "lightgbm",
    "linear_boosted": "lightgbm",
    "two_part": "lightgbm",
}
"""Library of an estimator that may be missing."""


def available(name: str) -> Finding | None:
    """None where the library of the estimator is installed, else a finding that names the extra."""
    library = NEEDS.get(name)
    if library is None or find_spec(library) is not None:
        return None
    message = f"{name} is left out: {library} is not installed; pip install 'asof[boosters]'"
    return Finding("candidates", Severity.NOTE, name, message)


def make(name: str, others: Mapping[str, Any] | None = None) -> Estimator:
    """Return the estimator of that name; ``others`` are those of plug-ins.

    Raises DataError for a name that nobody knows, or whose library is missing.
    """
    known = {**ESTIMATORS, **(others or {})}
    if name not in known:
        raise DataError(f"no estimator {name!r}; expected one of {', '.join(known)}")
    missing = available(name)
    if missing is not None:
        raise DataError(missing.message)
    estimator: Estimator = known[name]()
    return estimator


def failures() -> tuple[type[Exception], ...]:
    """Errors by which a candidate may fail without the others: ours, of numbers and tables, and of the boosters."""
    own = (("lightgbm.basic", "LightGBMError"), ("catboost", "CatBoostError"), ("xgboost.core", "XGBoostError"))
    loaded = [getattr(sys.modules[module], name) for module, name in own if module in sys.modules]
    return (DataError, ValueError, TypeError, ArithmeticError, RuntimeError, pl.exceptions.PolarsError, *loaded)
