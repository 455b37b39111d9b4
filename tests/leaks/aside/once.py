"""Try the leaks kept aside, once, and keep what came out; what is kept is never overwritten.

    python -m tests.leaks.aside.once

A leak is caught where the audit fails and names it (or, for a part that is fitted, the recipe or what it answers); a
twin passes where the audit does not fail.
"""

import importlib
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.leaks import trials

HERE = Path(__file__).parent
OUTCOME = HERE / "outcome.json"
NAMES = sorted(path.stem.removeprefix("aside_") for path in HERE.glob("aside_*.py"))


def attempt(name: str, folder: Path) -> dict[str, Any]:
    """Audit one leak and its twin."""
    planted = importlib.import_module(f"tests.leaks.aside.aside_{name}")
    leak, twin = (
        trials.audit(project, folder / name / part, folder / "lakes")
        for part, project in (("leak", planted.LEAK), ("twin", planted.TWIN))
    )
    named = {one.rpartition(".")[2] for one in leak.blamed}
    right = {planted.SUBJECT, *(leak.whole if planted.LEAK.fitted else ())}
    return {
        "name": name,
        "subject": planted.SUBJECT,
        "caught": bool(named & right) or bool(leak.refused and planted.LEAK.fitted),
        "failed": bool(leak.blamed),
        "blamed": sorted(leak.blamed),
        "passed": not twin.blamed and not twin.refused,
        "blamed in the twin": sorted(twin.blamed),
    }


def main() -> int:
    """Try all of them and write the outcome."""
    if OUTCOME.is_file():
        sys.stderr.write(f"{OUTCOME.name} is there already: they are tried once\n")
        return 1
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "lakes").mkdir()
        leaks = [attempt(name, Path(folder)) for name in NAMES]
    told = {"on": f"{datetime.now(UTC):%Y-%m-%d}", "code": commit.stdout.strip(), "leaks": leaks}
    OUTCOME.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(OUTCOME.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
