"""Metrics: functions of labels and predictions that give one number, and their losses row by row.

A loss of a row is what a bootstrap resamples: every metric below is a plain function of weighted means of a few
columns (``parts``), so that 1,000 resamples cost 1,000 sums and not 1,000 passes over the rows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asof.errors import DataError

Floats = NDArray[np.float64]
PREDICTION_FLOOR = 1e-6
"""A Poisson mean is read as at least this: a prediction of 0 for a label of 1 costs 25.6, not infinity."""


@dataclass(frozen=True)
class Metric:
    """A way to judge predictions: ``finish`` of the weighted means of ``parts`` of each row."""

    name: str
    parts: Callable[[Floats, Floats], tuple[Floats, ...]]
    """(n labels, n predictions) -> columns of n values; the first is the loss of the row where there is one."""
    finish: Callable[..., Floats]
    """Means of the columns (numbers, or arrays of any one shape) -> value of the metric."""
    greater_is_better: bool = False
    loss: bool = True
    """Whether the value is a mean (or root mean) loss, so that 1 - loss / baseline's loss is a skill."""
    non_negative: bool = False
    """Whether negative labels are refused."""
    exact: Callable[[Floats, Floats, Floats | None], float] | None = None
    """A metric that is no function of means (a median) is computed by this instead."""

    def __call__(self, label: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        """Return the value over n rows.

        Raises:
            DataError: no rows, unknown values, different heights, or labels that the metric cannot judge.
        """
        truth, told, weights = _checked(self, label, prediction, weight)
        if self.exact is not None:
            return self.exact(truth, told, weights)
        means = [np.average(column, weights=weights) for column in self.parts(truth, told)]
        return float(self.finish(*means))


def losses(name: str, label: ArrayLike, prediction: ArrayLike) -> Floats:
    """Loss of each row, n values, lower is better: of a metric by name; for ``r2`` the squared error.

    Raises:
        DataError: no metric of that name, or labels that it cannot judge.
    """
    metric = find(name)
    truth, told, _ = _checked(metric, label, prediction, None)
    return metric.parts(truth, told)[0]


def find(name: str, own: Mapping[str, Metric] | None = None) -> Metric:
    """Return the metric called ``name``, of a project's ``own`` or of ours; raises DataError naming the known ones."""
    known = {**METRICS, **(own or {})}
    if name not in known:
        raise DataError(f"no metric {name!r}; expected one of {', '.join(sorted(known))}")
    return known[name]


def owned(functions: Mapping[str, Callable[..., ArrayLike]]) -> dict[str, Metric]:
    """Make metrics of a project's own functions by name; see ``of_losses`` for what such a function answers."""
    return {name: of_losses(name, function) for name, function in functions.items()}


def of_losses(name: str, function: Callable[[Floats, Floats], ArrayLike]) -> Metric:
    """Make a metric of a function (n labels, n predictions) -> n losses, lower is better; its value is their mean.

    Such a metric has intervals, skill and comparisons like ours.

    Raises:
        DataError: when it is used, if the function gives another number of losses, or losses that are not finite.
    """

    def parts(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
        made = np.asarray(function(label, prediction), dtype=np.float64)
        if made.shape != label.shape or not np.isfinite(made).all():
            raise DataError(f"{name}: expected {len(label)} finite losses, one a row; the function gave {made.shape}")
        return (made,)

    return Metric(name, parts, _same)


def _checked(
    metric: Metric, label: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, Floats, Floats | None]:
    truth = np.asarray(label, dtype=np.float64)
    told = np.asarray(prediction, dtype=np.float64)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != told.shape or (weights is not None and weights.shape != truth.shape):
        raise DataError(f"{metric.name}: {truth.shape} labels and {told.shape} predictions; expected one each per row")
    if not truth.size:
        raise DataError(f"{metric.name}: no rows to judge")
    for what, values in (("label", truth), ("prediction", told)):
        unknown = np.flatnonzero(~np.isfinite(values))
        if unknown.size:
            raise DataError(
                f"{metric.name}: {what} of row {unknown[0]} is unknown; leave out the {unknown.size} such rows"
            )
    if weights is not None and not (np.isfinite(weights).all() and weights.min() >= 0 and weights.sum() > 0):
        raise DataError(f"{metric.name}: weights must be finite, not negative, and not all zero")
    if metric.non_negative and truth.min() < 0:
        row = int(np.argmin(truth))
        raise DataError(f"{metric.name}: label of row {row} is {truth[row]:g}; this metric needs labels of 0 or more")
    return truth, told, weights


def unit_poisson_deviance(label: Floats, prediction: Floats) -> Floats:
    """Twice the log-likelihood ratio of a Poisson count, row by row: 2 (y log(y / mu) - (y - mu)).

    Source: McCullagh and Nelder, Generalized Linear Models, 2nd ed. 1989, section 2.3. Predictions below
    ``PREDICTION_FLOOR`` are read as the floor.
    """
    mean = np.maximum(prediction, PREDICTION_FLOOR)
    ratio = np.divide(label, mean, out=np.ones_like(mean), where=label > 0)
    deviance: Floats = 2 * (label * np.log(ratio) - (label - mean))
    return np.maximum(deviance, 0)


def _deviance(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    return (unit_poisson_deviance(label, prediction),)


def _squared(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    return ((label - prediction) ** 2,)


def _squared_with_moments(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    # moments about a fixed centre, so that their difference keeps its digits
    centred = label - label.mean()
    return (label - prediction) ** 2, centred, centred**2


def _absolute(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    return (np.abs(label - prediction),)


def _squared_log(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    return ((np.log1p(label) - np.log1p(np.maximum(prediction, 0))) ** 2,)


def _relative(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    if (label == 0).any():
        row = int(np.flatnonzero(label == 0)[0])
        raise DataError(f"label of row {row} is 0; a relative error needs labels other than 0: use mae or rmse")
    return (np.abs((label - prediction) / label),)


def _error(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    return (prediction - label,)


def _same(mean: Floats) -> Floats:
    return mean


def _root(mean: Floats) -> Floats:
    return np.sqrt(np.maximum(mean, 0))  # a mean that is resampled from running sums may be 0 less a rounding


def _explained(squared: Floats, centred: Floats, centred_squared: Floats) -> Floats:
    spread = np.asarray(centred_squared - centred**2)
    share: Floats = np.divide(
        squared, spread, out=np.full(np.shape(spread), np.nan), where=spread > 1e-12 * centred_squared
    )
    return 1 - share  # unknown where the labels are all equal, but for rounding


def _median_relative(label: Floats, prediction: Floats, weight: Floats | None) -> float:
    errors = _relative(label, prediction)[0]
    weights = np.ones(len(errors)) if weight is None else weight
    order = np.argsort(errors, kind="stable")
    order = order[weights[order] > 0]
    passed = np.cumsum(weights[order])
    half = passed[-1] / 2
    # where one half ends exactly at a row, the median lies midway to the next, as for an even number of rows
    middle = [np.searchsorted(passed, half, side) for side in ("left", "right")]
    return float(np.mean(errors[order][np.minimum(middle, len(order) - 1)]))


poisson_deviance = Metric("poisson_deviance", _deviance, _same, non_negative=True)
"""Mean unit Poisson deviance, for counts; 0 is perfect."""
rmse = Metric("rmse", _squared, _root)
"""Root of the mean squared error, in the unit of the label."""
mae = Metric("mae", _absolute, _same)
"""Mean absolute error, in the unit of the label."""
r2 = Metric("r2", _squared_with_moments, _explained, greater_is_better=True, loss=False)
"""Share of the variance of the labels that is explained; not a number where all labels are equal."""
rmsle = Metric("rmsle", _squared_log, _root, non_negative=True)
"""Root of the mean squared error of log(1 + value); predictions below 0 are read as 0."""
mape = Metric("mape", _relative, _same)
"""Mean absolute error relative to the label, a share and no percentage; labels of 0 are refused."""
median_ape = Metric("median_ape", _relative, _same, exact=_median_relative)
"""Median absolute error relative to the label, a share."""
bias = Metric("bias", _error, _same, loss=False)
"""Mean of prediction - label, in the unit of the label; 0 is best."""

METRICS: Mapping[str, Metric] = {
    metric.name: metric for metric in (poisson_deviance, rmse, mae, r2, rmsle, mape, median_ape, bias)
}
"""Every metric by name."""
