"""Copies of the examples, run lightly: one thread, no search, one candidate, one drawing of the folds."""

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def copy(name: str, folder: Path) -> Path:
    """Copy the example ``name`` below ``folder``, without what runs have kept in it."""
    left = shutil.ignore_patterns(".asof", "__pycache__")
    return Path(shutil.copytree(ROOT / "examples" / name, folder / name, ignore=left))


def light(candidate: str) -> tuple[str, ...]:
    """Overrides of a page, so that a run takes seconds."""
    return ("train.budget=0s", "train.threads=1", f"train.candidates=[{candidate}]", "judge.repeats=1", "judge.folds=3")
