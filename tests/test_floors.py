"""The floors of docs/architecture.md hold, as import-linter reads them from pyproject.toml."""

import re
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


def test_the_architecture_names_every_module_on_its_floor(root: Path) -> None:
    """The table of the page and the layers say the same, and flows and adapters are listed whole."""
    page = (root / "docs" / "architecture.md").read_text(encoding="utf-8")
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    layers = [
        {name.strip().strip("()") for name in layer.split(":")}
        for layer in settings["tool"]["importlinter"]["contracts"][0]["layers"]
    ]
    rows = [line.split("|")[1:3] for line in page.splitlines() if re.match(r"\| [0-5] ", line)]
    named = {int(floor.split()[0]): set(re.findall(r"`([a-z0-9_]+)`", modules)) for floor, modules in rows}
    flows, adapters = (
        {path.stem for path in (root / "src" / "asof" / room).glob("[a-z]*.py")} for room in ("flows", "adapters")
    )
    doors = set.union(*layers[:4]) - {"__main__"}
    assert [named[floor] for floor in (5, 4, 3, 2, 1, 0)] == [
        doors,
        {"flows"},
        {"adapters", *adapters},
        *layers[-3:],
    ]
    table = page.split("## Flows")[1].split("## Questions")[0]
    listed = {
        name
        for line in table.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert listed == flows
