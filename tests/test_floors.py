"""The floors of docs/architecture.md hold, as import-linter reads them from pyproject.toml."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest


@pytest.mark.needs("import-linter")
def test_a_floor_imports_only_floors_below_it(root: Path) -> None:
    pytest.importorskip("importlinter", reason="missing: import-linter")
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()", "--no-cache"],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_stands_outside_the_floors(root: Path) -> None:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    floors = settings["tool"]["importlinter"]["contracts"][0]
    assert floors["exhaustive"] is True
    listed = {name.strip().strip("()") for layer in floors["layers"] for name in layer.split(":")}
    there = {
        path.stem if path.is_file() else path.name
        for path in (root / "src" / "asof").iterdir()
        if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem != "__init__"
    }
    assert there - listed == set()


def test_every_exemption_from_lint_carries_its_reason(root: Path) -> None:
    lines = (root / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    begun = lines.index("ignore = [")
    ended = lines.index("]", begun)
    for line in lines[begun + 1 : ended]:
        assert "#" in line, f"{line.strip()} has no reason"


def test_no_machine_stands_in_the_locks(root: Path) -> None:
    for lock in sorted((root / "requirements").glob("*.txt")):
        text = lock.read_text(encoding="utf-8")
        for word in ("://", "--index-url", "--find-links", "file:", "/tmp", "/home", "/opt"):  # noqa: S108 - looked for, not used
            assert word not in text, f"{lock.name} contains {word}"
