"""Making a release of what was found, and keeping decisions: each step can be repeated after a crash."""

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import pages, places, releases
from asof.audit import Outcome
from asof.evaluation import Estimate
from asof.flows import auditing, comparing, evidence, hindsight, intake, judging, learning, preparation, reporting
from asof.flows.found import Found
from asof.flows.ingestion import Ingested
from asof.flows.preparation import Prepared
from asof.flows.records import AUDIT, COSTS
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.ports import ReleaseRecord, Tracker
from asof.probabilities import Calibrated
from asof.promotion import Decision
from asof.recipes import Blend, Model, plan_of
from asof.tuning import Plan

RESULT = "result.json"
"""What ``asof run --json`` prints, kept in the release."""
SAMPLE = 200
"""Training questions whose predictions enter the fingerprint."""


@dataclass(frozen=True)
class Made:
    """A registered release, and what its run printed."""

    record: ReleaseRecord
    result: dict[str, Any]
    decision: Mapping[str, Any] | None
    """The decision as kept (plain), or none where nothing was decided."""


def make(workspace: Workspace, prepared: Prepared, found: Found, tracker: Tracker) -> Made:
    """Refit on all that is known, write the release folder, register it."""
    with workspace.stages("refit") as stage:
        known = np.arange(found.bench.material.questions.height)
        model = learning.fit(workspace, found.bench, known, found.selection.chosen)
        when = f" known at {reporting.moment(prepared.last, prepared.panel.zone)}" if prepared.panel.timed else ""
        stage.note = f"{known.size:,} questions{when}"
    with workspace.stages("report"):
        contents = _contents(workspace, prepared, found, model)
        root = Path(workspace.local)
        folder = releases.model_folder(root, workspace.spec.location, workspace.now, _model_type(found.selection.plan))
        releases.write(folder, contents)
        workspace.publish(folder)
    with workspace.stages("register") as stage:
        _track(tracker, found, contents)
        record = workspace.registry.register(folder, tracker, facts(contents, found), comparing.figures(found.judged))
        stage.note = f"{record.name}, version {record.version}"
    result = json.loads(contents.extra[RESULT])
    return _made(record, result)


def _contents(workspace: Workspace, prepared: Prepared, found: Found, model: Model) -> releases.Contents:
    judged, plan = found.judged, found.selection.plan
    name = releases.release_name(workspace.spec.name, workspace.now)
    calibration = judging.calibrate(judged.raw, found.bench.wanted)
    fingerprint = _fingerprint(found, model, calibration)
    result = run_result(workspace, prepared, found, name, fingerprint)
    page = reporting.collect(
        workspace,
        prepared,
        found,
        release=name,
        created=workspace.now,
        cut=prepared.last if prepared.panel.timed else None,
        sources=_sources(workspace, prepared, found.done),
        quarantine=_quarantine(workspace),
        known_at=hindsight.data_of(workspace),
        fingerprint=fingerprint,
        code=code_version(),
    )
    return releases.Contents(
        name=name,
        project=workspace.spec.name,
        created=workspace.now,
        model=model,
        recipe=plan_of(found.selection.chosen),
        plan=plan.to_json(),
        schema=releases.seen(found.bench.material.features),
        intervals=calibration.plain(),
        scores=reporting.scores_table(judged, judging.measures(found.bench.wanted, judged.calibration)),
        findings=found.findings,
        settings=workspace.resolved,
        report=pages.report(page),
        card=pages.card(page),
        fingerprint=fingerprint,
        places=places.stored(prepared.panel.places),
        judged=evidence.kept(workspace, prepared, found),
        data={name: prepared.past.table(name).version for name in workspace.spec.sources},
        facts=facts_of(workspace, prepared, found),
        threads=found.bench.wanted.threads,
        extra={RESULT: json.dumps(result, default=str), **_kept_beside(prepared, found)},
    )


def _kept_beside(prepared: Prepared, found: Found) -> dict[str, str]:
    """Files of a release that nothing is made of, for whoever asks later how it came about."""
    verdicts = [
        {**plain_verdict, "findings": intake.plain(verdict.findings)}
        for plain_verdict, verdict in zip(auditing.summary(found.audit), found.audit.verdicts, strict=True)
    ]
    costs = {"seconds": found.selection.seconds, "offer": found.selection.ensemble}
    kept = {AUDIT: {"verdicts": verdicts, "accepted": dict(found.audit.accepted)}, COSTS: costs}
    every = kept | evidence.missed(prepared, found) | evidence.odd(found.bench, found.judged)
    return {name: json.dumps(finite(told), default=str) for name, told in every.items()}


def _fingerprint(found: Found, model: Model, calibration: Calibration | Calibrated) -> str:
    """Hash of all that decides what the release answers."""
    features = found.bench.material.features
    sample = features.gather_every(max(1, features.height // SAMPLE))
    return releases.fingerprint(
        {
            "predictions": model.predict(sample),  # first: it refuses what is not finite, by the name of the recipe
            "model": model.fingerprint(),
            "features": features.columns,
            "sample": sample,
            "intervals": calibration.plain(),
        }
    )


def facts_of(workspace: Workspace, prepared: Prepared, found: Found) -> dict[str, str]:
    """Text facts of the manifest."""
    return {
        "inputs": found.key,
        **hindsight.facts(workspace),
        "meaning": preparation.meaning(workspace),
        "cut": prepared.last.isoformat() if prepared.panel.timed else "",
        "holdout_cut": found.judged.cut.isoformat() if found.judged.cut else "",
        "since": str(found.bench.material.questions["start"].min() or ""),
        "metric": found.bench.wanted.metric,
        "task": found.bench.wanted.task,
        **({"classes": json.dumps(prepared.panel.classes)} if prepared.panel.classes else {}),
        "recipe": auditing.words(found.selection.chosen),
        "decided": "yes" if found.decision is not None else "no",
        "code_hash": code_version(),
        "about": reporting.about(prepared),
        "project": workspace.spec.name,
    }


def facts(contents: releases.Contents, found: Found) -> dict[str, str]:
    """Facts that the registry keeps about a release."""
    failed = found.audit.names(Outcome.FAILED)
    return {
        **contents.facts,
        "name": contents.name,
        "fingerprint": contents.fingerprint,
        "audit": f"failed: {', '.join(failed)}" if failed else "passed",
    }


def run_result(workspace: Workspace, prepared: Prepared, found: Found, name: str, fingerprint: str) -> dict[str, Any]:
    """The object that ``asof run --json`` ends with, but for run id, seconds and files."""
    judged, wanted, decision = found.judged, found.bench.wanted, found.decision
    result = {
        "project": workspace.spec.name,
        "about": reporting.about(prepared),
        "run": "",
        "release": name,
        "recipe": auditing.words(found.selection.chosen),
        "ensemble": found.selection.ensemble,
        "promoted": bool(decision and decision.promoted),
        "why": decision.why if decision else _undecided(workspace),
        "refused": bool(decision and decision.refused) or not found.audit.passed,
        "metric": wanted.metric,
        "known_at": workspace.known_at.isoformat() if workspace.known_at else None,
        "history": dict(hindsight.words(workspace)),
        "holdout": {key: plain(estimate) for key, estimate in judged.scores.items()},
        "folds": {key: plain(estimate) for key, estimate in judged.fold_scores.items()},
        "optimism": plain(judged.optimism),
        "baseline": {"name": judging.words_of(judged.baseline), "value": judged.baseline_score},
        "skill": plain(judged.skill),
        "explained": plain(judged.explained) if judged.explained else None,
        "noise": judged.ceiling.noise_deviance if judged.ceiling else None,
        "expected": {**plain(judged.outlook.expected), "why": judged.outlook.why},
        "coverage": judged.coverage,
        "judged_by": "holdout" if judged.opened else "places held out" if prepared.panel.apart else "nested folds",
        "new_places": _new_places(found),
        "horizons": [
            {**row, **finite({k: row[k] for k in ("low", "high")}), "skill": finite(row["skill"])}
            for row in judged.horizons
        ],
        "opened": judged.opened,
        "audit": {
            "passed": found.audit.names(Outcome.PASSED),
            "failed": found.audit.names(Outcome.FAILED),
            "untold": found.audit.names(Outcome.UNTOLD),
            "accepted": sorted(found.audit.accepted),
        },
        "rows": intake.counts(found.done) if found.done else _rows(workspace, prepared),
        "findings": intake.plain(found.findings),
        "decision": decision.plain() if decision else None,
        "fingerprint": fingerprint,
    }
    cleaned: dict[str, Any] = finite(result)
    return cleaned


def _undecided(workspace: Workspace) -> str:
    if workspace.known_at is None:
        return "trained only: `asof promote` decides"
    return f"made of {hindsight.data_of(workspace)}: it is neither champion nor challenger of the present"


def _new_places(found: Found) -> dict[str, Any] | None:
    new = found.new_places
    if new is None:
        return None
    figures = {"score": new.score.plain(), "baseline": new.baseline, "skill": new.skill.plain()}
    return {**figures, "rows": new.rows, "places": new.places, "blocks": new.blocks}


def plain(estimate: Estimate) -> dict[str, float | None]:
    """Value and interval; what is not a number is none."""
    found: dict[str, float | None] = finite(estimate.plain())
    return found


def finite(value: Any) -> Any:
    """Return ``value`` with every number that JSON cannot hold as none."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def settle(workspace: Workspace, made: Made) -> None:
    """Carry out a decision and keep it: the alias first, so that a crash between the two is repaired by repeating."""
    if made.decision is None:
        return
    registry = workspace.registry
    name = made.record.name
    if any(one.get("kind") == "promotion" and one.get("release") == name for one in registry.decisions()):
        return
    with workspace.stages("promote") as stage:
        registry.set_alias("champion" if made.decision["promoted"] else "challenger", made.record.version)
        run = made.record.run
        registry.decide(
            {"kind": "promotion", "at": workspace.clock().isoformat(), "release": name, "run": run, **made.decision}
        )
        stage.note = ("promoted: " if made.decision["promoted"] else "not promoted: ") + str(made.decision["why"])


def find_made(workspace: Workspace, key: str, *, promoting: bool) -> Made | None:
    """Find the release that the same inputs made, registering one that a crash left unregistered.

    Drafts are removed first: one that was cut off just before it got its name looks like a release.
    """
    root = Path(workspace.local) / "models"
    releases.sweep(root)
    for record in workspace.registry.releases():
        fits = record.facts.get("inputs") == key and (not promoting or record.facts.get("decided") == "yes")
        if fits and record.folder.is_dir():
            return reopen(workspace, record)
    for manifest in sorted(root.rglob("manifest.json")):
        told = json.loads(manifest.read_text("utf-8"))
        fits = told["facts"].get("inputs") == key and (not promoting or told["facts"].get("decided") == "yes")
        if fits:
            return _adopt(workspace, manifest.parent)
    return None


def _adopt(workspace: Workspace, folder: Path) -> Made:
    release = releases.read(folder)
    workspace.publish(folder)
    result = json.loads(release.text(RESULT))
    tracker = workspace.registry.begin(f"{workspace.spec.name} (registered after a crash)")
    known = {
        **release.facts,
        "name": release.name,
        "fingerprint": release.fingerprint,
        "audit": "failed: " + ", ".join(result["audit"]["failed"]) if result["audit"]["failed"] else "passed",
    }
    scores = {name: figure["value"] for name, figure in result["holdout"].items() if figure["value"] is not None}
    record = workspace.registry.register(folder, tracker, known, scores)
    workspace.registry.end(tracker, status="finished")
    return _made(record, result)


def reopen(workspace: Workspace, record: ReleaseRecord) -> Made:
    """Open a registered release with what its run printed; a decision kept later counts."""
    result = json.loads(releases.read(record.folder).text(RESULT))
    made = _made(record, result)
    later = [
        one
        for one in workspace.registry.decisions()
        if one.get("kind") == "promotion" and one.get("release") == record.name
    ]
    if not later:
        return made
    told = {key: later[-1][key] for key in ("promoted", "why", "refused")}
    return replace(made, result={**made.result, **told}, decision=later[-1])


def with_decision(made: Made, decision: Decision) -> Made:
    """Return ``made`` with a decision of now."""
    told = finite(decision.plain())
    result = {**made.result, **{key: told[key] for key in ("promoted", "why", "refused")}}
    return replace(made, result=result, decision=told)


def _made(record: ReleaseRecord, result: dict[str, Any]) -> Made:
    files = {"release": str(record.folder), "report": str(record.folder / "report.html")}
    return Made(record, {**result, "run": record.run, "files": files}, result.get("decision"))


def _track(tracker: Tracker, found: Found, contents: releases.Contents) -> None:
    """Record parameters and figures of the run; a child for each candidate, and its trials below it."""
    figures = {f"holdout_{name}": estimate.value for name, estimate in found.judged.scores.items()}
    figures |= {f"folds_{name}": estimate.value for name, estimate in found.judged.fold_scores.items()}
    figures |= {"skill": found.judged.skill.value, "optimism": found.judged.optimism.value}
    if found.judged.coverage is not None:
        figures["coverage"] = found.judged.coverage
    params = {
        "recipe": auditing.words(found.selection.chosen),
        **contents.facts,
        **{f"data_{k}": v for k, v in contents.data.items()},
    }
    tracker.record(params=params, figures={name: value for name, value in figures.items() if math.isfinite(value)})
    parents: dict[str, str] = {}
    for trial in found.selection.plan.trials:
        scores = {f"fold_{n}": value for n, value in enumerate(trial.scores, 1) if value is not None}
        if math.isfinite(trial.score):
            scores["folds"] = trial.score
        told = plan_of(trial.recipe)
        family = str(told.get("estimator", "blend"))
        params = {
            "stage": trial.stage,
            "why": trial.why,
            **{k: json.dumps(v) for k, v in told.items() if k not in {"name", "recipes"}},
        }
        parent = parents.get(family, "") if trial.stage == "search" else ""
        made = tracker.candidate(trial.recipe.name, params, scores, parent)
        parents.setdefault(family, made)


def _model_type(plan: Plan) -> str:
    return "blend" if isinstance(plan.chosen, Blend) else plan.chosen.estimator


def _rows(workspace: Workspace, prepared: Prepared) -> dict[str, int]:
    """Rows kept, where nothing was read now."""
    valid = sum(prepared.past.table(name).rows.height for name in workspace.spec.sources)
    refused = sum(workspace.lake.quarantine(name).height for name in workspace.spec.sources)
    return {"read": 0, "valid": valid, "quarantined": refused, "repeated": 0}


def _sources(workspace: Workspace, prepared: Prepared, done: Sequence[Ingested]) -> pl.DataFrame:
    read = {one.source: one for one in done}
    history = hindsight.words(workspace)
    lines = []
    for name in workspace.spec.sources:
        table = prepared.past.table(name)
        one = read.get(name)
        lines.append(
            {
                "source": name,
                "version": table.version,
                "read": one.read if one else 0,
                "valid": table.rows.height,
                "quarantined": one.quarantined if one else workspace.lake.quarantine(name).height,
                "first": reporting.moment(table.coverage.start, table.zone) if table.coverage.starts else "",
                "last": reporting.moment(table.coverage.end, table.zone) if table.coverage.ends else "",
                "history": history.get(name, ""),
            }
        )
    return pl.DataFrame(lines)


def _quarantine(workspace: Workspace) -> pl.DataFrame:
    lines = [{"source": name, **row} for name in workspace.spec.sources for row in intake.reasons(workspace, name)[:10]]
    return pl.DataFrame(lines, schema={"source": pl.String, "reason": pl.String, "rows": pl.Int64})


@functools.cache
def code_version() -> str:
    """Hash of the code of this package, as this process found it first: a stage is repeated when it has changed."""
    package = Path(releases.__file__).resolve().parents[1]
    state = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        state.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    return state.hexdigest()[:16]
