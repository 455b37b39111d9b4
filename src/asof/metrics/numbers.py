"""Metrics of counts and numbers."""

import math

import numpy as np

from asof.errors import DataError
from asof.metrics.base import Floats, Metric, same
from asof.metrics.classes import area, placements

PREDICTION_FLOOR = 1e-6
"""A Poisson mean is read as at least this: a prediction of 0 for a label of 1 costs 25.6, not infinity."""


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


def _event_area(label: Floats, prediction: Floats, weight: Floats | None) -> float:
    return area(label > 0, prediction, np.ones(len(label)) if weight is None else weight)


def _event_placements(label: Floats, prediction: Floats, weight: Floats | None) -> Floats:
    return placements(label > 0, prediction, np.ones(len(label)) if weight is None else weight)


poisson_deviance = Metric("poisson_deviance", _deviance, same, non_negative=True)
"""Mean unit Poisson deviance, for counts; 0 is perfect."""
rmse = Metric("rmse", _squared, _root)
"""Root of the mean squared error, in the unit of the label."""
mae = Metric("mae", _absolute, same)
"""Mean absolute error, in the unit of the label."""
r2 = Metric("r2", _squared_with_moments, _explained, greater_is_better=True, loss=False, bounds=(-math.inf, 1.0))
"""Share of the variance of the labels that is explained; not a number where all labels are equal."""
rmsle = Metric("rmsle", _squared_log, _root, non_negative=True)
"""Root of the mean squared error of log(1 + value); predictions below 0 are read as 0."""
mape = Metric("mape", _relative, same)
"""Mean absolute error relative to the label, a share and no percentage; labels of 0 are refused."""
median_ape = Metric("median_ape", _relative, same, exact=_median_relative)
"""Median absolute error relative to the label, a share."""
bias = Metric("bias", _error, same, loss=False)
"""Mean of prediction - label, in the unit of the label; 0 is best."""
auc_event = Metric(
    "auc_event",
    _error,
    same,
    greater_is_better=True,
    loss=False,
    non_negative=True,
    exact=_event_area,
    influence=_event_placements,
    bounds=(0.0, 1.0),
)
"""Chance that a label above 0 is told more than a label of 0; not a number where there are not both."""
