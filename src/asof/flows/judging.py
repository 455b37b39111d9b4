"""The judgement of a chosen recipe: what a user would have got in the last stretch, opened once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from asof import evaluation, intervals, metrics, probabilities
from asof.evaluation import Bootstrap, Ceiling, Estimate, Outlook
from asof.flows import learning
from asof.flows.learning import Bench, Material, Terms
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration, Kind
from asof.metrics import Metric
from asof.probabilities import Calibrated
from asof.recipes import Model, Recipe
from asof.tuning import Plan, Selection, Trial

ALSO = ("rmse", "mae", "r2")
"""Metrics reported beside the one that decides, where the label allows them."""
ALSO_EVENTS = (*ALSO, "auc_event")
"""The same for sums, which are 0 where nothing happened."""
ALSO_CLASSES = ("log_loss", "brier", "accuracy", "auc", "f1")
"""The same for classes."""
LEVEL = 0.9
"""Share of labels that a prediction interval is made to cover."""


@dataclass(frozen=True)
class Judged:
    """A recipe at a cut, and everything that was found about it."""

    cut: datetime | None
    """None where questions have no time."""
    until: datetime | None
    """End of the judged stretch of ``as_of``."""
    model: Model
    """Fitted on what was known at the cut: the one that the score belongs to; of nested folds that of all rows."""
    baseline: Recipe
    asked: Material
    """Judged questions with their features."""
    answers: pl.DataFrame
    """Judged questions: unit, as_of, horizon, label, prediction, baseline, low, high."""
    folds: pl.DataFrame
    """The same out of the forward folds, without interval."""
    raw: pl.DataFrame
    """All answers that the released calibration is made from, as the model gave them: probabilities uncalibrated."""
    calibration: Calibration | Calibrated
    """Made from the folds alone: its coverage on the holdout is honest."""
    scores: Mapping[str, Estimate]
    baseline_score: float
    fold_scores: Mapping[str, Estimate]
    skill: Estimate
    optimism: Estimate
    outlook: Outlook
    """The score to expect of the stretch that follows, as long as the judged one."""
    coverage: float | None
    """Share of labels within their intervals; none for classes."""
    ceiling: Ceiling | None
    explained: Estimate | None
    horizons: list[dict[str, Any]]
    opened: int
    """How often questions of this stretch have been judged, this time included; 0 where nothing was set aside."""


def measures(wanted: Terms, calibration: Calibration | Calibrated | None = None) -> dict[str, Metric]:
    """Metrics that are reported, by name: the one that decides first.

    Those that judge decisions do so by the rule that ``calibration`` has found on training questions.
    """
    names = ALSO_CLASSES if wanted.task == "class" else ALSO_EVENTS if wanted.events else ALSO
    also = {name: metrics.find(name) for name in names if name != wanted.metric}
    found = {wanted.metric: wanted.measure, **also}
    if calibration is None or isinstance(calibration, Calibration):
        return found
    return {name: metrics.deciding(metric, calibration.decide) for name, metric in found.items()}


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


def words_of(baseline: Recipe) -> str:
    """Name of a baseline for people: ``place x calendar``, ``best column``."""
    return baseline.name.replace("place_", "place x ").replace("_", " ")


def out_of_fold(workspace: Workspace, bench: Bench, selection: Selection, baseline: Recipe) -> pl.DataFrame:
    """Answers of the chosen recipe and of the baseline to the test part of each fold."""
    parts = []
    for fold in bench.folds:
        asked = bench.material.side(fold.test)
        model = learning.fit(workspace, bench, fold.train, selection.chosen)
        plain = learning.fit(workspace, bench, fold.train, baseline)
        parts.append(
            asked.questions.with_columns(
                column("prediction", model.predict(asked.features)), column("baseline", plain.predict(asked.features))
            )
        )
    return pl.concat(parts)


def judge(workspace: Workspace, prepared: Prepared, bench: Bench, selection: Selection) -> Judged:
    """Fit at the cut, answer every later question as of its own moment, and score; records the opening first."""
    split, wanted = bench.split, bench.wanted
    until = prepared.last if wanted.timed else None
    end = prepared.counted.coverage.end if wanted.timed else None
    opened = record_opening(workspace, split.cut, end, selection)
    baseline = best_baseline(selection.plan, wanted.measure)
    fold_answers = out_of_fold(workspace, bench, selection, baseline)
    calibration = calibrate(fold_answers, wanted)
    model = learning.fit(workspace, bench, split.train, selection.chosen)
    plain = learning.fit(workspace, bench, split.train, baseline)
    asked = held_out(workspace, prepared, bench)
    answers = answer(asked, model, plain, calibration)
    folds = calibrated(fold_answers, calibration)
    told = asked.questions.with_columns(column("prediction", model.predict(asked.features)))
    raw = pl.concat([fold_answers, told], how="diagonal")
    found = Verdicts(model, baseline, asked, answers, folds, raw, calibration)
    return summed_up(found, wanted, cut=split.cut, until=until, opened=opened)


def held_out(workspace: Workspace, prepared: Prepared, bench: Bench) -> Material:
    """Questions of the holdout with a label; of nested folds, all of them."""
    if bench.split.cut is None:
        return bench.material.side(bench.split.test if bench.split.test.size else bench.split.train)
    asked = learning.answerable(workspace, prepared, bench.split.cut, prepared.last)
    return asked.side(np.flatnonzero(asked.questions["label"].is_not_null().to_numpy()))


@dataclass(frozen=True)
class Verdicts:
    """Answers that are to be judged."""

    model: Model
    baseline: Recipe
    asked: Material
    answers: pl.DataFrame
    folds: pl.DataFrame
    raw: pl.DataFrame
    calibration: Calibration | Calibrated


def summed_up(found: Verdicts, wanted: Terms, *, cut: datetime | None, until: datetime | None, opened: int) -> Judged:
    """Score the answers of the judged stretch and of the folds."""
    answers, folds = found.answers, found.folds
    bootstrap = Bootstrap(seed=wanted.seed)
    measured = measures(wanted, found.calibration)
    # Without a cut nothing follows in time: what follows is another sample of rows, or of places.
    told, earlier = (answers, folds) if wanted.timed else (each.drop("start") for each in (answers, folds))
    skill = evaluation.skill(answers, wanted.loss, bootstrap=bootstrap)
    fold_skill = evaluation.skill(folds, wanted.loss, bootstrap=bootstrap)
    ceiling = None
    if wanted.task == "count":
        ceiling = evaluation.ceiling(answers["label"].to_numpy(), answers["prediction"].to_numpy())
    return Judged(
        cut=cut,
        until=until,
        model=found.model,
        baseline=found.baseline,
        asked=found.asked,
        answers=answers,
        folds=folds,
        raw=found.raw,
        calibration=found.calibration,
        scores={name: evaluation.score(answers, metric, bootstrap) for name, metric in measured.items()},
        baseline_score=measured[wanted.metric](answers["label"].to_numpy(), answers["baseline"].to_numpy(), None),
        fold_scores={name: evaluation.score(folds, each, bootstrap) for name, each in measured.items()},
        skill=skill,
        optimism=evaluation.optimism(fold_skill, skill),
        outlook=evaluation.ahead(told, earlier, measured[wanted.metric], bootstrap=bootstrap),
        coverage=None if wanted.task == "class" else float(intervals.coverage(answers)["coverage"][0]),
        ceiling=ceiling,
        explained=explained(answers, bootstrap) if ceiling is not None else None,
        horizons=per_horizon(answers, wanted, measured[wanted.metric], bootstrap),
        opened=opened,
    )


def calibrate(answers: pl.DataFrame, wanted: Terms) -> Calibration | Calibrated:
    """Make intervals, or the probabilities and the decision of classes, from answers of folds."""
    if wanted.task == "class":
        return probabilities.calibrate(answers, wanted.classes, metric=wanted.measure)
    return intervals.calibrate(answers, kind_of(wanted), level=LEVEL, bounds=wanted.bounds)


def calibrated(answers: pl.DataFrame, calibration: Calibration | Calibrated) -> pl.DataFrame:
    """Answers with the probabilities as they are told; those of numbers stay as they are."""
    if isinstance(calibration, Calibration):
        return answers
    told = calibration.apply(answers["prediction"].to_numpy())
    return answers.with_columns(column("prediction", told))


def column(name: str, predicted: np.ndarray) -> pl.Series:
    """Predictions as a column: n numbers, or n x k probabilities as an Array."""
    if predicted.ndim == 1:
        return pl.Series(name, predicted)
    return pl.Series(name, predicted, dtype=pl.Array(pl.Float64, predicted.shape[1]))


def kind_of(wanted: Terms) -> Kind:
    """Kind of the label, as intervals know it."""
    return "count" if wanted.task == "count" else "number"


def answer(asked: Material, model: Model, plain: Model | None, calibration: Calibration | Calibrated) -> pl.DataFrame:
    """Questions with prediction and interval (none for classes), and the baseline's prediction where one is given."""
    told = model.predict(asked.features)
    if isinstance(calibration, Calibration):
        low, high = calibration.interval(told)
        columns = [column("prediction", told), pl.Series("low", low), pl.Series("high", high)]
    else:
        columns = [column("prediction", calibration.apply(told))]
    if plain is not None:
        columns.append(column("baseline", plain.predict(asked.features)))
    return asked.questions.with_columns(columns)


def per_horizon(answers: pl.DataFrame, wanted: Terms, measure: Metric, bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Score and skill at each horizon, nearest first as the project lists them."""
    rows = []
    for name in answers["horizon"].unique(maintain_order=True):
        part = answers.filter(pl.col("horizon") == name)
        score = evaluation.score(part, measure, bootstrap)
        skill = evaluation.skill(part, wanted.loss, bootstrap=bootstrap)
        base = measure(part["label"].to_numpy(), part["baseline"].to_numpy(), None)
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


def record_opening(workspace: Workspace, cut: datetime | None, until: datetime | None, selection: Selection) -> int:
    """Write down that the periods from ``cut`` to ``until`` are judged; returns how often they were, now included.

    Rows without a time have one holdout, drawn by the seed of the project: every opening is one of the same.
    """
    earlier = [
        one for one in workspace.registry.decisions() if one.get("kind") == "holdout" and _overlaps(one, cut, until)
    ]
    record = {
        "kind": "holdout",
        "at": workspace.now.isoformat(),
        "from": cut.isoformat() if cut else None,
        "until": until.isoformat() if until else None,
        "recipe": selection.chosen.name,
    }
    workspace.registry.decide(json.loads(json.dumps(record)))
    return len(earlier) + 1


def _overlaps(opening: Mapping[str, Any], cut: datetime | None, until: datetime | None) -> bool:
    if cut is None or until is None or opening["from"] is None:
        return cut is None and opening["from"] is None
    begun, ended = (datetime.fromisoformat(str(opening[name])) for name in ("from", "until"))
    return begun < until and ended > cut
