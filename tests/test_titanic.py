"""The Titanic, 891 rows without time: a choice made inside the training rows beats the rules that a person finds."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import recipes, tuning
from asof.data import Table
from asof.metrics import METRICS

REPEATS, PARTS, INNER = 1, 5, 3
CANDIDATES = ("logistic", "catboost", "xgboost", "extra_trees", "random_forest")


def drawn(label: np.ndarray, parts: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Stratified folds: positions to learn from and to be asked."""
    order = np.lexsort((np.random.default_rng(seed).random(len(label)), label))
    part = np.empty(len(label), dtype=np.int64)
    part[order] = np.arange(len(label)) % parts
    for number in range(parts):
        yield np.flatnonzero(part != number), np.flatnonzero(part == number)


@pytest.fixture(scope="module")
def passengers(shared_data: Path) -> Table:
    read = pl.read_csv(shared_data / "titanic" / "train.csv")
    return Table(read.drop("PassengerId", "Survived"), read["Survived"].cast(pl.Float64))


def rows(table: Table, kept: np.ndarray) -> Table:
    return Table(table.features[kept], table.label[kept])


def answered(learn: Table, asked: Table) -> dict[str, np.ndarray]:
    """Probabilities of the recipe chosen inside ``learn``, and of the baselines."""
    inner = [(rows(learn, a), rows(learn, b)) for a, b in drawn(learn.label.to_numpy(), INNER, 7)]
    ticks = count()
    terms: dict[str, Any] = {"task": "class", "classes": 2, "metric": "log_loss", "timed": False, "seed": 1}
    chosen = tuning.select(inner, budget_seconds=14, candidates=CANDIDATES, clock=lambda: next(ticks), **terms)
    assert {"best_column", "logistic"} <= {trial.recipe.name for trial in chosen.plan.trials if not trial.why}
    plain = {t.recipe.name: t.recipe for t in chosen.plan.trials if t.stage == "baseline" and not t.why}
    models = {"ours": chosen.chosen, **plain}
    return {name: recipes.fit(recipe, learn, seed=1).predict(asked.features) for name, recipe in models.items()}


@pytest.mark.needs("shared data")
def test_five_folds_are_better_than_the_rule_that_women_live(passengers: Table) -> None:
    told: dict[tuple[str, str], list[float]] = {}
    label = passengers.label.to_numpy()
    for repeat in range(REPEATS):
        for learn, test in drawn(label, PARTS, repeat):
            for name, answers in answered(rows(passengers, learn), rows(passengers, test)).items():
                for metric in ("log_loss", "accuracy", "auc"):
                    told.setdefault((name, metric), []).append(METRICS[metric](label[test], answers))
    mean = {key: float(np.mean(values)) for key, values in told.items()}
    assert mean["mean", "log_loss"] == pytest.approx(0.666, abs=0.001)
    assert mean["best_column", "accuracy"] == pytest.approx(0.787, abs=0.005)  # women live
    assert mean["best_column", "log_loss"] == pytest.approx(0.517, abs=0.01)
    assert 0.375 < mean["ours", "log_loss"] < 0.405
    assert 0.82 < mean["ours", "accuracy"] < 0.85
    assert 0.88 < mean["ours", "auc"] < 0.90
