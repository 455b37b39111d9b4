"""The project file: read, checked, and handed down as parsed nouns. Nothing else reads the YAML.

Overlays, each over the one before: the defaults, the file, its section ``environments.NAME``, and ``--set a.b=c``;
``${NAME}`` in any of them is the value of a variable of the environment.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asof.errors import ProjectError

if TYPE_CHECKING:
    from asof.specs import ProjectSpec

__all__ = ["Origin", "Project", "locate", "read", "resolved", "schema", "show", "written"]


@dataclass(frozen=True)
class Origin:
    """Where the value of one setting came from."""

    value: Any
    """As YAML would hold it; a secret is shown as the variable that holds it."""
    file: str = ""
    line: int = 0
    who: str = "default"
    """``file``, ``environment NAME``, ``--set``, ``variable NAME`` or ``default``."""

    def __str__(self) -> str:
        """Return ``file:line`` and, where it was not the file itself, who set it."""
        place = f"{self.file}:{self.line}" if self.line else ""
        return (
            " ".join(part for part in (place, f"({self.who})" if place and self.who != "file" else "") if part)
            or self.who
        )


@dataclass(frozen=True)
class Project:
    """A project file as read."""

    spec: "ProjectSpec" = field(repr=False)
    folder: Path
    """Base of relative paths: the folder of the file; for ``s3://`` the current folder."""
    address: str
    """As it was asked for."""
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)
    """Origin of every setting by its dotted path, in the order of the file's schema."""
    secrets: Mapping[tuple[str | int, ...], str] = field(default_factory=dict, repr=False)
    """What stands in the file, by path, in the place of values that may be secret."""


def read(
    address: str | Path,
    *,
    environment: str | None = None,
    overrides: Sequence[str] = (),
    environ: Mapping[str, str] = os.environ,
) -> Project:
    """Read and check a project file.

    Args:
        address: a folder with a ``project.yaml``, a file, or ``s3://bucket/key``.
        environment: name of the section of ``environments`` laid over the file.
        overrides: settings such as ``judge.folds=5``, laid over both; ``=null`` takes a setting away.
        environ: where ``${NAME}`` looks.

    Raises:
        ProjectError: the file is missing or has faults; all of them, in the order of their lines.
        OutsideError: an ``s3://`` address could not be reached.
    """
    from asof.project import reading

    return reading.read(str(address), environment=environment, overrides=overrides, environ=environ)


def resolved(project: Project) -> str:
    """YAML of everything as resolved, defaults included, secrets as variables; reads back to the same spec."""
    from asof.project import printing

    return printing.resolved(project)


def written(page: Mapping[str, Any]) -> str:
    """YAML of a page given as a mapping, which ``read`` reads back; nothing is checked."""
    from asof.project import printing

    return printing.written(page)


def show(project: Project) -> list[dict[str, Any]]:
    """One row a setting: ``path``, ``value``, ``from`` (a text), ``file``, ``line``, ``who``."""
    from asof.project import printing

    return printing.show(project)


def locate(project: Project, fault: ProjectError) -> ProjectError:
    """The same faults with file and line, where their path is that of a setting that stands in the file.

    For faults that only the data show, such as a column that is not there.
    """
    placed = {path: origin for path, origin in project.origins.items() if origin.file}
    found = []
    for problem in fault.problems:
        path = problem.where
        while path and path not in placed:
            path = next((name for name in placed if name.startswith(f"{path}.")), path.rpartition(".")[0])
        origin = placed.get(path)
        known = origin is not None and not problem.file
        found.append(replace(problem, file=origin.file, line=origin.line) if origin is not None and known else problem)
    return ProjectError(found)


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of what ``read`` accepts, short forms included, for editors."""
    from asof.project import schemas

    return schemas.schema()
