"""The facts of a report, collected from what a run found."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from asof import evaluation
from asof.audit import Audit
from asof.data import Finding
from asof.evaluation import Estimate
from asof.flows import auditing, explaining, judging, picturing
from asof.flows.found import Found
from asof.flows.judging import LEVEL, Judged
from asof.flows.learning import Terms
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.metrics import Metric
from asof.pages import Figure, ReportFacts
from asof.times import Step
from asof.tuning import Plan, Trial

SHOWN = 15
"""Candidates of the leaderboard, the best first."""


_STEPS = {"m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month"}


def about(prepared: Prepared) -> str:
    """What is predicted, in words: ``crashes per place and day in 263 places, 1 to 7 days ahead``."""
    panel = prepared.panel
    where = f" in {len(panel.places):,} places" if panel.places.kind != "all" and not panel.rows else ""
    if panel.rows:
        return f"{panel.column} of each row of {panel.source}{where}{_ahead(panel.horizons)}"
    what = panel.source if panel.measure == "count" else f"{panel.measure} of {panel.column}"
    length = _STEPS[panel.every.unit] if panel.every.count == 1 and panel.every.unit in _STEPS else str(panel.every)
    per = f"place and {length}" if where else length
    return f"{what} per {per}{where}{_ahead(panel.horizons)}"


def _ahead(horizons: Sequence[Step]) -> str:
    """Say how far ahead: ``, 1 to 7 days ahead``; empty where it is for now."""
    steps = [step for step in horizons if step.count]
    if not steps:
        return ""
    first, last = steps[0], steps[-1]
    if len({step.unit for step in steps}) > 1 or first.unit not in _STEPS:
        return f", {first} to {last} ahead" if len(steps) > 1 else f", {first} ahead"
    many = "s" if last.count > 1 else ""
    count = str(last.count) if len(steps) == 1 else f"{first.count} to {last.count}"
    return f", {count} {_STEPS[last.unit]}{many} ahead"


def collect(workspace: Workspace, prepared: Prepared, found: Found, **facts: Any) -> ReportFacts:
    """Turn what a run found into the facts of its page; ``facts`` are those that only the run knows."""
    judged, plan, wanted, decision = found.judged, found.selection.plan, found.bench.wanted, found.decision
    return ReportFacts(
        project=workspace.spec.name,
        predicts=about(prepared),
        unit=unit(prepared),
        task=wanted.task,
        classes=prepared.panel.classes,
        model=auditing.words(plan.chosen),
        rows=judged.answers.height // picturing.repeats(judged.answers),
        repeats=picturing.repeats(judged.answers),
        since=judged.cut,
        until=judged.answers["end"].max() if judged.cut else None,  # type: ignore[arg-type]
        zone=prepared.panel.zone,
        opened=judged.opened,
        apart=prepared.panel.apart,
        promoted=None if decision is None else decision.promoted,
        why="" if decision is None else decision.why,
        accepted=dict(found.audit.accepted),
        findings=found.findings,
        limits=_limits(prepared),
        new_places=figure(found.new_places.skill) if found.new_places else None,
        leaderboard=_leaderboard(plan, greater_is_better=wanted.measure.greater_is_better),
        chosen=plan.chosen.name,
        ensemble=found.selection.ensemble,
        audit=_audit(found.audit),
        rules=None if decision is None else _rules(decision.findings),
        **_scored(judged, wanted),
        **_pictured(workspace, prepared, judged, wanted),
        **_explained(prepared, found),
        **facts,
    )


def unit(prepared: Prepared) -> str:
    """What one counts or measures, as the project calls it; of classes what each is about."""
    panel = prepared.panel
    return panel.source if panel.measure == "count" or panel.classes else str(panel.column)


def _scored(judged: Judged, wanted: Terms) -> dict[str, Any]:
    """Facts that are figures."""
    ceiling = judged.ceiling
    measures = judging.measures(wanted, judged.calibration)
    return {
        "metric": wanted.metric,
        "greater_is_better": wanted.measure.greater_is_better,
        "holdout": figure(judged.scores[wanted.metric]),
        "baseline": Figure(judged.baseline_score),
        "baseline_name": judged.baseline.name,
        "skill": figure(judged.skill),
        "explained": figure(judged.explained) if judged.explained else None,
        "ceiling": ceiling.r2_ceiling if ceiling else None,
        "chance": ceiling.noise_deviance if ceiling and wanted.metric == "poisson_deviance" else None,
        "expected": figure(judged.outlook.expected),
        "expected_why": judged.outlook.why,
        "optimism": figure(judged.optimism),
        "folds": figure(judged.fold_scores[wanted.metric]),
        "coverage": None if judged.coverage is None else (LEVEL, judged.coverage),
        "scores": _scores(judged, measures),
        "horizons": _horizons(judged),
    }


def _horizons(judged: Judged) -> pl.DataFrame | None:
    lines = [row for row in judged.horizons if row["horizon"] is not None]
    if not lines:
        return None
    return pl.DataFrame([{key: row[key] for key in ("horizon", "value", "low", "high", "baseline")} for row in lines])


def _pictured(workspace: Workspace, prepared: Prepared, judged: Judged, wanted: Terms) -> dict[str, Any]:
    """Facts that are drawn."""
    answers = picturing.plain(judged.answers, wanted.task, wanted.loss)
    return {
        "periods": picturing.periods(answers, wanted.task),
        "places": picturing.by_place(answers, prepared.panel, wanted.task, wanted.loss),
        "outlines": picturing.outlines(workspace, prepared),
        "calibration": picturing.calibration(answers, wanted.task),
        "pit": picturing.pit(judged.answers, judged.calibration),
        "coverages": picturing.coverages(judged.answers),
        **_decided(judged, answers, prepared.panel.classes),
    }


def _decided(judged: Judged, answers: pl.DataFrame, classes: tuple[str, ...]) -> dict[str, Any]:
    """Facts about decisions of classes; ``answers`` are plain."""
    if isinstance(judged.calibration, Calibration):
        return {}
    told = {"confusion": picturing.confusion(judged.answers, judged.calibration, classes)}
    if len(classes) != 2:
        return told
    edge = judged.calibration.threshold
    thresholds = picturing.thresholds(answers, edge)
    return {**told, "roc": picturing.roc(answers), "threshold": edge, "thresholds": thresholds}


def _explained(prepared: Prepared, found: Found) -> dict[str, Any]:
    told = explaining.explain(prepared, found.bench, found.judged)
    return {
        "importance": told.importance,
        "importance_of": "" if told.label is None else prepared.panel.classes[told.label],
        "examples": told.examples,
        "reasons": told.reasons,
    }


def _limits(prepared: Prepared) -> tuple[str, ...]:
    """Say what this model is not for."""
    panel = prepared.panel
    said = []
    if panel.places.kind in {"polygons", "column"} and not panel.rows:
        said.append(f"Places other than the {len(panel.places):,} that it knows.")
    elif panel.places.kind == "h3":
        said.append("Cells without a history of their own: they are answered from coarser ones, with wider intervals.")
    steps = [step for step in panel.horizons if step.count]
    if steps:
        said.append(f"Periods further ahead than {_ahead(steps[-1:]).removeprefix(', ').removesuffix(' ahead')}.")
    return tuple(said)


def figure(estimate: Estimate) -> Figure:
    """Return an estimate as the page shows it."""
    return Figure(estimate.value, estimate.low, estimate.high)


def scores_table(judged: Judged, measures: Mapping[str, Metric]) -> pl.DataFrame:
    """All scores of a run as tidy rows: part, metric, by, group, rows, value, low, high."""
    measured = list(measures.values())
    # One place or one period has hardly any spread of its own, so that R2 and the like say nothing there.
    alone = [one for one in measured if one.loss]
    tables = []
    for part, frame, whole in (("folds", judged.folds, judged.fold_scores), ("holdout", judged.answers, judged.scores)):
        wished = {"horizon": measured, "place": alone, "start": alone}
        by = [evaluation.scores(frame, each, by=key) for key, each in wished.items() if not frame[key].null_count()]
        tables += [table.with_columns(part=pl.lit(part)) for table in (_with_bounds(whole, frame.height), *by)]
    columns = ["part", "metric", "by", "group", "rows", "value", "low", "high"]
    return pl.concat([table.select(columns) for table in tables])


def _with_bounds(scores: Mapping[str, Estimate], rows: int) -> pl.DataFrame:
    lines = [
        {"metric": name, "by": "all", "group": "all", "rows": rows, **estimate.plain()}
        for name, estimate in scores.items()
    ]
    return pl.DataFrame(lines).with_columns(pl.col("value", "low", "high").cast(pl.Float64).fill_nan(None))


def _scores(judged: Judged, measures: Mapping[str, Metric]) -> pl.DataFrame:
    label, base = judged.answers["label"].to_numpy(), judged.answers["baseline"].to_numpy()
    lines = [
        {"metric": name, **estimate.plain(), "baseline": measures[name](label, base, None)}
        for name, estimate in judged.scores.items()
    ]
    return pl.DataFrame(lines)


def _leaderboard(plan: Plan, *, greater_is_better: bool) -> pl.DataFrame:
    def order(trial: Trial) -> float:
        return -trial.score if greater_is_better else trial.score

    judged = sorted((trial for trial in plan.trials if np.isfinite(trial.score)), key=order)
    shown = [trial for trial in judged if trial.stage != "search"] + [t for t in judged if t.stage == "search"][:3]
    kinds = {"baseline": "baseline", "blend": "ensemble"}
    lines = [
        {"candidate": trial.recipe.name, "kind": kinds.get(trial.stage, "candidate"), "fold": fold, "value": score}
        for trial in sorted(shown, key=order)[:SHOWN]
        for fold, score in enumerate(trial.scores, 1)
    ]
    return pl.DataFrame(lines)


def _audit(audit: Audit) -> pl.DataFrame:
    lines = [
        {
            "check": verdict.check,
            "answer": str(verdict.outcome),
            "coverage": verdict.coverage,
            "message": "; ".join(finding.message for finding in verdict.findings),
        }
        for verdict in audit.verdicts
    ]
    return pl.DataFrame(lines)


def _rules(findings: Sequence[Finding]) -> pl.DataFrame:
    lines = [
        {"rule": f.subject, "figure": f.figure, "limit": f.limit, "passed": f.severity != "error"} for f in findings
    ]
    return pl.DataFrame(
        lines, schema={"rule": pl.String, "figure": pl.Float64, "limit": pl.Float64, "passed": pl.Boolean}
    )


def moment(value: datetime, zone: str) -> str:
    """Write a moment as a local day, with the time of day where it is not midnight."""
    import zoneinfo

    local = value.astimezone(zoneinfo.ZoneInfo(zone))
    return f"{local:%Y-%m-%d}" if (local.hour, local.minute) == (0, 0) else f"{local:%Y-%m-%d %H:%M}"
