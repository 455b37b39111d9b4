"""A label that is an event or none, times its size: two boosters of LightGBM."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import polars as pl

from asof.data import Table
from asof.errors import DataError
from asof.estimators.base import Files, Floats, Job, Real, Space, Whole, labels, settings
from asof.estimators.baselines import Learnt
from asof.estimators.boosting import nothing_to_learn, read_mean
from asof.estimators.lightgbm import Booster, LightGBM

FEWEST = 20
"""Events, and rows without one, that each part needs; a table with fewer is told its mean."""


@dataclass(frozen=True)
class TwoParts:
    """The chance of an event, and the mean size of one."""

    chance: Booster
    size: Booster | Learnt

    @property
    def rounds(self) -> int | None:
        """Rounds of the chance; those of the size are kept beside it."""
        return self.chance.rounds

    def predict(self, features: pl.DataFrame, threads: int = 1) -> Floats:
        """Return n products of chance and size."""
        out: Floats = self.chance.predict(features, threads)[:, 1] * self.size.predict(features, threads)
        return out

    def files(self) -> Files:
        """Those of both parts, in names of their own."""
        parts = (("chance", self.chance), ("size", self.size))
        return {f"{part}_{name}": data for part, made in parts for name, data in made.files().items()}

    canonical = files


class TwoPart:
    """P(label > 0) by a classifier, times the mean of the labels above 0 by a booster on the gamma deviance.

    Source: Duan et al., A comparison of alternative models for the demand for medical care, 1983.
    """

    tasks: ClassVar[frozenset[str]] = frozenset({"number"})
    weighs: ClassVar[bool] = True
    defaults: ClassVar[Mapping[str, Any]] = {
        **LightGBM.defaults,
        "num_leaves": 15,
        "min_data_in_leaf": 20,
        "feature_fraction": 0.4,
        "lambda_l2": 1.0,
        "rounds": 800,
    }
    space: ClassVar[Space] = {
        "learning_rate": Real(0.02, 0.15, log=True),
        "num_leaves": Whole(4, 31, log=True),
        "min_data_in_leaf": Whole(10, 500, log=True),
        "feature_fraction": Real(0.2, 1.0),
        "lambda_l2": Real(0.1, 100.0, log=True),
    }

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> TwoParts | Learnt:
        """Fit both parts; raises DataError for a negative label."""
        label = labels(table)
        if label.min() < 0:
            raise DataError(f"two_part: a label is {label.min():g}; expected 0 where nothing happens, else its size")
        chosen = settings(self.defaults, job, "two_part")
        some = int((label > 0).sum())
        if min(some, len(label) - some) < FEWEST:
            constant = nothing_to_learn(table, job)
            return Learnt(float(np.average(label, weights=table.weight))) if constant is None else constant
        told = replace(job, params=chosen)
        happened = replace(told, task="class", classes=2)
        chance = LightGBM().fit(_events(table), happened, None if watch is None else _events(watch))
        later = None if watch is None else _sizes(watch)
        sized = replace(told, loss="gamma")
        size = LightGBM().fit(_sizes(table), sized, later if later is not None and len(later) else None)
        if not isinstance(chance, Booster):
            raise DataError("two_part: the chance of an event could not be learnt")
        return TwoParts(chance, size)

    def read(self, files: Mapping[str, bytes]) -> TwoParts | Learnt:
        """Make both parts from their files again."""
        mean = read_mean(files)
        if mean is not None:
            return mean
        parts = [
            {name.removeprefix(f"{part}_"): data for name, data in files.items() if name.startswith(f"{part}_")}
            for part in ("chance", "size")
        ]
        chance, size = (LightGBM().read(part) for part in parts)
        if not isinstance(chance, Booster):
            raise DataError("two_part: the files hold no chance of an event")
        return TwoParts(chance, size)


def _events(table: Table) -> Table:
    return replace(table, label=(table.label > 0).cast(pl.Float64))


def _sizes(table: Table) -> Table:
    kept = table.label > 0
    weight = None if table.weight is None else table.weight.filter(kept)
    return Table(table.features.filter(kept), table.label.filter(kept), weight)
