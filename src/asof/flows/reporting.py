"""The facts of a report, collected from what a run found."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from asof import evaluation, intervals, places
from asof.audit import Audit
from asof.data import Finding
from asof.evaluation import Estimate
from asof.flows import auditing, judging
from asof.flows.found import Found
from asof.flows.judging import LEVEL, Judged
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.metrics import Metric
from asof.pages import Figure, ReportFacts
from asof.tuning import Plan, Trial

GROUPS = 10
"""Groups of predictions in the calibration plot, and bins of the PIT."""
SHOWN = 15
"""Candidates of the leaderboard, the best first."""


def about(prepared: Prepared) -> str:
    """What is predicted, in words: ``crashes per objectid and day, 1d to 7d ahead``."""
    panel = prepared.panel
    length = {"1h": "hour", "1d": "day", "1w": "week", "1mo": "month"}.get(str(panel.every), str(panel.every))
    what = panel.source if panel.measure == "count" else f"{panel.measure} of {panel.column}"
    ahead = [step for step in panel.horizons if step.count]
    horizon = "" if not ahead else f", {ahead[0]} ahead" if len(ahead) == 1 else f", {ahead[0]} to {ahead[-1]} ahead"
    return f"{what} per place and {length}, {len(panel.places)} places{horizon}"


def collect(workspace: Workspace, prepared: Prepared, found: Found, **facts: Any) -> ReportFacts:
    """Turn what a run found into the facts of its page; ``facts`` are those that only the run knows."""
    judged, plan, wanted, decision = found.judged, found.selection.plan, found.bench.wanted, found.decision
    answers, ceiling = judged.answers, judged.ceiling
    return ReportFacts(
        project=workspace.spec.name,
        predicts=about(prepared),
        unit=prepared.panel.source if prepared.panel.measure == "count" else str(prepared.panel.column),
        model=auditing.words(plan.chosen),
        metric=wanted.metric,
        holdout=figure(judged.scores[wanted.metric]),
        baseline=Figure(judged.baseline_score),
        baseline_name=judged.baseline.name.replace("_", " x "),
        skill=figure(judged.skill),
        since=judged.cut,
        until=answers["end"].max(),  # type: ignore[arg-type]
        rows=answers.height,
        zone=prepared.panel.zone,
        greater_is_better=wanted.measure.greater_is_better,
        explained=figure(judged.explained) if judged.explained else None,
        ceiling=ceiling.r2_ceiling if ceiling else None,
        optimism=figure(judged.optimism),
        folds=figure(judged.fold_scores[wanted.metric]),
        coverage=(LEVEL, judged.coverage),
        opened=judged.opened,
        promoted=None if decision is None else decision.promoted,
        why="" if decision is None else decision.why,
        accepted=dict(found.audit.accepted),
        findings=found.findings,
        scores=_scores(judged, judging.measures(wanted)),
        horizons=pl.DataFrame(
            [{key: row[key] for key in ("horizon", "value", "low", "high", "baseline")} for row in judged.horizons]
        ),
        periods=_periods(answers),
        places=_places(answers, prepared),
        outlines=_outlines(workspace),
        calibration=_calibration(answers),
        pit=_pit(judged) if wanted.task == "count" else None,
        leaderboard=_leaderboard(plan, greater_is_better=wanted.measure.greater_is_better),
        chosen=plan.chosen.name,
        audit=_audit(found.audit),
        rules=None if decision is None else _rules(decision.findings),
        **facts,
    )


def figure(estimate: Estimate) -> Figure:
    """Return an estimate as the page shows it."""
    return Figure(estimate.value, estimate.low, estimate.high)


def scores_table(judged: Judged, measures: Mapping[str, Metric]) -> pl.DataFrame:
    """All scores of a run as tidy rows: part, metric, by, group, rows, value, low, high."""
    measured = list(measures.values())
    tables = []
    for part, frame, whole in (("folds", judged.folds, judged.fold_scores), ("holdout", judged.answers, judged.scores)):
        by = [evaluation.scores(frame, measured, by="horizon")]
        # One place or one period has hardly any spread of its own, so R2 says nothing there.
        by += [
            evaluation.scores(frame, [one for one in measured if one.name != "r2"], by=key)
            for key in ("place", "start")
        ]
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


def _periods(answers: pl.DataFrame) -> pl.DataFrame:
    """Totals by period, of the shortest horizon at which the period was asked."""
    nearest = answers.filter(pl.col("as_of") == pl.col("as_of").max().over("place", "start"))
    return (
        nearest.group_by("start")
        .agg(observed=pl.col("label").sum(), predicted=pl.col("prediction").sum())
        .sort("start")
    )


def _places(answers: pl.DataFrame, prepared: Prepared) -> pl.DataFrame:
    known = prepared.panel.places
    names = pl.DataFrame({"place": known.ids, "name": known.names if known.names is not None else known.ids})
    if known.lat is not None and known.lon is not None:
        names = names.with_columns(lat=known.lat, lon=known.lon)
    means = answers.group_by("place").agg(observed=pl.col("label").mean(), predicted=pl.col("prediction").mean())
    return means.join(names, on="place", how="left").sort("place")


def _outlines(workspace: Workspace) -> Mapping[str, Mapping[str, Any]]:
    spec = workspace.spec.predict.per.place
    return places.geometry(spec, workspace.folder) if spec.polygons else {}


def _calibration(answers: pl.DataFrame) -> pl.DataFrame:
    """Mean label of each tenth of the predictions, with the spread of such a mean."""
    ranked = answers.select(
        "label", "prediction", group=(pl.col("prediction").rank("ordinal") - 1) * GROUPS // answers.height
    )
    table = ranked.group_by("group").agg(
        predicted=pl.col("prediction").mean(),
        observed=pl.col("label").mean(),
        error=pl.col("label").std() / pl.len().sqrt(),
        rows=pl.len(),
    )
    bounds = table.with_columns(
        low=pl.col("observed") - 2 * pl.col("error"), high=pl.col("observed") + 2 * pl.col("error")
    )
    return bounds.sort("group").select("predicted", "observed", "low", "high", "rows")


def _pit(judged: Judged) -> pl.DataFrame:
    told = intervals.pit(
        judged.answers["label"].to_numpy(), judged.answers["prediction"].to_numpy(), judged.calibration
    )
    counts, _ = np.histogram(told.values, bins=GROUPS, range=(0, 1))
    return pl.DataFrame({"share": counts / max(counts.sum(), 1)})


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
