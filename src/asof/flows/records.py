"""What is kept: the page of a release, and the list of releases and decisions."""

import shutil
from pathlib import Path
from typing import Any

from asof.errors import DataError, OutsideError
from asof.flows.history import ROLLBACK, WATCH
from asof.flows.workspace import Workspace


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


def runs(workspace: Workspace) -> dict[str, Any]:
    """List releases, newest first, and decisions, newest first."""
    releases = workspace.registry.releases()
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
                "fingerprint": one.facts.get("fingerprint", ""),
                "folder": str(one.folder),
            }
            for one in releases
        ],
        "decisions": [_decision(one) for one in _told(workspace)],
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
