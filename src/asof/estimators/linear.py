"""Linear models: ridge for numbers, a log-link Poisson GLM for counts."""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.errors import DataError
from asof.estimators.base import (
    Files,
    Floats,
    Job,
    Real,
    Space,
    dump_json,
    labels,
    linear_sum,
    matrix,
    settings,
    weights,
)

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

HIGHEST_EXPONENT = 50.0
"""exp of more than this is no count; it keeps a wild row finite."""
TOLERANCE = 1e-10
"""Newton stops when a step promises less than this of the mean log-likelihood."""
SMALLEST_STEP = 1e-4
THREADS = 1
"""Of the matrix products: a second spins on a busy machine, and sums would depend on their number."""


@dataclass(frozen=True)
class Coefficients:
    """An intercept and one coefficient a column, on the identity or the log link."""

    columns: tuple[str, ...]
    coefficients: tuple[float, ...]
    intercept: float
    link: str
    rounds: int | None = None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n predictions; ``threads`` has no effect."""
        del threads
        line = self.exponent(features)
        if self.link == "identity":
            return line
        out: Floats = np.exp(np.minimum(line, HIGHEST_EXPONENT))
        return out

    def exponent(self, features: pl.DataFrame) -> Floats:
        """Return the n values of the line itself."""
        return linear_sum(matrix(features.select(self.columns)), np.asarray(self.coefficients), self.intercept)

    def files(self) -> Files:
        """One JSON file."""
        pairs = dict(zip(self.columns, self.coefficients, strict=True))
        return {
            "linear.json": dump_json(
                {"intercept": self.intercept, "link": self.link, "coefficients": list(pairs.items())}
            )
        }

    canonical = files


@functools.cache
def _threads() -> "ThreadpoolController":
    """What holds NumPy's threads; looking for its libraries takes longer than a small fit."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class _Linear:
    space: ClassVar[Space] = {"alpha": Real(1e-4, 1e3, log=True)}
    weighs: ClassVar[bool] = True

    def read(self, files: Mapping[str, bytes]) -> Coefficients:
        """Make what was learnt from its file again."""
        told = json.loads(files["linear.json"])
        columns, coefficients = zip(*told["coefficients"], strict=True) if told["coefficients"] else ((), ())
        return Coefficients(tuple(columns), tuple(coefficients), told["intercept"], told["link"])


class Linear(_Linear):
    """Ridge regression: squared loss with a penalty of ``alpha`` on the squared coefficients."""

    tasks: ClassVar[frozenset[str]] = frozenset({"count", "number"})
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 1.0}

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Coefficients:
        """Solve the penalised normal equations about the means, so that the intercept is free."""
        del watch
        alpha = settings(self.defaults, job, "linear")["alpha"]
        numbers, label, weight = filled(table), labels(table), _weights(table)
        share = weight / weight.sum()
        with _threads().limit(limits=THREADS):
            centre, middle = share @ numbers, float(share @ label)
            apart = numbers - centre
            normal = (apart.T * weight) @ apart + alpha * np.eye(apart.shape[1])
            found = np.linalg.lstsq(normal, apart.T @ (weight * (label - middle)), rcond=None)[0]
        return _told(table, found, middle - float(centre @ found), "identity")


class Poisson(_Linear):
    """Poisson regression on the log link; ``alpha`` penalises half the squared coefficients beside the mean deviance.

    Newton's method with halved steps (McCullagh and Nelder, Generalized Linear Models, 2nd ed. 1989, section 2.5).
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"count"})
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 3e-3, "iterations": 50}
    space: ClassVar[Space] = {"alpha": Real(1e-5, 1.0, log=True)}

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Coefficients:
        """Minimise the penalised deviance.

        Raises DataError for a negative label.
        """
        del watch
        chosen = settings(self.defaults, job, "poisson")
        label = labels(table)
        if label.min() < 0:
            raise DataError(f"poisson: a label is {label.min():g}; counts are 0 or more: use the estimator linear")
        numbers, weight = filled(table), _weights(table)
        mean = float(weight @ label) / float(weight.sum())
        if mean <= 0:
            return _told(table, np.zeros(numbers.shape[1]), -HIGHEST_EXPONENT, "log")
        with _threads().limit(limits=THREADS):
            found = _newton(numbers, label, weight / weight.sum(), chosen["alpha"], chosen["iterations"])
        return _told(table, found[1:], float(found[0]), "log")


def _newton(numbers: Floats, label: Floats, share: Floats, alpha: float, iterations: int) -> Floats:
    """Return intercept and coefficients; ``share`` are weights that sum to 1."""
    design = np.column_stack([np.ones(len(numbers)), numbers])
    penalty = np.full(design.shape[1], alpha)
    penalty[0] = 0.0
    found = np.zeros(design.shape[1])
    found[0] = np.log(share @ label)

    def loss(at: Floats) -> tuple[float, Floats]:
        line = np.minimum(design @ at, HIGHEST_EXPONENT)
        mean = np.exp(line)
        return float(share @ (mean - label * line)) + 0.5 * float(penalty @ at**2), mean

    value, mean = loss(found)
    for _ in range(iterations):
        slope = design.T @ (share * (mean - label)) + penalty * found
        curve = (design.T * (share * mean)) @ design + np.diag(penalty)
        step = np.linalg.lstsq(curve, slope, rcond=None)[0]
        gain = 0.5 * float(slope @ step)
        if gain < TOLERANCE:
            break
        size = 1.0
        while size > SMALLEST_STEP:
            tried, after = loss(found - size * step)
            if tried < value:
                break
            size /= 2
        else:
            break
        found, value, mean = found - size * step, tried, after
    return found


def _told(table: Table, found: Floats, intercept: float, link: str) -> Coefficients:
    return Coefficients(tuple(table.features.columns), tuple(float(value) for value in found), intercept, link)


def _weights(table: Table) -> Floats:
    given = weights(table)
    return np.ones(len(table)) if given is None else given


def filled(table: Table) -> Floats:
    """Numbers of a table, n x p; raises DataError where one is unknown."""
    numbers = matrix(table.features)
    unknown = np.flatnonzero(np.isnan(numbers).any(axis=0))
    if unknown.size:
        raise DataError(
            f"{table.features.columns[unknown[0]]} has unknown values: linear models need the encoder impute"
        )
    return numbers
