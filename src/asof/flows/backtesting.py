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
from asof.flows import asking, auditing, intake, judging, learning, predicting, preparation
from asof.flows.learning import Bench, Material
from asof.flows.preparation import Prepared
from asof.flows.recording import finite
from asof.flows.workspace import Workspace
from asof.times import Step
from asof.tuning import Selection

COLUMNS = ("place", "start", "end", "as_of", "horizon", "prediction", "low", "high", "label")
"""Columns of the file, one row a question; ``label`` is empty where it is not yet known."""

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
    with workspace.hold("backtest"):
        with workspace.stages("ingest"):
            stale = [name for name in workspace.spec.sources if workspace.lake.stamp(name) is None]
            if stale:
                intake.take_in(workspace, stale)
        with workspace.stages("prepare"):
            prepared = preparation.prepare(workspace, intake.open_tables(workspace))
            cut, first, until = _moments(workspace, prepared, span)
        with workspace.stages("features") as stage:
            material = learning.gather(workspace, prepared, first, until)
            wanted = learning.terms(workspace, prepared, _length(cut, until))
            split = splits.at_cut(material.questions, cut)
            bench = Bench(material, split, learning.folds_before(material, cut, wanted), wanted)
            asked = learning.answerable(workspace, prepared, cut, until)
            late = learning.asked_between(prepared, cut, until).filter(pl.col("as_of") > prepared.last).height
            laid = Laid(bench, asked, late, cut, until, Step.parse(span.refit) if span.refit else None)
            stage.note = f"{split.train.size:,} to learn from, {asked.questions.height:,} to answer"
        with workspace.stages("choose") as stage:
            selection = learning.choose(workspace, bench, learning.read_plan(plan))
            stage.note = f"{len(selection.plan.trials)} trials, chosen {selection.chosen.name}"
        with workspace.stages("answer"):
            answers = _answer(workspace, prepared, laid, selection)
            predicting.write(answers.select(COLUMNS), out)
    return _told(workspace, laid, selection, answers, out)


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


def _length(cut: datetime, until: datetime) -> Step:
    """Folds as long as the stretch that is answered, within 28 and 91 days."""
    return Step(min(max((until - cut).days, 28), 91), "d")


def _answer(workspace: Workspace, prepared: Prepared, laid: Laid, selection: Selection) -> pl.DataFrame:
    """Answer stretch by stretch; with a refit, each stretch by a model of what was known at its beginning."""
    bench, questions = laid.bench, laid.asked.questions
    baseline = judging.best_baseline(selection.plan, bench.wanted.measure)
    told = judging.out_of_fold(workspace, bench, selection, baseline)
    calibration = intervals.calibrate(told, judging.kind_of(bench.wanted), level=judging.LEVEL)
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
            pl.Series(f"{RULE}{one.name}", learning.fit(workspace, bench, train, one).predict(asked.features))
            for one in judging.baselines(selection.plan)
        ]
        parts.append(told_plainly.with_columns(others))
    # The order of the panel: period, place, nearest horizon first.
    return pl.concat(parts).sort("start", "place", "as_of", descending=[False, False, True])


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
            "recipe": auditing.words(selection.chosen),
            "metric": wanted.metric,
            "scores": {name: evaluation.score(judged, one, bootstrap).plain() for name, one in measured},
            "baseline": {
                "name": judging.best_baseline(selection.plan, wanted.measure).name.replace("_", " x "),
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
            "coverage": float(intervals.coverage(judged)["coverage"][0]),
            "questions": answers.height,
            "unanswered": laid.unanswered,
            "file": str(out),
            "seconds": workspace.stages.seconds,
        }
    )
    return result
