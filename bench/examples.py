"""Every example by its one command, `asof run`, on a copy of it: how long it takes, and what it says.

    python bench/examples.py [NAME ...]

Each runs in a process of its own with the page as it is, its budget included, from raw files to predictions in a new
store. The goal is three minutes on two cores. A refusal by a gate is an outcome like others: it ends with 1.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
GOAL = 180
"""Seconds."""


def run(name: str, folder: Path) -> str:
    """Run one example on a copy; returns its line."""
    copy = shutil.copytree(EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns(".asof", "__pycache__"))
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "asof", "run", str(copy), "--json"], capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - begun
    line = f"{name:<16}{seconds:7.0f} s  exit {done.returncode}"
    if not done.stdout.strip():
        return f"{line}  {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'no word'}"
    told = json.loads(done.stdout.strip().splitlines()[-1])
    metric = told["metric"]
    longest = sorted(told["seconds"].items(), key=lambda stage: -stage[1])[:4]
    skill, audit = told["skill"], told["audit"]
    return (
        f"{line}  {metric} {told['holdout'][metric]['value']:.4g}, skill {skill['value']:.1%}, audit failed "
        f"{len(audit['failed'])}, {'promoted' if told['promoted'] else 'kept back: ' + told['why']}\n"
        f"{'':<16}  longest: {', '.join(f'{name} {took:.0f} s' for name, took in longest)}"
    )


def main() -> None:
    """Print a line for each example."""
    names = sys.argv[1:] or sorted(path.parent.name for path in EXAMPLES.glob("*/project.yaml"))
    print(f"asof run of each example; goal {GOAL} s")
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            print(run(name, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
