"""A small project file, and what reading it or a change of it gives."""

from pathlib import Path
from typing import Any

import pytest

from asof import project
from asof.errors import ProjectError
from asof.project import Project

SMALL = """\
name: sales
sources:
  orders:
    files: orders.csv
    time: sold
predict:
  count: orders
  per: {place: shop, every: 1d}
"""
"""Eight lines make a project."""

SOCRATA = "socrata: {domain: data.org, dataset: abcd-1234, since: 2020-01-01"
"""The begin of a Socrata source."""


def changed(*lines: tuple[str, str]) -> str:
    """Return the small project with texts replaced."""
    text = SMALL
    for old, new in lines:
        assert old in text
        text = text.replace(old, new)
    return text


def read(folder: Path, text: str, **options: Any) -> Project:
    """Read the text of a project file in a folder, in an empty environment if nothing else is said."""
    (folder / "project.yaml").write_text(text, encoding="utf-8")
    return project.read(folder, **{"environ": {}, **options})


def faults(folder: Path, text: str, **options: Any) -> list[str]:
    """Return the faults of the text of a project file, without their folder."""
    with pytest.raises(ProjectError) as caught:
        read(folder, text, **options)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]
