"""Folds made ready for many candidates: sampled rows, watched stretches, encoded tables kept."""

import json
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof import encoders, estimators, metrics, probabilities, recipes
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
REFIT = 5_000
"""Up to so many rows a candidate is fitted on all of them once its rounds are found, as the last fit will be."""
SAMPLED = 50
"""Rows on which a plug-in's part is asked again, in another order."""
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
    timed: bool = True
    """Whether rows come in the order of time; else the watched ones are spread over the table."""
    model: str = ""
    """The one model to make, whatever else would do better; empty: the best of all."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that are not tuned, because they were given."""


@dataclass(frozen=True)
class Answered:
    """What a recipe told on a fold, and what that took."""

    score: float
    rounds: int | None
    told: Floats
    fit_seconds: float
    """Of encoders and estimator, those encoded tables that were kept from before left out."""
    predict_seconds: float


@dataclass
class Bench:
    """Judges a recipe on a fold."""

    folds: Sequence[Fold]
    terms: Terms
    metric: Metric = field(init=False)
    sign: float = field(init=False)
    """-1 where greater is better, so that sign * score is a loss."""
    guide: Metric = field(init=False)
    """What weights of a blend are found by: the metric, or where that judges decisions the log loss."""
    _encoded: OrderedDict[tuple[int, str, bool], Encoded] = field(init=False, default_factory=OrderedDict)

    def __post_init__(self) -> None:
        """Find the metric; raises DataError where there is none, or no fold."""
        if not self.folds:
            raise DataError("no fold to choose by: lower judge.folds or give more history")
        own = None if self.terms.plugins is None else metrics.owned(self.terms.plugins.metrics)
        self.metric = metrics.fitting(self.terms.metric, self.terms.task, own)
        self.sign = -1.0 if self.metric.greater_is_better else 1.0
        self.guide = metrics.find("log_loss") if self.metric.decides else self.metric

    def judge(self, recipe: Recipe, fold: int, *, whole: bool) -> Answered:
        """Answer the test part of a fold, learnt from all of its rows or from a sample."""
        begun = time.perf_counter()
        train, test = self.folds[fold]
        seed, threads, plugins = self.terms.seed, self.terms.threads, self.terms.plugins
        if whole:
            model = recipes.fit(recipe, train, threads=threads, seed=seed, plugins=plugins)
        else:
            model = self._fit(recipe, fold)
        fitted = time.perf_counter()
        predicted = model.predict(test.features)
        done = time.perf_counter()
        if foreign(recipe):
            _check_rows(recipe, model, test.features, predicted)
        return Answered(self.score(fold, predicted), model.rounds, predicted, fitted - begun, done - fitted)

    def score(self, fold: int, predicted: Floats) -> float:
        """The metric of predictions on the test part of a fold; of classes the most probable one is decided on."""
        return self._score(self.metric, fold, predicted)

    def loss(self, fold: int, predicted: Floats) -> float:
        """What weights of a blend shall make small."""
        value = self._score(self.guide, fold, predicted)
        return -value if self.guide.greater_is_better else value

    def scores(self, told: Sequence[Floats]) -> tuple[float, ...]:
        """The metric of predictions on all folds; decisions between two classes by the threshold of the other folds."""
        if not self.metric.decides or self.terms.classes != 2 or len(told) < 2:
            return tuple(self.score(fold, predicted) for fold, predicted in enumerate(told))
        out = []
        for fold, predicted in enumerate(told):
            others = [number for number in range(len(told)) if number != fold]
            label = np.concatenate([self.folds[number][1].label.to_numpy() for number in others])
            limit = probabilities.best_threshold(label, np.concatenate([told[n] for n in others])[:, 1], self.metric)
            out.append(self._score(metrics.deciding(self.metric, probabilities.above(limit)), fold, predicted))
        return tuple(out)

    def _score(self, metric: Metric, fold: int, predicted: Floats) -> float:
        test = self.folds[fold][1]
        weight = None if test.weight is None else test.weight.to_numpy()
        return metric(test.label.to_numpy(), predicted, weight)

    def _fit(self, recipe: Recipe, fold: int) -> recipes.Model:
        """Fit on the sampled rows of a fold; boosting stops on the watched ones, and few rows are then all used."""
        seed, threads, plugins = self.terms.seed, self.terms.threads, self.terms.plugins
        learn, watch = stretches(self.folds[fold][0], self.terms.rows, timed=self.terms.timed)
        few = len(learn) + (0 if watch is None else len(watch)) <= REFIT
        fixed = recipe
        if recipe.rounds is None and watch is None:
            fixed = _few(recipe)
        elif not few or _stops(recipe):
            encoded = self._encode(recipe, fold, learn, watch)
            model = recipes.fit_encoded(recipe, encoded, threads=threads, seed=seed, plugins=plugins)
            if not few or model.rounds is None or recipe.rounds is not None:
                return model
            fixed = replace(recipe, rounds=model.rounds)
        every = self._encode(recipe, fold, self.folds[fold][0], None)
        return recipes.fit_encoded(fixed, every, threads=threads, seed=seed, plugins=plugins)

    def _encode(self, recipe: Recipe, fold: int, learn: Table, watch: Table | None) -> Encoded:
        plans = json.dumps([[plan.name, dict(plan.options)] for plan in recipe.encoders], sort_keys=True)
        # encoders may read labels, and a recipe gives them those that it learns
        scale = recipe.loss if recipe.loss in recipes.LOGS else ""
        key = (fold, plans + scale + recipe.against, watch is None)
        if key not in self._encoded:
            self._encoded[key] = recipes.encode_for(recipe, learn, watch, plugins=self.terms.plugins)
            if len(self._encoded) > KEPT:
                self._encoded.popitem(last=False)
        self._encoded.move_to_end(key)
        return self._encoded[key]


def stretches(train: Table, rows: int, *, timed: bool = True) -> tuple[Table, Table | None]:
    """(rows to learn from, rows to watch) of at most ``rows`` evenly spaced ones; none to watch where few.

    The watched rows are the last ones; without time they are drawn evenly over the labels.
    """
    count = len(train)
    kept = np.arange(count) if count <= rows else np.arange(rows) * count // rows
    if kept.size < WATCH_LEAST:
        return _take(train, kept), None
    if timed:
        watched = np.arange(kept.size) >= int(kept.size * (1 - WATCH_SHARE))
    else:
        chance = np.random.default_rng(0).random(kept.size)
        order = np.lexsort((chance, train.label.to_numpy()[kept]))
        every = round(1 / WATCH_SHARE)
        watched = np.zeros(kept.size, dtype=np.bool_)
        watched[order[every // 2 :: every]] = True
    return _take(train, kept[~watched]), _take(train, kept[watched])


def foreign(recipe: Recipe) -> bool:
    """Whether the code of a plug-in is part of a recipe."""
    steps = all(plan.name in encoders.ENCODERS for plan in recipe.encoders)
    return not (steps and recipe.estimator in estimators.ESTIMATORS)


def _stops(recipe: Recipe) -> bool:
    """Whether the estimator finds its rounds on a watched table: ours that boost, and any of a plug-in."""
    ours = recipe.estimator in estimators.ESTIMATORS
    return not ours or "rounds" in estimators.make(recipe.estimator).defaults


def _check_rows(recipe: Recipe, model: recipes.Model, features: pl.DataFrame, told: Floats) -> None:
    """Refuse a plug-in's part whose answer to a row depends on the other rows or their order."""
    few = features[:SAMPLED]
    if not np.allclose(model.predict(few.reverse())[::-1], told[: few.height], rtol=1e-6, atol=1e-9):
        raise DataError(f"{recipe.name}: the answer to a row depends on the order of rows, or on the others")


def _few(recipe: Recipe) -> Recipe:
    return replace(recipe, rounds=FEW_ROUNDS)


def _take(table: Table, rows: NDArray[Any]) -> Table:
    weight = None if table.weight is None else table.weight[rows]
    return Table(table.features[rows], table.label[rows], weight)
