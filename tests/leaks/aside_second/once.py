"""Try the second set of leaks, once, and keep what came out; what is kept is never overwritten.

    python -m tests.leaks.aside_second.once

A leak is caught where the audit fails and names it (or, for a part that is fitted, the recipe or what it answers); a
twin passes where the audit does not fail. The tree must be that of a commit, which is noted, and so is the hash of
each file. The scores are those by which recipes are chosen; they are read without the audit.
"""

import hashlib
import importlib
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import asof
from asof.flows import intake, learning, preparation, running
from tests.leaks import trials
from tests.leaks.worlds import Project

HERE = Path(__file__).parent
OUTCOME = HERE / "outcome.json"
NAMES = sorted(path.stem.removeprefix("second_") for path in HERE.glob("second_*.py"))


def load(name: str) -> ModuleType:
    """Return the file of a leak."""
    return importlib.import_module(f"tests.leaks.aside_second.second_{name}")


def hashed(name: str) -> str:
    """SHA-256 of the file of a leak, as hexadecimal digits."""
    return hashlib.sha256((HERE / f"second_{name}.py").read_bytes()).hexdigest()


def attempt(planted: ModuleType, folder: Path) -> dict[str, Any]:
    """Audit one leak and its twin."""
    leak, twin = (
        trials.audit(project, folder / part, folder / "lakes")
        for part, project in (("leak", planted.LEAK), ("twin", planted.TWIN))
    )
    named = {one.rpartition(".")[2] for one in leak.blamed}
    right = {*planted.SUBJECTS, *(leak.whole if planted.LEAK.fitted else ())}
    return {
        "subjects": planted.SUBJECTS,
        "caught": bool(named & right) or bool(leak.refused and planted.LEAK.fitted),
        "failed": bool(leak.blamed),
        "blamed": sorted(leak.blamed),
        "refused": leak.refused,
        "told": leak.told.splitlines(),
        "passed": not twin.blamed and not twin.refused,
        "blamed in the twin": sorted(twin.blamed),
        "refused in the twin": twin.refused,
        "told of the twin": twin.told.splitlines(),
    }


def score(project: Project, folder: Path) -> dict[str, float | str]:
    """Return the metric of the project, and the mean over folds of its best candidate that is no baseline."""
    workspace = asof.open_project(str(project.write(folder)))
    intake.take_in(workspace, ())
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    plan = learning.choose(workspace, running.lay_out(workspace, prepared)).plan
    return {
        "metric": plan.metric,
        "score": min(trial.score for trial in plan.trials if trial.stage == "portfolio"),
    }


def tried(name: str, folder: Path) -> dict[str, Any]:
    """Return everything that is kept of one leak; a fault of the trial itself is told, so that the others are kept."""
    planted = load(name)
    scores = {
        part: score(project, folder / f"score_{part}")
        for part, project in (("leak", planted.LEAK), ("twin", planted.TWIN))
    }
    kept = {"name": name, "sha256": hashed(name), "scores": scores}
    (folder / "lakes").mkdir()
    try:
        return {**kept, **attempt(planted, folder)}
    except Exception as fault:  # noqa: BLE001 - tried once: whatever goes wrong is part of the outcome
        return {**kept, "error": f"{type(fault).__name__}: {fault}", "caught": False, "passed": False}


def _git(*words: str) -> str:
    return subprocess.run(["git", "-C", str(HERE), *words], capture_output=True, text=True, check=True).stdout.strip()


def main() -> int:
    """Try all of them and write the outcome."""
    if OUTCOME.is_file():
        sys.stderr.write(f"{OUTCOME.name} is there already: they are tried once\n")
        return 1
    changed = _git("status", "--porcelain")
    if changed:
        sys.stderr.write(f"the tree is not that of a commit; changed are:\n{changed}\n")
        return 1
    with tempfile.TemporaryDirectory() as folder:
        leaks = []
        for name in NAMES:
            (Path(folder) / name).mkdir()
            leaks.append(tried(name, Path(folder) / name))
    told = {"on": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "commit": _git("rev-parse", "HEAD"), "leaks": leaks}
    OUTCOME.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
