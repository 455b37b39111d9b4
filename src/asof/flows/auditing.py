"""The audit on a real project: the checks of ``asof.audit`` joined to its features and its learning."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import polars as pl

from asof import audit, coverage, splits, times, tuning
from asof import lookups as looking
from asof.audit import Audit, Evidence, Learnt, Rows, Side, Verdict
from asof.data import UTC_TIME, Finding, Severity, SourceTable
from asof.flows import judging, learning, preparation
from asof.flows.learning import Bench, Material
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.ledgers import Past, scrambling
from asof.metrics import Metric
from asof.recipes import Blend, Model, Recipe
from asof.times import Step
from asof.tuning import Plan

SAMPLE = 500
"""Training questions whose predictions must be equal to the bit."""
QUICK_ROWS = 20_000
"""Rows on which the quick form repeats the choice among two cheap recipes."""


@dataclass(frozen=True)
class Depth:
    """How much is tried: the quick form within ``run``, or the whole."""

    cuts: int = 2
    per_cut: int = 150
    full: bool = False


QUICK = Depth()
FULL = Depth(cuts=12, per_cut=400, full=True)


@dataclass(frozen=True)
class Accused:
    """What is audited: a recipe chosen on folds and fitted at the cut."""

    bench: Bench
    holdout: pl.DataFrame
    """The judged questions."""
    plan: Plan
    model: Model
    """Fitted on what was known at the cut."""


def examine(workspace: Workspace, prepared: Prepared, accused: Accused, depth: Depth = QUICK) -> Audit:
    """Run all checks; findings that the project accepts no longer fail it."""
    tell = workspace.stages.done
    verdicts = [_future(workspace, prepared, accused, depth)]
    tell(0.4)
    verdicts.append(audit.split(_sides(accused), ("place", "start")))
    learn = learner(workspace, accused, depth)
    first = _first(accused, learn, depth)
    tell(0.6)
    bench = accused.bench
    questions, features = bench.material.questions, bench.material.features
    verdicts.append(audit.fit(learn, first, questions, features, bench.split.cut, seed=bench.wanted.seed))
    tell(0.8)
    what = "the whole selection and the final fit" if depth.full else "the choice among two recipes and the final fit"
    verdicts.append(audit.rerun(first, lambda: learn(questions, features), what))
    return audit.accept(verdicts, workspace.spec.audit.accept)


def _future(workspace: Workspace, prepared: Prepared, accused: Accused, depth: Depth) -> Verdict:
    evidence = Evidence(
        rows={name: prepared.past.table(name).rows for name in workspace.spec.sources},
        features=lambda questions, rows, cut: rebuilt(workspace, prepared, questions, rows, cut),
        predict=accused.model.predict,
        ahead=frozenset(looking.ahead(prepared.lookups, accused.bench.material.features.columns)),
    )
    unit = ["place", "start", "end", "as_of", "horizon"]
    asked = pl.concat([accused.bench.material.questions.select(unit), accused.holdout.select(unit)])
    asked = asked.unique(maintain_order=True)
    verdict = audit.future(evidence, asked, cuts=depth.cuts, per_cut=depth.per_cut, seed=accused.bench.wanted.seed)
    found = {name: table for name, table in prepared.past.sources.items() if not workspace.spec.sources[name].covered}
    moved = _coverage_moves(found, accused.bench.split.cut)
    if not moved:
        return verdict
    return Verdict(verdict.check, audit.Outcome.FAILED, verdict.coverage, (*verdict.findings, *moved))


def rebuilt(
    workspace: Workspace, prepared: Prepared, questions: pl.DataFrame, rows: Rows, cut: datetime | None
) -> pl.DataFrame:
    """Features of ``questions`` with everything made anew from ``rows``; with a cut, coverage ends there."""
    sources = {}
    for name, frame in rows.items():
        table = prepared.past.table(name)
        covered = table.coverage if cut is None else table.coverage.before(cut - table.delay)
        sources[name] = replace(table, rows=frame, coverage=covered)
    again = replace(prepared, past=Past(sources, prepared.panel))
    return preparation.read(again, questions, workspace.spec.leave_out)


def _coverage_moves(tables: Mapping[str, SourceTable], cut: datetime) -> list[Finding]:
    """What is covered must not depend on later rows either: found again from what was known at the cut."""
    found = []
    for name, table in tables.items():
        whole_days = _midnight_before(cut - table.delay, table)
        again = coverage.of(scrambling.known(table.rows, cut), table.zone)
        whole = coverage.of(table.rows, table.zone)
        if again.before(whole_days) != whole.before(whole_days):
            message = (
                f"what {name} covers before {whole_days:%Y-%m-%d} depends on rows known later than its delay says: "
                "give it a longer delay:, or declare covered:"
            )
            found.append(Finding("future", Severity.ERROR, f"{name}.coverage", message))
    return found


def _midnight_before(moment: datetime, table: SourceTable) -> datetime:
    floored: datetime = times.floor(pl.Series([moment], dtype=UTC_TIME), Step(1, "d"), table.zone)[0]
    return floored


def _sides(accused: Accused) -> list[Side]:
    questions, split = accused.bench.material.questions, accused.bench.split
    sides = [
        Side(f"fold {number}", fold.cut, questions[fold.train], questions[fold.test])
        for number, fold in enumerate(accused.bench.folds, 1)
    ]
    return [*sides, Side("the holdout", split.cut, questions[split.train], accused.holdout)]


def learner(workspace: Workspace, accused: Accused, depth: Depth) -> Callable[[pl.DataFrame, pl.DataFrame], Learnt]:
    """Return the function that chooses on folds before the cut and fits at the cut, as a run does."""
    wanted = accused.bench.wanted
    plan = accused.plan if depth.full else _two_cheap(accused.plan, wanted.measure)

    def learn(questions: pl.DataFrame, features: pl.DataFrame) -> Learnt:
        material = Material(questions, features)
        cut = accused.bench.split.cut
        folds = learning.folds_before(material, cut, wanted)
        tables = [
            (material.table(fold.train), material.table(fold.test)) for fold in (folds if depth.full else folds[-1:])
        ]
        selection = tuning.replay(plan, tables, threads=wanted.threads, plugins=workspace.plugins)
        split = splits.at_cut(questions, cut)
        laid = Bench(material, split, folds, wanted)
        recipe = selection.chosen if depth.full else accused.plan.chosen
        model = learning.fit(workspace, laid, split.train, recipe)
        return Learnt(
            selection.chosen.name, model.fingerprint(), model.predict(_sample(material, split.train).features)
        )

    return learn


def _first(accused: Accused, learn: Callable[[pl.DataFrame, pl.DataFrame], Learnt], depth: Depth) -> Learnt:
    """What the run itself left behind; in the quick form the choice among the cheap recipes is made once for it."""
    sample = _sample(accused.bench.material, accused.bench.split.train)
    if depth.full:
        return Learnt(accused.plan.chosen.name, accused.model.fingerprint(), accused.model.predict(sample.features))
    return learn(accused.bench.material.questions, accused.bench.material.features)


def _sample(material: Material, rows: np.ndarray) -> Material:
    return material.side(rows[:: max(1, rows.size // SAMPLE)][:SAMPLE])


def _two_cheap(plan: Plan, metric: Metric) -> Plan:
    """The plan cut down to the best baseline and the cheapest candidate, on few rows."""
    best = judging.best_baseline(plan, metric)
    baseline = next(trial for trial in plan.trials if trial.stage == "baseline" and trial.recipe == best)
    candidates = [trial for trial in plan.trials if trial.stage == "portfolio" and np.isfinite(trial.score)]
    return replace(plan, trials=(baseline, *candidates[:1]), rows=min(plan.rows, QUICK_ROWS))


def words(recipe: Recipe | Blend) -> str:
    """Describe a recipe for people: ``lightgbm, poisson loss`` or the members of a blend with their weights."""
    if isinstance(recipe, Blend):
        return " + ".join(
            f"{weight:.2f} {member.name}" for member, weight in zip(recipe.recipes, recipe.weights, strict=True)
        )
    loss = f", {recipe.loss} loss" if recipe.loss else ""
    return recipe.name + loss
