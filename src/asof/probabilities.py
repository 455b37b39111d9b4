"""Probabilities of classes: calibrated on out-of-fold answers, decided on by a threshold found there, and checked.

Answers are a frame with ``label`` (codes 0..k-1) and ``prediction`` (an Array of k probabilities a row); with ``unit``
where the same row was answered more than once, in repeated folds. What is found here is found on training questions.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.errors import DataError
from asof.estimators.classes import chances
from asof.metrics import PROBABILITY_FLOOR, Floats, Metric, deciding, find

Codes = NDArray[np.int64]
BLOCKS = 5
"""Parts of the answers, each judged by what was learnt on the others, by which the method is chosen."""
PARTS = 10
"""Parts of the answers, each decided by a threshold found on the others, and each left out once for the error."""
PULL = 2.0
"""Weight, in rows, that draws temperature and shifts to 1 and 0: few rows change little."""
MANY = 2000
"""Rows from which steps (isotonic regression) are tried: they follow any shape, the noise of few rows included."""
BINS = 10
GRID = 100
"""Thresholds tried."""
NORMAL_95 = 1.959963984540054


@dataclass(frozen=True)
class Calibrated:
    """What corrects probabilities and decides on a class, as plain data."""

    classes: int
    method: str = "none"
    """``none``, ``temperature`` (one exponent), ``shift`` (exponent and a factor a class), ``steps`` (isotonic)."""
    temperature: float = 1.0
    """Logarithms of probabilities are divided by this: above 1 they come nearer to each other."""
    shifts: tuple[float, ...] = ()
    """k values added to the logarithms; the first is 0."""
    steps: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Of each class rising (told, true) pairs, straight lines between them."""
    threshold: float = 0.5
    """Of two classes, class 1 is decided on where its calibrated probability is at least this."""
    rows: int = 0
    """Answers that it was made from."""

    def apply(self, probabilities: Floats) -> Floats:
        """Return n x k calibrated probabilities of n x k told ones; each row depends on itself alone, to the bit."""
        told = _told(probabilities, self.classes)
        if self.method == "none":
            return told
        if self.method == "steps":
            columns = [
                np.interp(told[:, code], [pair[0] for pair in pairs], [pair[1] for pair in pairs])
                for code, pairs in enumerate(self.steps)
            ]
            return chances([np.log(np.maximum(column, PROBABILITY_FLOOR)) for column in columns])
        logs = np.log(np.maximum(told, PROBABILITY_FLOOR))
        shifts = self.shifts or (0.0,) * self.classes
        return chances([logs[:, code] / self.temperature + shift for code, shift in enumerate(shifts)])

    def decide(self, probabilities: Floats) -> Codes:
        """Return n codes: of two classes by the threshold, else the most probable one; of calibrated probabilities."""
        told = _told(probabilities, self.classes)
        if self.classes == 2:
            return (told[:, 1] >= self.threshold).astype(np.int64)
        codes: Codes = np.argmax(told, axis=1)
        return codes

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON; ``read`` is the way back, exact to the bit."""
        return {
            "kind": "class",
            "classes": self.classes,
            "method": self.method,
            "temperature": self.temperature,
            "shifts": list(self.shifts),
            "steps": [[list(pair) for pair in pairs] for pairs in self.steps],
            "threshold": self.threshold,
            "rows": self.rows,
        }


def read(plain: Mapping[str, Any]) -> Calibrated:
    """Read what ``Calibrated.plain`` wrote; raises DataError where a part is missing or of another height."""
    try:
        made = Calibrated(
            classes=int(plain["classes"]),
            method=str(plain["method"]),
            temperature=float(plain["temperature"]),
            shifts=tuple(map(float, plain["shifts"])),
            steps=tuple(tuple((float(x), float(y)) for x, y in pairs) for pairs in plain["steps"]),
            threshold=float(plain["threshold"]),
            rows=int(plain["rows"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"probabilities: not a stored calibration ({error!r}); train again") from error
    heights = {len(made.shifts) or made.classes, len(made.steps) or made.classes}
    if heights != {made.classes} or made.method not in METHODS or made.classes < 2:
        raise DataError(f"probabilities: a stored calibration {made.method!r} has parts of heights {sorted(heights)}")
    return made


def calibrate(answers: pl.DataFrame, classes: int, *, metric: str | Metric = "log_loss") -> Calibrated:
    """Learn a calibration and, of two classes, the threshold for ``metric``, on out-of-fold answers.

    The method is the plainest that is not worse than a richer one by more than a standard error, on answers that it
    was not learnt from. Temperature (Guo et al., ICML 2017) has one parameter, shifts (Platt 1999, of several
    classes Guo's bias) one more a class; steps (Zadrozny and Elkan 2002) are tried from 2,000 answers on. The
    threshold leaves 0.5 only where thresholds found so gain more than a standard error on other answers.

    Raises:
        DataError: no answers, unknown values, labels that are no codes, or predictions that are no probabilities.
    """
    label, told = _judged(answers, classes)
    block = _blocks(answers, BLOCKS)
    plain = Calibrated(classes, rows=len(label))
    chosen, losses = plain, _losses(label, told)
    for method in METHODS[1:]:
        if len(np.unique(block)) < 2 or (method == "steps" and len(label) < MANY):
            continue
        tried = np.empty(len(label))
        for number in np.unique(block):
            here = block == number
            made = _fit(method, label[~here], told[~here], classes)
            tried[here] = _losses(label[here], made.apply(told[here]))
        gain = losses - tried
        if gain.mean() > _error(gain, block):
            chosen, losses = _fit(method, label, told, classes), tried
    chosen = replace(chosen, rows=len(label))
    judge = metric if isinstance(metric, Metric) else find(metric)
    if classes == 2 and judge.decides:
        return _decided(chosen, judge, label, chosen.apply(told), _blocks(answers, PARTS))
    return chosen


METHODS = ("none", "temperature", "shift", "steps")


def reliability(answers: pl.DataFrame, bins: int = BINS) -> pl.DataFrame:
    """Compare what is told with what happens, class by class, in ``bins`` groups of equally many rows.

    Returns ``class`` (code), ``predicted`` (mean probability), ``observed`` (share of the class), ``low`` and ``high``
    (its 95 % interval, Wilson 1927) and ``rows``, rising.
    """
    told = answers["prediction"].to_numpy()
    label, told = _judged(answers, told.shape[1] if told.ndim == 2 else 0)
    rows: list[tuple[int, float, float, float, float, int]] = []
    for code in range(told.shape[1]):
        order = np.argsort(told[:, code], kind="stable")
        ends = _ends(told[order, code], bins)
        for start, end in pairwise(ends):
            here = order[start:end]
            low, high = wilson(float((label[here] == code).sum()), len(here))
            rows.append(
                (code, float(told[here, code].mean()), float((label[here] == code).mean()), low, high, len(here))
            )
    schema = {"class": pl.Int64, **dict.fromkeys(("predicted", "observed", "low", "high"), pl.Float64)}
    return pl.DataFrame(rows, schema={**schema, "rows": pl.Int64}, orient="row")


def calibration_error(answers: pl.DataFrame, bins: int = BINS) -> float:
    """Expected calibration error: mean distance between the probability of the likeliest class and how often it is so.

    Source: Guo et al., On calibration of modern neural networks, ICML 2017; here in groups of equally many rows.
    """
    told = answers["prediction"].to_numpy()
    label, told = _judged(answers, told.shape[1] if told.ndim == 2 else 0)
    highest, right = told.max(axis=1), told.argmax(axis=1) == label
    order = np.argsort(highest, kind="stable")
    total = 0.0
    for start, end in pairwise(_ends(highest[order], bins)):
        here = order[start:end]
        total += len(here) * abs(float(highest[here].mean()) - float(right[here].mean()))
    return total / len(label)


def above(threshold: float) -> Callable[[Floats], Codes]:
    """Return the rule that decides on class 1 of two where its probability is at least ``threshold``."""
    return Calibrated(2, threshold=threshold).decide


def best_threshold(label: Floats, chance: Floats, metric: Metric) -> float:
    """Threshold of the probability of class 1 at which ``metric`` is best; of equally good ones that nearest to 0.5.

    Args:
        label: n codes 0 or 1.
        chance: n probabilities of class 1.
        metric: one that judges decisions.
    """
    sign = 1.0 if metric.greater_is_better else -1.0
    told = np.stack([1 - chance, chance], axis=1)
    levels = np.unique(np.quantile(chance, np.linspace(0, 1, GRID)))
    tried = np.append((levels[1:] + levels[:-1]) / 2, 0.5)
    tried = tried[np.argsort(np.abs(tried - 0.5), kind="stable")]
    return float(tried[int(np.argmax([sign * deciding(metric, above(one))(label, told) for one in tried]))])


def wilson(hits: float, count: float) -> tuple[float, float]:
    """Lower and upper end of the 95 % interval of a share, Wilson 1927; 0 and 1 where nothing was counted."""
    if count <= 0:
        return 0.0, 1.0
    share, square = hits / count, NORMAL_95**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = NORMAL_95 / (1 + square / count) * np.sqrt(share * (1 - share) / count + square / (4 * count**2))
    return max(0.0, float(centre - half)), min(1.0, float(centre + half))


def _ends(rising: Floats, bins: int) -> list[int]:
    """Borders of groups of equally many rows; equal values stay together."""
    wanted = [round(len(rising) * number / bins) for number in range(1, bins)]
    ends = {int(np.searchsorted(rising, rising[end - 1], side="right")) for end in wanted if end > 0}
    return sorted({0, len(rising), *ends})


def _told(probabilities: Floats, classes: int) -> Floats:
    told = np.asarray(probabilities, dtype=np.float64)
    if told.ndim != 2 or told.shape[1] != classes:
        raise DataError(f"probabilities of shape {told.shape}; expected a row of {classes} for each question")
    return told


def _judged(answers: pl.DataFrame, classes: int) -> tuple[Floats, Floats]:
    label = answers["label"].cast(pl.Float64).to_numpy()
    told = _told(answers["prediction"].to_numpy(), classes)
    find("log_loss")(label, told)  # refuses what is no code and no probability
    return label, told


def _blocks(answers: pl.DataFrame, count: int) -> Codes:
    """Number of the block of each answer: neighbours in time together, all answers to a unit together."""
    if "unit" in answers.columns:
        ranks = answers["unit"].rank("dense").cast(pl.Int64).to_numpy()
        out: Codes = ranks % count
        return out
    return np.arange(answers.height) * count // max(1, answers.height)


def _losses(label: Floats, told: Floats) -> Floats:
    return find("log_loss").parts(label, told)[0]


def _error(gain: Floats, block: Codes) -> float:
    """Standard error of a mean gain, from the means of blocks and from the rows, whichever is more."""
    means = np.array([gain[block == number].mean() for number in np.unique(block)])
    return max(float(means.std(ddof=1) / np.sqrt(len(means))), float(gain.std() / np.sqrt(len(gain))))


def _fit(method: str, label: Floats, told: Floats, classes: int) -> Calibrated:
    if method == "steps":
        return Calibrated(classes, method, steps=tuple(_steps(label == code, told[:, code]) for code in range(classes)))
    from scipy.optimize import minimize

    logs = np.log(np.maximum(told, PROBABILITY_FLOOR))
    rows, codes = np.arange(len(label)), label.astype(np.intp)
    free = 0 if method == "temperature" else classes - 1

    def loss(at: Floats) -> float:
        scores = logs / np.exp(at[0])
        scores[:, 1:] += at[1:] if free else 0.0
        scores -= scores.max(axis=1, keepdims=True)
        true = scores[rows, codes] - np.log(np.exp(scores).sum(axis=1))
        return float(-true.sum() + PULL * at @ at)

    found = minimize(loss, np.zeros(1 + free), method="BFGS", options={"gtol": 1e-6 * len(label)}).x
    shifts = (0.0, *map(float, found[1:])) if free else ()
    return Calibrated(classes, method, float(np.exp(found[0])), shifts)


def _steps(is_it: NDArray[np.bool_], told: Floats) -> tuple[tuple[float, float], ...]:
    """Isotonic regression of what happens on what is told: corners of the rising line."""
    from scipy.optimize import isotonic_regression

    order = np.argsort(told, kind="stable")
    fitted = isotonic_regression(is_it[order].astype(np.float64)).x
    # one row more at each end, so that no step is sure of what it has seen a few times
    count = np.bincount(np.unique(fitted, return_inverse=True)[1])
    height = (np.unique(fitted) * count + is_it.mean()) / (count + 1)
    place = [float(told[order][fitted == value].mean()) for value in np.unique(fitted)]
    return tuple(zip(place, np.maximum.accumulate(height).tolist(), strict=True))


def _decided(chosen: Calibrated, metric: Metric, label: Floats, told: Floats, block: Codes) -> Calibrated:
    """Find the threshold that is best for the metric; kept where thresholds so found gain on other answers, surely."""
    parts = [block != number for number in np.unique(block)]
    if len(parts) < 2:
        return chosen
    found = np.empty(len(label))
    for others in parts:
        found[~others] = best_threshold(label[others], told[others, 1], metric)
    codes = (told[:, 1] >= found).astype(np.int64)

    def gain(kept: NDArray[np.bool_]) -> float:
        made = deciding(metric, lambda _: codes[kept])(label[kept], told[kept])
        return (1.0 if metric.greater_is_better else -1.0) * (
            made - deciding(metric, above(0.5))(label[kept], told[kept])
        )

    without = np.array([gain(kept) for kept in parts])
    error = float(np.sqrt((len(parts) - 1) / len(parts) * ((without - without.mean()) ** 2).sum()))
    if gain(np.ones(len(label), dtype=np.bool_)) <= error:
        return chosen
    return replace(chosen, threshold=best_threshold(label, told[:, 1], metric))
