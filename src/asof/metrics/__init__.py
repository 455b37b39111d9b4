"""Metrics: functions of labels and predictions that give one number, and their losses row by row.

A loss of a row is what a bootstrap resamples: nearly every metric is a plain function of weighted means of a few
columns (``parts``), so that 1,000 resamples cost 1,000 sums and not 1,000 passes over the rows.
"""

from collections.abc import Callable, Mapping

from numpy.typing import ArrayLike

from asof.errors import DataError
from asof.metrics.base import Floats, Metric, checked, of_losses
from asof.metrics.classes import PROBABILITY_FLOOR, accuracy, auc, brier, deciding, f1, log_loss, most_probable
from asof.metrics.numbers import (
    PREDICTION_FLOOR,
    auc_event,
    bias,
    mae,
    mape,
    median_ape,
    poisson_deviance,
    r2,
    rmse,
    rmsle,
    unit_poisson_deviance,
)

__all__ = [
    "DEFAULTS",
    "METRICS",
    "PREDICTION_FLOOR",
    "PROBABILITY_FLOOR",
    "Floats",
    "Metric",
    "deciding",
    "find",
    "fitting",
    "losses",
    "most_probable",
    "names",
    "of_losses",
    "owned",
    "unit_poisson_deviance",
]

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        poisson_deviance,
        rmse,
        mae,
        r2,
        rmsle,
        mape,
        median_ape,
        bias,
        auc_event,
        log_loss,
        brier,
        accuracy,
        auc,
        f1,
    )
}
"""Every metric by name."""
DEFAULTS: Mapping[str, str] = {"count": "poisson_deviance", "number": "rmse", "class": "log_loss"}
"""Metric of a task where none is named."""


def losses(name: str, label: ArrayLike, prediction: ArrayLike) -> Floats:
    """Loss of each row, n values, lower is better: of a metric by name; for ``r2`` the squared error.

    Raises:
        DataError: no metric of that name, or labels that it cannot judge.
    """
    metric = find(name)
    truth, told, _ = checked(metric, label, prediction, None)
    return metric.parts(truth, told)[0]


def find(name: str, own: Mapping[str, Metric] | None = None) -> Metric:
    """Return the metric called ``name``, of a project's ``own`` or of ours; raises DataError naming the known ones."""
    known = {**METRICS, **(own or {})}
    if name not in known:
        raise DataError(f"no metric {name!r}; expected one of {', '.join(sorted(known))}")
    return known[name]


def fitting(name: str, task: str, own: Mapping[str, Metric] | None = None) -> Metric:
    """Return the metric called ``name`` where it judges ``task`` (``count``, ``number`` or ``class``).

    Raises:
        DataError: no such metric, or one that does not judge the task; those that do are named.
    """
    fit = names(task, own)
    if name not in {**METRICS, **(own or {})}:
        raise DataError(f"no metric {name!r}; expected one of {', '.join(fit)}")
    metric = find(name, own)
    if task not in metric.tasks:
        raise DataError(f"metric {name} does not judge a {task}; expected one of {', '.join(fit)}")
    return metric


def names(task: str, own: Mapping[str, Metric] | None = None) -> tuple[str, ...]:
    """Names of the metrics that judge ``task``, sorted."""
    known = {**METRICS, **(own or {})}
    return tuple(sorted(name for name, metric in known.items() if task in metric.tasks))


def owned(functions: Mapping[str, Callable[..., ArrayLike]]) -> dict[str, Metric]:
    """Make metrics of a project's own functions by name; see ``of_losses`` for what such a function answers."""
    return {name: of_losses(name, function) for name, function in functions.items()}
