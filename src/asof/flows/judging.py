"""The judgement of a chosen recipe: what a user would have got in the last stretch, opened once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from asof import evaluation, intervals, metrics
from asof.evaluation import Bootstrap, Ceiling, Estimate
from asof.flows import learning
from asof.flows.learning import Bench, Material, Terms
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration, Kind
from asof.metrics import Metric
from asof.recipes import Model, Recipe
from asof.tuning import Plan, Selection, Trial

ALSO = ("rmse", "mae", "r2")
"""Metrics reported beside the one that decides, where the label allows them."""
LEVEL = 0.9
"""Share of labels that a prediction interval is made to cover."""


@dataclass(frozen=True)
class Judged:
    """A recipe at a cut, and everything that was found about it."""

    cut: datetime
    until: datetime
    """End of the judged stretch of ``as_of``."""
    model: Model
    """Fitted on what was known at the cut: the one that the score belongs to."""
    baseline: Recipe
    asked: Material
    """Judged questions with their features."""
    answers: pl.DataFrame
    """Judged questions: unit, as_of, horizon, label, prediction, baseline, low, high."""
    folds: pl.DataFrame
    """The same out of the forward folds, without interval."""
    calibration: Calibration
    """Made from the folds alone: its coverage on the holdout is honest."""
    scores: Mapping[str, Estimate]
    baseline_score: float
    fold_scores: Mapping[str, Estimate]
    skill: Estimate
    optimism: Estimate
    coverage: float
    ceiling: Ceiling | None
    explained: Estimate | None
    horizons: list[dict[str, Any]]
    opened: int
    """How often questions of this stretch have been judged, this time included."""


def measures(wanted: Terms) -> dict[str, Metric]:
    """Metrics that are reported, by name: the one that decides first."""
    also = {name: metrics.find(name) for name in ALSO if name != wanted.metric}
    return {wanted.metric: wanted.measure, **also}


def baselines(plan: Plan) -> list[Recipe]:
    """Baselines that could be judged on the folds, in the order in which they were tried."""
    tried = [trial for trial in plan.trials if trial.stage == "baseline" and np.isfinite(trial.score)]
    return [trial.recipe for trial in tried if isinstance(trial.recipe, Recipe)]


def best_baseline(plan: Plan, metric: Metric) -> Recipe:
    """Return the baseline that did best on the folds."""
    known = [trial for trial in plan.trials if trial.stage == "baseline" and np.isfinite(trial.score)]

    def order(trial: Trial) -> float:
        return -trial.score if metric.greater_is_better else trial.score

    best = min(known, key=order).recipe
    assert isinstance(best, Recipe)  # noqa: S101 - filtered above; tells the type checker
    return best


def out_of_fold(workspace: Workspace, bench: Bench, selection: Selection, baseline: Recipe) -> pl.DataFrame:
    """Answers of the chosen recipe and of the baseline to the test part of each fold."""
    parts = []
    for fold in bench.folds:
        asked = bench.material.side(fold.test)
        model = learning.fit(workspace, bench, fold.train, selection.chosen)
        plain = learning.fit(workspace, bench, fold.train, baseline)
        parts.append(
            asked.questions.with_columns(
                prediction=pl.Series(model.predict(asked.features)), baseline=pl.Series(plain.predict(asked.features))
            )
        )
    return pl.concat(parts)


def judge(workspace: Workspace, prepared: Prepared, bench: Bench, selection: Selection) -> Judged:
    """Fit at the cut, answer every later question as of its own moment, and score; records the opening first."""
    split, wanted, until = bench.split, bench.wanted, prepared.last
    opened = record_opening(workspace, split.cut, prepared.counted.coverage.end, selection)
    baseline = best_baseline(selection.plan, wanted.measure)
    fold_answers = out_of_fold(workspace, bench, selection, baseline)
    calibration = intervals.calibrate(fold_answers, kind_of(wanted), level=LEVEL)
    model = learning.fit(workspace, bench, split.train, selection.chosen)
    plain = learning.fit(workspace, bench, split.train, baseline)
    asked = learning.answerable(workspace, prepared, split.cut, until)
    known = np.flatnonzero(asked.questions["label"].is_not_null().to_numpy())
    asked = asked.side(known)
    answers = answer(asked, model, plain, calibration)
    bootstrap = Bootstrap(seed=wanted.seed)
    scores = {name: evaluation.score(answers, metric, bootstrap) for name, metric in measures(wanted).items()}
    skill = evaluation.skill(answers, wanted.loss, bootstrap=bootstrap)
    fold_skill = evaluation.skill(fold_answers, wanted.loss, bootstrap=bootstrap)
    ceiling = (
        evaluation.ceiling(answers["label"].to_numpy(), answers["prediction"].to_numpy())
        if wanted.task == "count"
        else None
    )
    return Judged(
        cut=split.cut,
        until=until,
        model=model,
        baseline=baseline,
        asked=asked,
        answers=answers,
        folds=fold_answers,
        calibration=calibration,
        scores=scores,
        baseline_score=wanted.measure(answers["label"].to_numpy(), answers["baseline"].to_numpy(), None),
        fold_scores={name: evaluation.score(fold_answers, each, bootstrap) for name, each in measures(wanted).items()},
        skill=skill,
        optimism=evaluation.optimism(fold_skill, skill),
        coverage=float(intervals.coverage(answers)["coverage"][0]),
        ceiling=ceiling,
        explained=explained(answers, bootstrap) if ceiling is not None else None,
        horizons=per_horizon(answers, wanted, bootstrap),
        opened=opened,
    )


def kind_of(wanted: Terms) -> Kind:
    """Kind of the label, as intervals know it."""
    return "count" if wanted.task == "count" else "number"


def answer(asked: Material, model: Model, plain: Model | None, calibration: Calibration) -> pl.DataFrame:
    """Questions with prediction and interval, and the baseline's prediction where one is given."""
    told = model.predict(asked.features)
    low, high = calibration.interval(told)
    columns = [pl.Series("prediction", told), pl.Series("low", low), pl.Series("high", high)]
    if plain is not None:
        columns.append(pl.Series("baseline", plain.predict(asked.features)))
    return asked.questions.with_columns(columns)


def per_horizon(answers: pl.DataFrame, wanted: Terms, bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Score and skill at each horizon, nearest first as the project lists them."""
    rows = []
    for name in answers["horizon"].unique(maintain_order=True):
        part = answers.filter(pl.col("horizon") == name)
        score = evaluation.score(part, wanted.measure, bootstrap)
        skill = evaluation.skill(part, wanted.loss, bootstrap=bootstrap)
        base = wanted.measure(part["label"].to_numpy(), part["baseline"].to_numpy(), None)
        rows.append({"horizon": name, **score.plain(), "baseline": base, "skill": skill.plain(), "rows": part.height})
    return rows


def explained(answers: pl.DataFrame, bootstrap: Bootstrap) -> Estimate:
    """Share of the explainable variance of counts that is explained, with its interval.

    R2 over its ceiling: (var - mse) / (var - mean), since a Poisson count varies by its mean.
    """
    label = answers["label"].to_numpy()
    squared = (label - answers["prediction"].to_numpy()) ** 2

    def share(mean: np.ndarray, square: np.ndarray, mse: np.ndarray) -> np.ndarray:
        variance = square - mean**2
        beyond = np.asarray(variance - mean)
        # Unknown where labels vary no more than Poisson counts of one mean: nothing is left to explain.
        told: np.ndarray = np.divide(variance - mse, beyond, out=np.full(beyond.shape, np.nan), where=beyond > 0)
        return told

    return evaluation.estimate(answers, (label, label**2, squared), share, bootstrap)


def record_opening(workspace: Workspace, cut: datetime, until: datetime, selection: Selection) -> int:
    """Write down that the periods from ``cut`` to ``until`` are judged; returns how often they were, now included."""
    earlier = [
        one
        for one in workspace.registry.decisions()
        if one.get("kind") == "holdout"
        and datetime.fromisoformat(str(one["from"])) < until
        and datetime.fromisoformat(str(one["until"])) > cut
    ]
    record = {
        "kind": "holdout",
        "at": workspace.now.isoformat(),
        "from": cut.isoformat(),
        "until": until.isoformat(),
        "recipe": selection.chosen.name,
    }
    workspace.registry.decide(json.loads(json.dumps(record)))
    return len(earlier) + 1
