"""What a metric is, and what it refuses to judge."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from asof.errors import DataError

Floats = NDArray[np.float64]
NUMBERS = frozenset({"count", "number"})
CLASSES = frozenset({"class"})
OFF_ONE = 1e-6
"""Probabilities of a row may sum to 1 give or take this."""


@dataclass(frozen=True)
class Metric:
    """A way to judge predictions: ``finish`` of the weighted means of ``parts`` of each row.

    Predictions are n numbers, or for classes n x k probabilities; labels of classes are codes 0..k-1.
    """

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
    influence: Callable[[Floats, Floats, Floats | None], Floats] | None = None
    """(labels, predictions, weights) -> n values whose weighted mean is ``exact``'s answer and that move with it as
    rows come and go, so that it has an interval too; none: it has none."""
    tasks: frozenset[str] = NUMBERS
    """What it judges: ``count``, ``number``, ``class``."""
    bounds: tuple[float, float] = (-math.inf, math.inf)
    """The least and the most that the value can be."""
    decides: bool = False
    """Whether it judges the class that is decided on, and not its probability: see ``deciding``."""

    def __call__(self, label: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None = None) -> float:
        """Return the value over n rows.

        Raises:
            DataError: no rows, unknown values, different heights, or labels that the metric cannot judge.
        """
        truth, told, weights = checked(self, label, prediction, weight)
        if self.exact is not None:
            return self.exact(truth, told, weights)
        means = [np.average(column, weights=weights) for column in self.parts(truth, told)]
        return float(self.finish(*means))

    @property
    def resamples(self) -> bool:
        """Whether a bootstrap has something to resample: means of columns, or what each row adds."""
        return self.exact is None or self.influence is not None

    def resampled(
        self, label: Floats, prediction: Floats, weight: Floats | None = None
    ) -> tuple[tuple[Floats, ...], Callable[..., Floats]]:
        """Columns of n values and what is made of their means, for a bootstrap."""
        if self.influence is None:
            return self.parts(label, prediction), self.finish
        return (self.influence(label, prediction, weight),), same


def of_losses(name: str, function: Callable[[Floats, Floats], ArrayLike]) -> Metric:
    """Make a metric of a function (n labels, n predictions) -> n losses, lower is better; its value is their mean.

    Such a metric has intervals, skill and comparisons like ours. For classes it is given n x k probabilities.

    Raises:
        DataError: when it is used, if the function gives another number of losses, or losses that are not finite.
    """

    def parts(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
        made = np.asarray(function(label, prediction), dtype=np.float64)
        if made.shape != label.shape or not np.isfinite(made).all():
            raise DataError(f"{name}: expected {len(label)} finite losses, one a row; the function gave {made.shape}")
        return (made,)

    return Metric(name, parts, same, tasks=NUMBERS | CLASSES)


def checked(
    metric: Metric, label: ArrayLike, prediction: ArrayLike, weight: ArrayLike | None
) -> tuple[Floats, Floats, Floats | None]:
    """Return labels, predictions and weights as arrays that ``metric`` can judge; raises DataError otherwise."""
    truth = np.asarray(label, dtype=np.float64)
    told = np.asarray(prediction, dtype=np.float64)
    weights = None if weight is None else np.asarray(weight, dtype=np.float64)
    _check_shapes(metric, truth, told)
    if weights is not None and weights.shape != truth.shape:
        raise DataError(f"{metric.name}: {truth.shape} labels and {weights.shape} weights; expected one each per row")
    for what, values in (("label", truth), ("prediction", told)):
        unknown = np.flatnonzero(~np.isfinite(values.reshape(len(truth), -1)).all(axis=1))
        if unknown.size:
            raise DataError(
                f"{metric.name}: {what} of row {unknown[0]} is unknown; leave out the {unknown.size} such rows"
            )
    if weights is not None and not (np.isfinite(weights).all() and weights.min() >= 0 and weights.sum() > 0):
        raise DataError(f"{metric.name}: weights must be finite, not negative, and not all zero")
    if metric.non_negative and truth.min() < 0:
        row = int(np.argmin(truth))
        raise DataError(f"{metric.name}: label of row {row} is {truth[row]:g}; this metric needs labels of 0 or more")
    if told.ndim == 2:
        _check_classes(metric, truth, told)
    return truth, told, weights


def _check_shapes(metric: Metric, truth: Floats, told: Floats) -> None:
    if truth.ndim != 1 or told.ndim not in {1, 2} or truth.shape != told.shape[:1]:
        raise DataError(f"{metric.name}: {truth.shape} labels and {told.shape} predictions; expected one each per row")
    if not truth.size:
        raise DataError(f"{metric.name}: no rows to judge")
    if told.ndim == 2 and not metric.tasks & CLASSES:
        raise DataError(f"{metric.name}: judges numbers, and these are probabilities of {told.shape[1]} classes")
    if told.ndim == 1 and not metric.tasks & NUMBERS:
        raise DataError(f"{metric.name}: judges probabilities of classes (rows x classes), and these are numbers")


def _check_classes(metric: Metric, truth: Floats, told: Floats) -> None:
    count = told.shape[1]
    wrong = np.flatnonzero((truth != np.round(truth)) | (truth < 0) | (truth >= count))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(f"{metric.name}: label of row {row} is {truth[row]:g}; expected the code of one of {count}")
    wrong = np.flatnonzero((told < 0).any(axis=1) | (np.abs(told.sum(axis=1) - 1) > OFF_ONE))
    if wrong.size:
        row = int(wrong[0])
        raise DataError(f"{metric.name}: prediction of row {row} is {told[row]}; expected probabilities that sum to 1")


def same(mean: Floats) -> Floats:
    """The mean itself."""
    return mean
