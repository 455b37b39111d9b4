"""What is kept: the page of a release, and the list of releases and decisions."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asof.errors import DataError, OutsideError
from asof.flows.history import ROLLBACK, WATCH
from asof.flows.workspace import Workspace
from asof.releases import Release

AUDIT = "audit.json"
"""What each check of the audit answered, covered and found, and what the owner accepts with which reason."""
COSTS = "costs.json"
"""What candidates took: ``seconds`` to fit and to predict a fold of each trial, and ``offer``: what a blend gains."""


def report(workspace: Workspace, which: str, out: Path | None = None) -> dict[str, Any]:
    """Find the page of a release, and copy it where asked."""
    from asof import releases

    record = workspace.registry.find(which) or next(iter(workspace.registry.releases()), None)
    if record is None:
        message = f"{workspace.spec.name} has no release yet; `asof run` makes one"
        raise DataError(message)
    releases.read(record.folder)
    page = record.folder / "report.html"
    if out is not None:
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(page, out)
        except OSError as fault:
            message = f"{out}: cannot be written: {fault.strerror or fault}"
            raise OutsideError(message) from fault
    return {"project": workspace.spec.name, "release": record.name, "page": str(out or page)}


def audited(release: Release) -> Mapping[str, Any] | None:
    """What the audit of its run answered: ``verdicts`` (check, outcome, coverage, findings) and ``accepted``, reasons.

    None for a release of an earlier version of this program, which kept the names of the checks alone.
    """
    return _beside(release, AUDIT)


def costs(release: Release) -> Mapping[str, Any]:
    """What its candidates took: ``seconds`` (to fit, to predict) of each trial, and ``offer`` of a blend, or none.

    Empty for a release of an earlier version of this program.
    """
    return _beside(release, COSTS) or {}


def _beside(release: Release, name: str) -> Mapping[str, Any] | None:
    """A file that says how a release came about; none where it was not kept."""
    if not (release.folder / name).is_file():
        return None
    found: Mapping[str, Any] = json.loads(release.text(name))
    return found


def runs(workspace: Workspace) -> dict[str, Any]:
    """List releases, newest first, and decisions, newest first."""
    releases = workspace.registry.releases()
    versions = {one.name: one.version for one in releases}
    metric = releases[0].facts.get("metric", "score") if releases else "score"
    return {
        "project": workspace.spec.name,
        "metric": metric,
        "releases": [
            {
                "version": one.version,
                "name": one.name,
                "aliases": list(one.aliases),
                "created": f"{one.created:%Y-%m-%d %H:%M}",
                "recipe": one.facts.get("recipe", ""),
                "score": one.figures.get(metric),
                "audit": one.facts.get("audit", ""),
                "known_at": one.facts.get("known_at"),
                "history": json.loads(one.facts.get("history", "{}")),
                "fingerprint": one.facts.get("fingerprint", ""),
                "folder": str(one.folder),
            }
            for one in releases
        ],
        "decisions": [{**told, "version": versions.get(told["release"])} for told in map(_decision, _told(workspace))],
    }


def _told(workspace: Workspace) -> list[dict[str, Any]]:
    """Decisions, newest first; of looks at what is served only those that alarmed."""
    kept = reversed(workspace.registry.decisions())
    return [one for one in kept if one.get("kind") != WATCH or one["alarms"]]


def _decision(one: dict[str, Any]) -> dict[str, Any]:
    if one.get("kind") == "holdout":
        what = f"opened {str(one['from'])[:10]} to {str(one['until'])[:10]} for {one['recipe']}"
        return {"at": str(one["at"])[:16], "kind": "holdout", "release": "", "what": what}
    if one.get("kind") == ROLLBACK:
        return {"at": str(one["at"])[:16], "kind": ROLLBACK, "release": one["release"], "what": str(one["why"])}
    if one.get("kind") == WATCH:
        return {"at": str(one["at"])[:16], "kind": WATCH, "release": one["release"], "what": str(one["why"])}
    if one.get("kind") == "retrain":
        what = f"{'; '.join(one['news']) or 'nothing new'}: {one['why']}"
        return {"at": str(one["at"])[:16], "kind": "retrain", "release": one["release"] or "", "what": what}
    what = ("promoted: " if one.get("promoted") else "not promoted: ") + str(one.get("why", ""))
    return {"at": str(one.get("at", ""))[:16], "kind": "promotion", "release": one.get("release", ""), "what": what}
