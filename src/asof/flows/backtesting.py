"""Backtests: learn what was known at a moment, then answer every later question as of its own moment."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import evaluation, intervals, splits
from asof.errors import DataError
from asof.evaluation import Bootstrap
from asof.flows import (
    asking,
    auditing,
    delivering,
    hindsight,
    intake,
    judging,
    learning,
    oracles,
    predicting,
    preparation,
)
from asof.flows.learning import Bench, Material
from asof.flows.preparation import Prepared
from asof.flows.recording import finite
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.panels import Panel
from asof.probabilities import Calibrated
from asof.times import Step
from asof.tuning import Selection

MOST_FOLDED = 0.8
"""Share of the history that folds may take, so that the first has something to learn from."""
RULE = "rule_"
"""Before the name of each baseline, a column of its answers, which the file does not hold."""


@dataclass(frozen=True)
class Span:
    """The moments of a backtest as written (local to the place)."""

    cut: str
    since: str | None = None
    until: str | None = None
    refit: str | None = None


def backtest(workspace: Workspace, span: Span, out: Path, *, plan: Path | None = None) -> dict[str, Any]:
    """Choose and fit at the cut, answer, write one row a question, and score what is known by now."""
    refit = Step.parse(span.refit) if span.refit else None
    if refit is not None and not refit.count:
        message = f"--refit {span.refit} has no length: expected at least 1{refit.unit}"
        raise DataError(message)
    with workspace.hold("backtest"):
        with workspace.stages("ingest"):
            stale = [name for name in workspace.spec.sources if workspace.lake.stamp(name) is None]
            if stale:
                intake.take_in(workspace, stale)
        with workspace.stages("prepare"):
            prepared = preparation.prepare(workspace, intake.open_tables(workspace))
            if not prepared.panel.timed:
                message = (
                    f"rows of {prepared.panel.source} have no time, so there is no cut: `asof run` judges by folds"
                )
                raise DataError(message)
            cut, first, until = _moments(workspace, prepared, span)
        with workspace.stages("features") as stage:
            material = learning.gather(workspace, prepared, first, until)
            wanted = learning.terms(workspace, prepared, _fold(workspace, prepared, first, cut, until))
            split = splits.at_cut(material.questions, cut)
            bench = Bench(material, split, learning.folds_before(material, cut, wanted), wanted)
            asked = learning.answerable(workspace, prepared, cut, until)
            late = learning.asked_between(prepared, cut, until).filter(pl.col("as_of") > prepared.last).height
            laid = Laid(bench, asked, late, cut, until, refit)
            stage.note = f"{split.train.size:,} to learn from, {asked.questions.height:,} to answer"
        with workspace.stages("choose") as stage:
            selection = learning.choose(workspace, bench, learning.read_plan(plan))
            stage.note = f"{len(selection.plan.trials)} trials, chosen {selection.chosen.name}"
        with workspace.stages("answer"):
            answers, calibration = _answer(workspace, prepared, laid, selection)
            delivering.write(_written(answers, prepared.panel, calibration), out)
    return _told(workspace, laid, selection, answers, out)


def _written(answers: pl.DataFrame, panel: Panel, calibration: Calibration | Calibrated) -> pl.DataFrame:
    """Answers as the file holds them: what they are about, what was told, and the label, empty while not known."""
    known = oracles.identity(panel)
    if isinstance(calibration, Calibration):
        return answers.select(*known, "prediction", "low", "high", "label")
    told = oracles.decided(answers["prediction"].to_numpy(), calibration, panel.classes)
    names = pl.Series("label", panel.classes, dtype=pl.String)
    return answers.select(known).with_columns(*told, names.gather(answers["label"].cast(pl.Int64)))


@dataclass(frozen=True)
class Laid:
    """The span of a backtest in UTC, and what lies ready for it."""

    bench: Bench
    asked: Material
    unanswered: int
    """Questions refused, because they are asked after the last moment at which the source is known."""
    cut: datetime
    until: datetime
    refit: Step | None


def _moments(workspace: Workspace, prepared: Prepared, span: Span) -> tuple[datetime, datetime, datetime]:
    zone = prepared.panel.zone
    cut = asking.moment(span.cut, zone)
    since = asking.moment(span.since, zone) if span.since else preparation.learn_from(workspace, prepared)
    until = asking.moment(span.until, zone) if span.until else prepared.last
    if cut >= prepared.last:
        source = prepared.panel.source
        message = f"no rows of {source} after the cut {cut:%Y-%m-%d}: it is known until {prepared.last:%Y-%m-%d}"
        raise DataError(message)
    if not since < cut < until:
        message = f"expected since < cut < until, got {since:%Y-%m-%d}, {cut:%Y-%m-%d} and {until:%Y-%m-%d}"
        raise DataError(message)
    return cut, max(since, prepared.first), until


def _fold(workspace: Workspace, prepared: Prepared, first: datetime, cut: datetime, until: datetime) -> Step:
    """Folds as long as the stretch that is answered, within 28 and 91 days, or less where history has no room."""
    length, folds = Step(min(max((until - cut).days, 28), 91), "d"), workspace.spec.judge.folds
    if length.nominal * folds <= MOST_FOLDED * (cut - first):
        return length
    return learning.fold_that_fits(prepared, first, cut, length, folds)


def _answer(
    workspace: Workspace, prepared: Prepared, laid: Laid, selection: Selection
) -> tuple[pl.DataFrame, Calibration | Calibrated]:
    """Answer stretch by stretch; with a refit, each stretch by a model of what was known at its beginning."""
    bench, questions = laid.bench, laid.asked.questions
    baseline = judging.best_baseline(selection.plan, bench.wanted.measure)
    told = judging.out_of_fold(workspace, bench, selection, baseline)
    calibration = judging.calibrate(told, bench.wanted)
    parts = []
    for begun, ended in predicting.stretches(laid.cut, laid.until, laid.refit, prepared.panel.zone):
        inside = questions.select((pl.col("as_of") >= begun) & (pl.col("as_of") < ended)).to_series()
        if not inside.any():
            continue
        train = splits.at_cut(bench.material.questions, begun).train
        model = learning.fit(workspace, bench, train, selection.chosen)
        plain = learning.fit(workspace, bench, train, baseline)
        asked = laid.asked.side(np.flatnonzero(inside.to_numpy()))
        told_plainly = judging.answer(asked, model, plain, calibration)
        others = [
            judging.column(f"{RULE}{one.name}", learning.fit(workspace, bench, train, one).predict(asked.features))
            for one in judging.baselines(selection.plan)
        ]
        parts.append(told_plainly.with_columns(others))
    # The order of the panel: period, place (or row), nearest horizon first.
    order = ["start", "unit" if prepared.panel.rows else "place", "as_of"]
    return pl.concat(parts).sort(order, descending=[False, False, True]), calibration


def _told(workspace: Workspace, laid: Laid, selection: Selection, answers: pl.DataFrame, out: Path) -> dict[str, Any]:
    cut, until, wanted = laid.cut, laid.until, laid.bench.wanted
    judged = answers.filter(pl.col("label").is_not_null())
    if judged.height == 0:
        message = f"{out} is written, but no label between {cut:%Y-%m-%d} and {until:%Y-%m-%d} is known yet"
        raise DataError(message)
    bootstrap = Bootstrap(seed=wanted.seed)
    measured = judging.measures(wanted).items()
    label, base = judged["label"].to_numpy(), judged["baseline"].to_numpy()
    ceiling = evaluation.ceiling(label, judged["prediction"].to_numpy()) if wanted.task == "count" else None
    result: dict[str, Any] = finite(
        {
            "project": workspace.spec.name,
            "cut": f"{cut:%Y-%m-%d %H:%M} UTC",
            "until": f"{until:%Y-%m-%d %H:%M} UTC",
            "known_at": workspace.known_at.isoformat() if workspace.known_at else None,
            "history": dict(hindsight.words(workspace)),
            "recipe": auditing.words(selection.chosen),
            "ensemble": selection.ensemble,
            "metric": wanted.metric,
            "scores": {name: evaluation.score(judged, one, bootstrap).plain() for name, one in measured},
            "baseline": {
                "name": judging.words_of(judging.best_baseline(selection.plan, wanted.measure)),
                "value": wanted.measure(label, base, None),
            },
            "skill": evaluation.skill(judged, wanted.loss, bootstrap=bootstrap).plain(),
            "baselines": {
                one.name: {
                    "value": wanted.measure(label, judged[f"{RULE}{one.name}"].to_numpy(), None),
                    "skill": evaluation.skill(judged, wanted.loss, f"{RULE}{one.name}", bootstrap).plain(),
                }
                for one in judging.baselines(selection.plan)
            },
            "explained": judging.explained(judged, bootstrap).plain() if ceiling else None,
            "noise": ceiling.noise_deviance if ceiling else None,
            "coverage": float(intervals.coverage(judged)["coverage"][0]) if "low" in judged.columns else None,
            "questions": answers.height,
            "unanswered": laid.unanswered,
            "file": str(out),
            "seconds": workspace.stages.seconds,
        }
    )
    return result
