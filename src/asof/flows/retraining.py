"""Retraining without arguments: what is new, and if something is, the whole job; why is always written down."""

from collections.abc import Mapping
from typing import Any

from asof.flows import delivering, intake, recording, running
from asof.flows.ingestion import Ingested
from asof.flows.recording import Made
from asof.flows.workspace import Workspace
from asof.ports import ReleaseRecord

RETRAIN = "retrain"
"""Kind of the record that tells what was new, and what came of it."""


def retrain(workspace: Workspace) -> dict[str, Any]:
    """Take in what is new; if nothing is, say so; else train, audit, compare, promote or keep, and predict.

    What makes a release anew are new or corrected rows, another setting or another version of the program. A second
    retrain at the same time waits or is told who is at work, as for every verb that writes.

    Returns:
        As ``asof run --json``, and ``retrained`` and ``news`` (what was new, in words). Where nothing was new only
        ``project``, ``retrained``, ``news``, ``release``, ``promoted``, ``why``, ``rows`` and ``seconds``.
    """
    with workspace.hold("retrain"):
        delivering.own_table(workspace)
        done, prepared = running.take_in(workspace)
        latest = _latest(workspace)
        known = None if workspace.force else _made(workspace)
        if known is not None:
            recording.settle(workspace, known)  # what a crash left undone
            told = _nothing_new(workspace, known, done)
        else:
            made = running.make(workspace, prepared, done, None, promoting=True)
            recording.settle(workspace, made)
            if workspace.registry.find("champion") is not None:
                running.predict_next_periods(workspace, prepared, made)
            told = {**made.result, "retrained": True, "news": _news(workspace, done, latest)}
        _keep(workspace, told)
    told["seconds"] = dict(workspace.stages.seconds)
    return told


def look(workspace: Workspace) -> tuple[str, str | None]:
    """Take in what is new, as ``retrain`` does, and make nothing of it.

    Returns:
        The hash of everything that a release would be made of, and the release that was made of it: none where a
        retrain would make one.
    """
    with workspace.hold("look"):
        with workspace.stages("ingest"):
            intake.take_in(workspace)
        known = _made(workspace)
    return running.inputs_key(workspace, None), known.record.name if known else None


def _made(workspace: Workspace) -> Made | None:
    """What has been made, with a decision, of the data, settings and program as they are now."""
    return recording.find_made(workspace, running.inputs_key(workspace, None), promoting=True)


def _latest(workspace: Workspace) -> ReleaseRecord | None:
    return next((one for one in workspace.registry.releases() if one.facts.get("decided") == "yes"), None)


def _nothing_new(workspace: Workspace, known: Made, done: list[Ingested]) -> dict[str, Any]:
    champion = workspace.registry.find("champion")
    stands = f"{champion.name} stays champion" if champion else "there is no champion"
    why = f"nothing is new since {known.record.name} of {known.record.created:%Y-%m-%d %H:%M} UTC: {stands}"
    return {
        "project": workspace.spec.name,
        "retrained": False,
        "news": [],
        "release": champion.name if champion else None,
        "promoted": False,
        "why": why,
        "refused": False,
        "rows": intake.counts(done),
    }


def _news(workspace: Workspace, done: list[Ingested], latest: ReleaseRecord | None) -> list[str]:
    """What was new, in words."""
    if latest is None:
        return ["nothing had been made before"]
    told = [f"{one.new:,} new or corrected rows of {one.source}" for one in done if one.new]
    known = dict(latest.facts)
    if known.get("code_hash") != recording.code_version():
        told.append("another version of the program")
    if not told and workspace.force:
        told.append("asked for (--force)")
    return told or ["rows taken in before, other settings or plug-ins"]


def _keep(workspace: Workspace, told: dict[str, Any]) -> None:
    """Write down what was new and what came of it; a run that found nothing new is kept once, not every night."""
    decisions = workspace.registry.decisions()
    record = {
        "kind": RETRAIN,
        "release": told["release"],
        "retrained": told["retrained"],
        "news": told["news"],
        "promoted": told["promoted"],
        "why": told["why"],
    }
    last: Mapping[str, Any] = next((one for one in reversed(decisions) if one.get("kind") == RETRAIN), {})
    if not told["retrained"] and {name: last.get(name) for name in record} == record:
        return
    workspace.registry.decide({**record, "at": workspace.clock().isoformat()})
