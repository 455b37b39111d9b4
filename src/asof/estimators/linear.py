"""Linear models: ridge for numbers, a log-link Poisson GLM for counts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

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

HIGHEST_EXPONENT = 50.0
"""exp of more than this is no count; it keeps a wild row finite."""


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
        numbers = matrix(features.select(self.columns))
        line = linear_sum(numbers, np.asarray(self.coefficients), self.intercept)
        if self.link == "identity":
            return line
        out: Floats = np.exp(np.minimum(line, HIGHEST_EXPONENT))
        return out

    def files(self) -> Files:
        """One JSON file."""
        pairs = dict(zip(self.columns, self.coefficients, strict=True))
        return {
            "linear.json": dump_json(
                {"intercept": self.intercept, "link": self.link, "coefficients": list(pairs.items())}
            )
        }

    canonical = files


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
        """Solve the penalised normal equations."""
        del watch
        from sklearn.linear_model import Ridge
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        numbers = _known(table)
        with threadpool_limits(job.threads):
            model = Ridge(alpha=settings(self.defaults, job, "linear")["alpha"], solver="cholesky")
            model.fit(numbers, labels(table), sample_weight=weights(table))
        found = tuple(float(value) for value in model.coef_)
        return Coefficients(tuple(table.features.columns), found, float(model.intercept_), "identity")


class Poisson(_Linear):
    """Poisson regression on the log link; ``alpha`` is scikit-learn's: a penalty on the mean deviance."""

    tasks: ClassVar[frozenset[str]] = frozenset({"count"})
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 1e-4, "iterations": 50}
    space: ClassVar[Space] = {"alpha": Real(1e-7, 1e-1, log=True)}

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Coefficients:
        """Minimise the penalised deviance by Newton steps.

        Raises DataError for a negative label.
        """
        del watch
        from sklearn.linear_model import PoissonRegressor
        from threadpoolctl import threadpool_limits

        chosen = settings(self.defaults, job, "poisson")
        label = labels(table)
        if label.min() < 0:
            raise DataError(f"poisson: a label is {label.min():g}; counts are 0 or more: use the estimator linear")
        columns = tuple(table.features.columns)
        if label.max() <= 0:
            return Coefficients(columns, (0.0,) * len(columns), -HIGHEST_EXPONENT, "log")
        numbers = _known(table)
        solver = PoissonRegressor(
            alpha=chosen["alpha"], solver="newton-cholesky", max_iter=chosen["iterations"], tol=1e-6
        )
        with threadpool_limits(job.threads):
            solver.fit(numbers, label, sample_weight=weights(table))
        found = tuple(float(value) for value in solver.coef_)
        return Coefficients(columns, found, float(solver.intercept_), "log")


def _known(table: Table) -> Floats:
    numbers = matrix(table.features)
    unknown = np.flatnonzero(np.isnan(numbers).any(axis=0))
    if unknown.size:
        raise DataError(
            f"{table.features.columns[unknown[0]]} has unknown values: linear models need the encoder impute"
        )
    return numbers
