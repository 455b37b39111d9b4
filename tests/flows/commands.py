"""Commands on the small world, and what they say: for the tests of bad input."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asof.cli import main
from tests.flows import world

Finished = tuple[Path, Mapping[str, Any]]
Capture = pytest.CaptureFixture[str]


def project(*pairs: tuple[str, str], more: str = "") -> str:
    """The project of the small world with parts replaced, and lines added at the end."""
    text = world.PROJECT
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text + more


@pytest.fixture(scope="module")
def few() -> pl.DataFrame:
    """A few months of calls."""
    return world.calls(days=120)


def refused(capsys: Capture, code: int, *command: object) -> str:
    """The one line that a refused command says, without ``asof: ``; stages that had ended come before it."""
    capsys.readouterr()
    assert main([str(part) for part in command]) == code
    told = capsys.readouterr()
    assert told.out == ""
    lines = [line for line in told.err.splitlines() if not re.match(r"  \w+ +\d+\.\d s", line)]
    assert len(lines) == 1, told.err
    assert lines[0].startswith("asof: ")
    return lines[0].removeprefix("asof: ")


def shown(capsys: Capture, *command: object, code: int = 0) -> dict[str, Any]:
    """What a command that ends with ``--json`` prints."""
    capsys.readouterr()
    assert main([*(str(part) for part in command), "--json"]) == code
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    return told


def line_of(folder: Path, part: str) -> str:
    """``FILE:LINE`` of the first line of the project file that holds ``part``."""
    lines = (folder / "project.yaml").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if part in line)
    return f"{folder / 'project.yaml'}:{number}"


def nothing_kept(folder: Path) -> bool:
    """No row, no release and no draft has been written."""
    return not [path for path in folder.rglob(".asof/**/*") if path.is_file() and not path.name.startswith(".lock")]
