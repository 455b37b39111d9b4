"""Metrics of classes: labels are codes 0..k-1, predictions n x k probabilities.

``log_loss`` and ``brier`` judge the probabilities, ``auc`` their order. ``accuracy`` and ``f1`` judge the class that
is decided on: the most probable one, or what a rule says that was found on training questions (``deciding``).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from asof.metrics.base import CLASSES, Floats, Metric, same

PROBABILITY_FLOOR = 1e-6
"""A probability is read as at least this: a class that was held to be impossible costs 13.8, not infinity."""
Decide = Callable[[Floats], NDArray[np.int64]]
"""n x k probabilities -> n codes."""


def most_probable(prediction: Floats) -> NDArray[np.int64]:
    """Code of the largest probability of each row, the first of equals; n codes."""
    codes: NDArray[np.int64] = np.argmax(prediction, axis=1)
    return codes


def deciding(metric: Metric, decide: Decide) -> Metric:
    """Return ``metric`` with another rule for the decision; a metric that judges no decision is returned as it is."""
    if not metric.decides:
        return metric
    return _accuracy(decide) if metric.name == "accuracy" else _f1(decide)


def _log_loss(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    told = prediction[np.arange(len(label)), label.astype(np.intp)]
    return (-np.log(np.clip(told, PROBABILITY_FLOOR, 1.0)),)


def _brier(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
    squared: Floats = ((prediction - _indicators(label, prediction.shape[1])) ** 2).sum(axis=1)
    return (squared / 2 if prediction.shape[1] == 2 else squared,)


def _indicators(label: Floats, count: int) -> Floats:
    out: Floats = (label[:, None] == np.arange(count)).astype(np.float64)
    return out


def _accuracy(decide: Decide) -> Metric:
    def parts(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
        return ((decide(prediction) == label).astype(np.float64),)

    return Metric(
        "accuracy", parts, same, greater_is_better=True, loss=False, tasks=CLASSES, bounds=(0.0, 1.0), decides=True
    )


def _f1(decide: Decide) -> Metric:
    def parts(label: Floats, prediction: Floats) -> tuple[Floats, ...]:
        count = prediction.shape[1]
        judged = [1] if count == 2 else range(count)
        told = decide(prediction)
        columns: list[Floats] = []
        for code in judged:
            is_it, said = label == code, told == code
            columns += [(is_it & said).astype(np.float64), is_it.astype(np.float64) + said]
        return tuple(columns)

    return Metric(
        "f1", parts, _harmonic, greater_is_better=True, loss=False, tasks=CLASSES, bounds=(0.0, 1.0), decides=True
    )


def _harmonic(*means: Floats) -> Floats:
    """Mean over classes of 2 hits / (true + told); a class that neither is nor is told has no say."""
    hits, both = np.asarray(means[0::2]), np.asarray(means[1::2])
    known = both > 0
    each = np.divide(2 * hits, both, out=np.zeros(hits.shape), where=known)
    count = known.sum(axis=0)
    total = each.sum(axis=0)
    out: Floats = np.divide(total, count, out=np.zeros(np.shape(total)), where=count > 0)
    return out


def _auc(label: Floats, prediction: Floats, weight: Floats | None) -> float:
    weights = np.ones(len(label)) if weight is None else weight
    count = prediction.shape[1]
    judged = [1] if count == 2 else range(count)
    each = [area(label == code, prediction[:, code], weights) for code in judged]
    known = [area for area in each if np.isfinite(area)]
    return float(np.mean(known)) if known else float("nan")


def area(positive: NDArray[np.bool_], told: Floats, weight: Floats) -> float:
    """Chance that a positive row is told more than a negative one, equals counting half; NaN without both."""
    _, level = np.unique(told, return_inverse=True)
    height = int(level.max()) + 1
    yes = np.bincount(level, np.where(positive, weight, 0.0), height)
    no = np.bincount(level, np.where(positive, 0.0, weight), height)
    pairs = float(yes.sum() * no.sum())
    below = np.cumsum(no) - no
    return float(yes @ (below + no / 2)) / pairs if pairs > 0 else float("nan")


def _auc_influence(label: Floats, prediction: Floats, weight: Floats | None) -> Floats:
    """What each row adds to the area (placement values, DeLong et al. 1988), so that their mean is the area."""
    weights = np.ones(len(label)) if weight is None else weight
    count = prediction.shape[1]
    judged = [1] if count == 2 else range(count)
    each = [placements(label == code, prediction[:, code], weights) for code in judged]
    known = [moved for moved in each if np.isfinite(moved).all()]
    return np.mean(known, axis=0) if known else np.full(len(label), np.nan)


def placements(positive: NDArray[np.bool_], told: Floats, weight: Floats) -> Floats:
    """What each row adds to ``area``, n values of which the weighted mean is the area; NaN without both."""
    _, level = np.unique(told, return_inverse=True)
    height = int(level.max()) + 1
    yes = np.bincount(level, np.where(positive, weight, 0.0), height)
    no = np.bincount(level, np.where(positive, 0.0, weight), height)
    if not yes.sum() * no.sum() > 0:
        return np.full(len(told), np.nan)
    beaten = (np.cumsum(no) - no / 2)[level] / no.sum()
    beating = (yes.sum() - np.cumsum(yes) + yes / 2)[level] / yes.sum()
    area = float(yes @ (np.cumsum(no) - no / 2)) / float(yes.sum() * no.sum())
    share = np.where(positive, yes.sum(), no.sum()) / weight.sum()
    out: Floats = area + (np.where(positive, beaten, beating) - area) / share
    return out


log_loss = Metric("log_loss", _log_loss, same, tasks=CLASSES, bounds=(0.0, float("inf")))
"""Mean of -log of the probability of the class that it was, in nats; 0 is perfect."""
brier = Metric("brier", _brier, same, tasks=CLASSES, bounds=(0.0, 2.0))
"""Mean squared error of the probabilities, summed over classes; of two classes that of class 1 (Brier 1950)."""
accuracy = _accuracy(most_probable)
"""Share of rows whose class is decided on rightly."""
f1 = _f1(most_probable)
"""Harmonic mean of precision and recall: of class 1 where there are two, else the plain mean over classes."""
auc = Metric(
    "auc",
    _log_loss,
    same,
    greater_is_better=True,
    loss=False,
    exact=_auc,
    influence=_auc_influence,
    tasks=CLASSES,
    bounds=(0.0, 1.0),
)
"""Area under the ROC curve, Hanley and McNeil 1982; of several classes the plain mean of each against the rest."""
