"""Logistic regression for classes: ridge-penalised, learnt by scikit-learn, kept as plain numbers."""

import functools
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
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
from asof.estimators.classes import chances
from asof.estimators.linear import THREADS, filled

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

WIDEST = 30.0
"""A score is held within this: exp(-30) is no probability that a table could tell from 0."""


@dataclass(frozen=True)
class Scores:
    """An intercept and one coefficient a column for each class; the first of two classes has the score 0."""

    columns: tuple[str, ...]
    coefficients: tuple[tuple[float, ...], ...]
    intercepts: tuple[float, ...]
    rounds: int | None = None

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n x k probabilities; ``threads`` has no effect."""
        del threads
        numbers = matrix(features.select(self.columns))
        lines = [
            np.clip(linear_sum(numbers, np.asarray(each), start), -WIDEST, WIDEST)
            for each, start in zip(self.coefficients, self.intercepts, strict=True)
        ]
        return chances([np.zeros(len(numbers)), *lines] if len(lines) == 1 else lines)

    def files(self) -> Files:
        """One JSON file."""
        told = {
            "columns": list(self.columns),
            "coefficients": [list(each) for each in self.coefficients],
            "intercepts": list(self.intercepts),
        }
        return {"logistic.json": dump_json(told)}

    canonical = files


@functools.cache
def _threads() -> "ThreadpoolController":
    """What holds the threads of scikit-learn's libraries, which it loads first; to look for them takes long."""
    import sklearn.linear_model  # noqa: F401 - loaded before its libraries are looked for
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


class Logistic:
    """Multinomial logistic regression; ``alpha`` penalises half the squared coefficients beside the mean log loss."""

    tasks: ClassVar[frozenset[str]] = frozenset({"class"})
    defaults: ClassVar[Mapping[str, Any]] = {"alpha": 3e-3, "iterations": 500}
    space: ClassVar[Space] = {"alpha": Real(1e-5, 1.0, log=True)}
    weighs: ClassVar[bool] = True

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Scores:
        """Minimise the penalised log loss; the intercepts are free."""
        del watch
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        chosen = settings(self.defaults, job, "logistic")
        numbers, weight = filled(table), weights(table)
        total = float(len(table) if weight is None else weight.sum())
        model = LogisticRegression(
            C=1 / (max(chosen["alpha"], 1e-12) * total), tol=1e-6, max_iter=int(chosen["iterations"])
        )
        with _threads().limit(limits=THREADS), warnings.catch_warnings():
            # stopped at the last iteration it is a little more penalised, and no worse
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(numbers, labels(table).astype(np.int64), sample_weight=weight)
        coefficients = tuple(tuple(map(float, each)) for each in model.coef_)
        return Scores(tuple(table.features.columns), coefficients, tuple(map(float, model.intercept_)))

    def read(self, files: Mapping[str, bytes]) -> Scores:
        """Make the coefficients from their file again."""
        told = json.loads(files["logistic.json"])
        coefficients = tuple(tuple(each) for each in told["coefficients"])
        return Scores(tuple(told["columns"]), coefficients, tuple(told["intercepts"]))
