"""A regression that is corrected by boosted trees: for counts on the log scale, for numbers on their own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.estimators.base import Files, Floats, Job, Real, Space, Whole, settings
from asof.estimators.lightgbm import Booster, LightGBM
from asof.estimators.linear import HIGHEST_EXPONENT, Coefficients, Linear, Poisson


@dataclass(frozen=True)
class Corrected:
    """A line, on the log scale or the label's own, and trees that are added to it."""

    line: Coefficients
    trees: Booster

    @property
    def rounds(self) -> int | None:
        """Rounds of the trees."""
        return self.trees.rounds

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return line + trees, or exp of that on the log scale; n values."""
        raw = self.line.exponent(features) + self.trees.raw(features, threads)
        if self.line.link == "identity":
            return raw
        out: Floats = np.exp(np.minimum(raw, HIGHEST_EXPONENT))
        return out

    def files(self) -> Files:
        """Those of both parts."""
        return {**self.line.files(), **self.trees.files()}

    canonical = files


class _Boosted:
    """A line first, then LightGBM on what it leaves: the trees start from the line."""

    weighs: ClassVar[bool] = True
    tasks: ClassVar[frozenset[str]]
    defaults: ClassVar[Mapping[str, Any]]
    space: ClassVar[Space]
    name: ClassVar[str]
    loss: ClassVar[str]
    line: ClassVar[type[Poisson] | type[Linear]]

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Corrected | Coefficients:
        """Fit the regression on all rows, then boost from it until the watched table no longer improves."""
        chosen = settings(self.defaults, job, self.name)
        alpha = chosen.pop("alpha")
        line = self.line().fit(table, replace(job, params={"alpha": alpha}))
        starts = [line.exponent(part.features) for part in (table, watch) if part is not None]
        boosting = replace(job, params=chosen, loss=self.loss)
        trees = LightGBM().fit(table, boosting, watch, starts=starts)
        return Corrected(line, trees) if isinstance(trees, Booster) else line

    def read(self, files: Mapping[str, bytes]) -> Corrected | Coefficients:
        """Make both parts from their files again."""
        line = self.line().read(files)
        trees = LightGBM().read(files) if "model.txt" in files else None
        return Corrected(line, trees) if isinstance(trees, Booster) else line


class PoissonBoosted(_Boosted):
    """Poisson regression first, then LightGBM on what it leaves: the trees start from the regression's logarithm.

    The regression carries rates and their products, which trees copy only in steps; the trees add what is not a
    product. Where there is nothing to add they stop early.
    """

    name = "poisson_boosted"
    loss = "poisson"
    line = Poisson
    tasks: ClassVar[frozenset[str]] = frozenset({"count"})
    defaults: ClassVar[Mapping[str, Any]] = {
        **LightGBM.defaults,
        "learning_rate": 0.05,
        "num_leaves": 8,
        "min_data_in_leaf": 400,
        "feature_fraction": 0.3,
        "lambda_l2": 50.0,
        "rounds": 800,
        "alpha": 3e-3,
    }
    space: ClassVar[Space] = {
        "alpha": Real(1e-4, 0.1, log=True),
        "learning_rate": Real(0.02, 0.1, log=True),
        "num_leaves": Whole(3, 31, log=True),
        "min_data_in_leaf": Whole(100, 2000, log=True),
        "feature_fraction": Real(0.1, 0.8),
        "lambda_l2": Real(1.0, 500.0, log=True),
    }


class LinearBoosted(_Boosted):
    """Ridge regression first, then LightGBM on its errors: what goes on rising is followed beyond what was seen."""

    name = "linear_boosted"
    loss = "squared"
    line = Linear
    tasks: ClassVar[frozenset[str]] = frozenset({"number"})
    defaults: ClassVar[Mapping[str, Any]] = {
        **LightGBM.defaults,
        "learning_rate": 0.05,
        "num_leaves": 23,
        "min_data_in_leaf": 20,
        "feature_fraction": 0.4,
        "bagging_fraction": 0.9,
        "lambda_l2": 1.0,
        "alpha": 1.0,
    }
    space: ClassVar[Space] = {
        "alpha": Real(1e-2, 1e3, log=True),
        "learning_rate": Real(0.02, 0.15, log=True),
        "num_leaves": Whole(4, 63, log=True),
        "min_data_in_leaf": Whole(5, 500, log=True),
        "feature_fraction": Real(0.2, 1.0),
        "lambda_l2": Real(0.1, 100.0, log=True),
    }
