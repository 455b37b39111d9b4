"""A Poisson regression whose logarithm is corrected by boosted trees."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.estimators.base import Files, Floats, Job, Real, Space, Whole, settings
from asof.estimators.lightgbm import Booster, LightGBM
from asof.estimators.linear import HIGHEST_EXPONENT, Coefficients, Poisson


@dataclass(frozen=True)
class Corrected:
    """A line on the log scale, and trees that are added to it."""

    line: Coefficients
    trees: Booster

    @property
    def rounds(self) -> int | None:
        """Rounds of the trees."""
        return self.trees.rounds

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return exp(line + trees), n values."""
        raw = self.line.exponent(features) + self.trees.raw(features, threads)
        out: Floats = np.exp(np.minimum(raw, HIGHEST_EXPONENT))
        return out

    def files(self) -> Files:
        """Those of both parts."""
        return {**self.line.files(), **self.trees.files()}

    canonical = files


class PoissonBoosted:
    """Poisson regression first, then LightGBM on what it leaves: the trees start from the regression's logarithm.

    The regression carries rates and their products, which trees copy only in steps; the trees add what is not a
    product. Where there is nothing to add they stop early.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"count"})
    weighs: ClassVar[bool] = True
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

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Corrected | Coefficients:
        """Fit the regression on all rows, then boost from it until the watched table no longer improves."""
        chosen = settings(self.defaults, job, "poisson_boosted")
        alpha = chosen.pop("alpha")
        line = Poisson().fit(table, replace(job, params={"alpha": alpha}))
        starts = [line.exponent(part.features) for part in (table, watch) if part is not None]
        boosting = replace(job, params=chosen, loss="poisson")
        trees = LightGBM().fit(table, boosting, watch, starts=starts)
        return Corrected(line, trees) if isinstance(trees, Booster) else line

    def read(self, files: Mapping[str, bytes]) -> Corrected | Coefficients:
        """Make both parts from their files again."""
        line = Poisson().read(files)
        trees = LightGBM().read(files) if "model.txt" in files else None
        return Corrected(line, trees) if isinstance(trees, Booster) else line
