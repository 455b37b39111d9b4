"""The main job: ingest, check, train, audit, promote, predict."""

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import kfolds, releases, splits
from asof.audit import Audit, Outcome
from asof.data import Finding, Severity
from asof.errors import DataError, OutsideError
from asof.flows import (
    auditing,
    comparing,
    delivering,
    extents,
    hindsight,
    ingestion,
    intake,
    judging,
    learning,
    nesting,
    newplaces,
    preparation,
    recording,
)
from asof.flows.auditing import Accused
from asof.flows.found import Found
from asof.flows.ingestion import Ingested
from asof.flows.judging import Judged
from asof.flows.learning import Bench
from asof.flows.newplaces import NewPlaces
from asof.flows.oracles import OtherFeatures
from asof.flows.predicting import predict_next
from asof.flows.preparation import Prepared
from asof.flows.recording import Made
from asof.flows.workspace import Workspace
from asof.ports import Tracker
from asof.times import Step
from asof.tuning import Plan, Selection


def run(workspace: Workspace, *, plan: Path | None = None) -> dict[str, Any]:
    """Do the whole job; see ``asof run`` for what comes back.

    As of a moment of the past a release is made and judged as then; the present is not touched: nothing is promoted.
    """
    if workspace.known_at is not None:
        return train(workspace, plan=plan)
    with workspace.hold("run"):
        delivering.own_table(workspace)  # a database that cannot be reached is told of now, not after the work
        done, prepared = take_in(workspace)
        made = make(workspace, prepared, done, learning.read_plan(plan), promoting=True)
        recording.settle(workspace, made)
        if made.result["promoted"] or workspace.registry.find("champion") is not None:
            predict_next_periods(workspace, prepared, made)
    made.result["seconds"] = dict(workspace.stages.seconds)
    return made.result


def train(workspace: Workspace, *, plan: Path | None = None) -> dict[str, Any]:
    """Choose, fit, judge and audit; the release becomes the challenger and nothing is promoted."""
    with workspace.hold("train"):
        done, prepared = take_in(workspace, fresh=workspace.known_at is not None)
        made = make(workspace, prepared, done, learning.read_plan(plan), promoting=False)
        if workspace.known_at is None:
            workspace.registry.set_alias("challenger", made.record.version)
    made.result["seconds"] = dict(workspace.stages.seconds)
    return made.result


def release(workspace: Workspace) -> dict[str, Any]:
    """Choose, fit, judge, audit and decide on what is kept: ``run`` without its first step and its last."""
    with workspace.hold("release"):
        done, prepared = take_in(workspace, fresh=False)
        made = make(workspace, prepared, done, None, promoting=True)
        recording.settle(workspace, made)
    return {**made.result, "seconds": dict(workspace.stages.seconds)}


def answer_next(workspace: Workspace) -> dict[str, Any]:
    """Answer the next questions with the champion: the last step of ``run``; where none is answered, ``why``."""
    champion = workspace.registry.find("champion")
    told = {"project": workspace.spec.name, "release": champion.name if champion else None, "answered": 0}
    if champion is None:
        return {**told, "why": "there is no champion"}
    with workspace.hold("predict"):
        _, prepared = take_in(workspace, fresh=False)
        try:
            with workspace.stages("predict"):
                written = predict_next(workspace, prepared)
        except OtherFeatures as fault:
            return {**told, "why": str(fault)}
    if written is None:
        return {**told, "why": "no row waits for its label"}
    return {**told, "answered": written.rows, "file": str(written.file), "table": written.table or None}


def promote_release(workspace: Workspace, which: str) -> dict[str, Any]:
    """Hold a release against rules, audit and champion as its run found them, and promote it where they allow."""
    with workspace.hold("promote"):
        record = workspace.registry.find(which)
        if record is None:
            message = f"no release {which!r}; `asof runs` lists them, `asof train` makes one"
            raise DataError(message)
        made = recording.reopen(workspace, record)
        if made.result.get("known_at"):
            message = f"release {record.name} knows the data as of a moment that is past: `asof run` makes one of today"
            raise DataError(message)
        if made.decision is None:
            _, prepared = take_in(workspace, fresh=False)
            made = _decide_again(workspace, prepared, made)
        recording.settle(workspace, made)
    return {
        "project": workspace.spec.name,
        "release": record.name,
        "promoted": made.result["promoted"],
        "why": made.result["why"],
        "refused": made.result["refused"],
    }


def audit_project(workspace: Workspace, *, full: bool = False) -> dict[str, Any]:
    """Audit the champion (or the newest release) on the data as they are now."""
    with workspace.hold("audit"):
        _, prepared = take_in(workspace, fresh=False)
        record = workspace.registry.find("champion") or next(iter(workspace.registry.releases()), None)
        if record is None:
            message = f"{workspace.spec.name} has no release to audit; run `asof run` or `asof train` first"
            raise DataError(message)
        bench = lay_out(workspace, prepared)
        release = releases.read(record.folder)
        plan = Plan.from_json(release.json("plan"))
        with workspace.stages("audit") as stage:
            if full and release.facts.get("inputs") not in {inputs_key(workspace, None), inputs_key(workspace, plan)}:
                # The data have moved on: what the same plan chooses on them is what must come out again.
                plan = learning.choose(workspace, bench, plan).plan
            model = learning.fit(workspace, bench, bench.split.train, plan.chosen)
            known = judging.held_out(workspace, prepared, bench).questions
            accused = Accused(bench, known, plan, model)
            depth = auditing.FULL if full else auditing.QUICK
            done = auditing.examine(workspace, prepared, accused, depth, release=record.name)
            stage.note = audit_note(done)
    return {
        "project": workspace.spec.name,
        "release": record.name,
        "audit": audit_words(done),
        "verdicts": auditing.summary(done),
        "findings": intake.plain(done.findings),
        "seconds": workspace.stages.seconds,
        "refused": not done.passed,
    }


def audit_words(done: Audit) -> dict[str, list[str]]:
    """Names of the checks by answer."""
    return {
        "passed": done.names(Outcome.PASSED),
        "failed": done.names(Outcome.FAILED),
        "untold": done.names(Outcome.UNTOLD),
        "accepted": sorted(done.accepted),
    }


def audit_note(done: Audit) -> str:
    """Say in a few words what the audit answered."""
    failed = done.names(Outcome.FAILED)
    return f"FAILED: {', '.join(failed)}" if failed else f"{len(done.names(Outcome.PASSED))} checks passed"


def predict_next_periods(workspace: Workspace, prepared: Prepared, made: Made) -> None:
    """Answer the next periods; a champion that stays though it needs other features answers none, and that is said."""
    with workspace.stages("predict") as stage:
        try:
            written = predict_next(workspace, prepared)
        except OtherFeatures as fault:
            stage.note = "none: the champion was made with other features"
            told = Finding("predict", Severity.WARNING, "champion", f"no predictions were written: {fault}")
            made.result["findings"] = [*made.result["findings"], *intake.plain([told])]
            return
        if written is None:
            stage.note = "no row waits for its label"
            return
        stage.note = f"{written.rows:,} answers"
        made.result["files"]["predictions"] = str(written.file)
        if written.table:
            made.result["files"]["answers"] = written.table


def take_in(workspace: Workspace, *, fresh: bool = True) -> tuple[list[Ingested], Prepared]:
    """Bring the sources up to date (``fresh``, or where none is kept yet) and open them."""
    with workspace.stages("ingest") as stage:
        stale = [name for name in workspace.spec.sources if workspace.lake.stamp(name) is None]
        done = intake.take_in(workspace, () if fresh else stale) if fresh or stale else []
        rows = intake.counts(done)
        stage.note = f"{rows['valid']:,} valid rows, {rows['quarantined']:,} in quarantine" if done else "as kept"
    with workspace.stages("prepare") as stage:
        prepared = preparation.prepare(workspace, extents.open_tables(workspace, extents.learnt_from(workspace)))
        stage.note = "" if prepared.panel.places.kind == "all" else f"{len(prepared.panel.places):,} places"
    return done, prepared


def lay_out(workspace: Workspace, prepared: Prepared) -> Bench:
    """Lay everything out for learning: questions with features, the judged stretch, and the folds before it."""
    with workspace.stages("features") as stage:
        way = _apart if prepared.panel.apart else _timed if prepared.panel.timed else _timeless
        bench = way(workspace, prepared)
        material = bench.material
        stage.note = f"{material.questions.height:,} questions, {material.features.width} features"
    return bench


def _timed(workspace: Workspace, prepared: Prepared) -> Bench:
    """Forward folds before a cut in time."""
    first = preparation.learn_from(workspace, prepared)
    material = learning.gather(workspace, prepared, first, prepared.last)
    wish = learning.holdout_of(workspace)
    length = wish if isinstance(wish, Step) else None
    split = splits.holdout(material.questions, wish, prepared.panel.zone)
    cut = learning.cut_of(split)
    days = max((prepared.counted.coverage.end - cut).days, 1)
    begun: datetime = material.questions["start"].sort()[0]
    fold = learning.fold_that_fits(prepared, begun, cut, length or Step(days, "d"), workspace.spec.judge.folds)
    wanted = learning.terms(workspace, prepared, fold)
    return Bench(material, split, learning.folds_before(material, cut, wanted), wanted)


def _timeless(workspace: Workspace, prepared: Prepared) -> Bench:
    """Folds drawn by chance; of few rows none is set aside, and nested folds give the score."""
    if isinstance(learning.holdout_of(workspace), date):
        message = f"rows of {prepared.panel.source} have no time, so no day begins the holdout: leave out judge.holdout"
        raise DataError(message)
    material = learning.gather_rows(workspace, prepared)
    wanted = learning.terms(workspace, prepared, Step(1, "d"))
    height = material.questions.height
    split = splits.Split(None, np.arange(height), np.arange(0))
    if height >= kfolds.FEW_ROWS:
        split = kfolds.holdout(material.questions, seed=wanted.seed, classes=wanted.classes)
    return Bench(material, split, learning.chance_folds(material, split, wanted), wanted)


def _apart(workspace: Workspace, prepared: Prepared) -> Bench:
    """Folds of whole places: nothing is set aside, nested folds give the score."""
    material = learning.gather(workspace, prepared, preparation.learn_from(workspace, prepared), prepared.last)
    wanted = learning.terms(workspace, prepared, Step(1, "d"))
    split = splits.Split(None, np.arange(material.questions.height), np.arange(0))
    hide = newplaces.hider(workspace, prepared, material)
    return Bench(material, split, learning.chance_folds(material, split, wanted), wanted, hide)


def make(
    workspace: Workspace, prepared: Prepared, done: Sequence[Ingested], plan: Plan | None, *, promoting: bool
) -> Made:
    """Make a release, or find the one that the same inputs have made already."""
    key = inputs_key(workspace, plan)
    known = None if workspace.force else recording.find_made(workspace, key, promoting=promoting)
    if known is not None:
        workspace.stages.progress.finish("train", 0.0, f"unchanged: release {known.record.name} stands")
        return known
    bench = lay_out(workspace, prepared)
    with _tracked(workspace) as tracker:
        with workspace.stages("choose") as stage:
            selection = learning.choose(workspace, bench, plan)
            stage.note = f"{len(selection.plan.trials)} trials, chosen {selection.chosen.name}"
        with workspace.stages("judge") as stage:
            judged = _judge(workspace, prepared, bench, selection)
            stage.note = (
                f"{bench.wanted.metric} {judged.scores[bench.wanted.metric].value:.4f}, skill {judged.skill.value:.1%}"
            )
        new = _new_places(workspace, prepared, bench, selection, judged)
        with workspace.stages("audit") as stage:
            accused = Accused(bench, judged.asked.questions, selection.plan, judged.model)
            audit = auditing.examine(workspace, prepared, accused)
            stage.note = audit_note(audit)
        decision = None
        if promoting:
            decision = comparing.decide(workspace, prepared, bench, judged, audit_passed=audit.passed)
        findings = [
            *([f for one in done for f in one.findings] if done else hindsight.told(workspace)),
            *prepared.findings,
            *selection.findings,
            *audit.findings,
        ]
        findings += splits.doubts(bench.material.questions, [*bench.folds, bench.split])
        findings += _unseen_classes(prepared, bench, judged)
        findings += _doubts(selection, judged)
        return recording.make(
            workspace,
            prepared,
            Found(bench, selection, judged, audit, decision, tuple(findings), tuple(done), key, new),
            tracker,
        )


def _judge(workspace: Workspace, prepared: Prepared, bench: Bench, selection: Selection) -> Judged:
    """Open the holdout; where none is set aside, because rows without a time are few, nested folds give the score."""
    if bench.split.test.size:
        return judging.judge(workspace, prepared, bench, selection)
    return nesting.judge(workspace, bench, selection)


def _new_places(
    workspace: Workspace, prepared: Prepared, bench: Bench, selection: Selection, judged: Judged
) -> NewPlaces | None:
    if prepared.panel.apart or newplaces.blocks_of(prepared.panel.places) is None:
        return None
    with workspace.stages("new places") as stage:
        new = newplaces.judge(workspace, prepared, bench, selection.chosen, judged)
        stage.note = f"skill {new.skill.value:.1%} in places never met" if new else "too few questions"
    return new


def _unseen_classes(prepared: Prepared, bench: Bench, judged: Judged) -> list[Finding]:
    """Classes that were judged and never learnt: no model can tell them."""
    if not prepared.panel.classes or bench.split.cut is None:
        return []
    learnt = bench.material.questions["label"].gather(bench.split.train).unique()
    asked = judged.answers.filter(~pl.col("label").is_in(learnt.implode()))
    found = []
    for (code,), rows in sorted(asked.group_by("label"), key=lambda pair: str(pair[0])):
        name = prepared.panel.classes[int(str(code).partition(".")[0])]
        message = f"{rows.height:,} judged rows have the class {name!r}, which no row had that was learnt from"
        found.append(Finding("unseen class", Severity.WARNING, name, message, rows=rows.height))
    return found


def _doubts(selection: Selection, judged: Judged) -> list[Finding]:
    """What a reader of the score should know: that nothing beat the baseline, or how often the holdout was opened."""
    found = []
    if selection.chosen.name == judged.baseline.name:
        message = (
            f"no candidate did better on the folds than the baseline {judged.baseline.name}: it is the model itself"
        )
        found.append(Finding("choice", Severity.WARNING, judged.baseline.name, message))
    if selection.offer is not None:
        found.append(Finding("ensemble", Severity.NOTE, "blend", selection.offer.why, figure=selection.offer.gain))
    if judged.opened <= 1:
        return found
    since = f" from {judged.cut:%Y-%m-%d}" if judged.cut else ""
    message = f"the holdout{since} has been opened {judged.opened} times: each look flatters the score"
    return [*found, Finding("holdout", Severity.NOTE, "openings", message, figure=judged.opened)]


@contextlib.contextmanager
def _tracked(workspace: Workspace) -> Iterator[Tracker]:
    tracker = workspace.registry.begin(workspace.spec.name)
    try:
        yield tracker
    except BaseException:
        with contextlib.suppress(OutsideError):  # such as for want of room: what went wrong first is said
            workspace.registry.end(tracker, status="failed")
        raise
    workspace.registry.end(tracker, status="finished")


def _decide_again(workspace: Workspace, prepared: Prepared, made: Made) -> Made:
    """Decide about a release that was trained without a decision: its recipe is judged at the holdout's cut again."""
    bench = lay_out(workspace, prepared)
    release = releases.read(made.record.folder)
    plan = Plan.from_json(release.json("plan"))
    selection = learning.choose(workspace, bench, plan)
    with workspace.stages("judge"):
        judged = _judge(workspace, prepared, bench, selection)
    passed = not made.result["audit"]["failed"]
    decision = comparing.decide(workspace, prepared, bench, judged, audit_passed=passed)
    return recording.with_decision(made, decision)


def inputs_key(workspace: Workspace, plan: Plan | None) -> str:
    """Hash of everything that decides what a run makes: data versions, settings, plug-ins, polygons, code, plan."""
    spec = workspace.spec
    state = hashlib.sha256()
    for name in spec.sources:
        stamp = workspace.lake.stamp(name) or {}
        state.update(json.dumps({k: stamp.get(k) for k in ingestion.SAME}, sort_keys=True).encode())
    state.update(spec.model_dump_json(exclude={"answers", "serve", "watch", "store", "tracking", "location"}).encode())
    state.update(recording.code_version().encode())
    files = [workspace.folder / path for path in spec.plugins]
    if spec.predict.per.place is not None and spec.predict.per.place.polygons:
        files.append(workspace.folder / spec.predict.per.place.polygons)
    for file in files:
        state.update(file.read_bytes())
    state.update(json.dumps(plan.to_json() if plan else None, sort_keys=True).encode())
    return state.hexdigest()
