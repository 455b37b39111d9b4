"""Folds made ready for many candidates: sampled rows, watched stretches, encoded tables kept."""

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asof import metrics, recipes
from asof.data import Table
from asof.errors import DataError
from asof.metrics import Metric
from asof.recipes import Encoded, Parts, Recipe

Fold = tuple[Table, Table]
Floats = NDArray[np.float64]

WATCH_SHARE = 0.15
"""Last part of a fold's training rows, on which boosting stops."""
WATCH_LEAST = 200
"""Fewer training rows than this have no stretch to spare: boosting then runs ``FEW_ROUNDS``."""
FEW_ROUNDS = 100
KEPT = 12
"""Encoded tables kept: three chains of encoders on four folds, about 40 MB each at 60,000 rows and 85 features."""


@dataclass(frozen=True)
class Terms:
    """What is judged, and how."""

    task: str
    metric: str
    seed: int
    threads: int
    rows: int
    plugins: Parts | None = None
    classes: int = 0


@dataclass
class Bench:
    """Judges a recipe on a fold."""

    folds: Sequence[Fold]
    terms: Terms
    metric: Metric = field(init=False)
    sign: float = field(init=False)
    """-1 where greater is better, so that sign * score is a loss."""
    _encoded: OrderedDict[tuple[int, str], Encoded] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Find the metric; raises DataError where there is none, or no fold."""
        if not self.folds:
            raise DataError("no fold to choose by: lower judge.folds or give more history")
        own = None if self.terms.plugins is None else metrics.owned(self.terms.plugins.metrics)
        self.metric = metrics.fitting(self.terms.metric, self.terms.task, own)
        self.sign = -1.0 if self.metric.greater_is_better else 1.0

    def judge(self, recipe: Recipe, fold: int, *, whole: bool) -> tuple[float, int | None, Floats]:
        """(score, rounds, predictions) on the test part of a fold, learnt from all of its rows or from a sample."""
        train, test = self.folds[fold]
        seed, threads, plugins = self.terms.seed, self.terms.threads, self.terms.plugins
        if whole:
            model = recipes.fit(recipe, train, threads=threads, seed=seed, plugins=plugins)
        else:
            encoded = self._encode(recipe, fold)
            fixed = recipe if encoded.watch is not None or recipe.rounds is not None else _few(recipe)
            model = recipes.fit_encoded(fixed, encoded, threads=threads, seed=seed, plugins=plugins)
        predicted = model.predict(test.features)
        return self.score(fold, predicted), model.rounds, predicted

    def score(self, fold: int, predicted: Floats) -> float:
        """The metric of predictions on the test part of a fold."""
        test = self.folds[fold][1]
        weight = None if test.weight is None else test.weight.to_numpy()
        return self.metric(test.label.to_numpy(), predicted, weight)

    def _encode(self, recipe: Recipe, fold: int) -> Encoded:
        key = (fold, json.dumps([[plan.name, dict(plan.options)] for plan in recipe.encoders], sort_keys=True))
        if key not in self._encoded:
            learn, watch = stretches(self.folds[fold][0], self.terms.rows)
            self._encoded[key] = recipes.encode(recipe.encoders, learn, watch, plugins=self.terms.plugins)
            if len(self._encoded) > KEPT:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(key)
        return self._encoded[key]


def stretches(train: Table, rows: int) -> tuple[Table, Table | None]:
    """(rows to learn from, later rows to watch) of at most ``rows`` evenly spaced ones; none to watch where few."""
    count = len(train)
    kept = np.arange(count) if count <= rows else np.arange(rows) * count // rows
    if kept.size < WATCH_LEAST:
        return _take(train, kept), None
    cut = int(kept.size * (1 - WATCH_SHARE))
    return _take(train, kept[:cut]), _take(train, kept[cut:])


def _few(recipe: Recipe) -> Recipe:
    return replace(recipe, rounds=FEW_ROUNDS)


def _take(table: Table, rows: NDArray[Any]) -> Table:
    weight = None if table.weight is None else table.weight[rows]
    return Table(table.features[rows], table.label[rows], weight)
