"""What every view of the page is given: the opened project, the chosen release, and a desk that answers with it."""

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from asof import releases, verbs
from asof.errors import DataError
from asof.flows.recording import RESULT
from asof.flows.workspace import Workspace
from asof.ports import ReleaseRecord
from asof.releases import Release

if TYPE_CHECKING:
    from asof.flows.serving import Desk, Standing

_TURN = threading.Lock()
"""Data are opened once, however many tabs wait for them."""


@dataclass(frozen=True)
class Opening:
    """What the command line said: which project is opened, and how."""

    project: str
    environment: str | None = None
    overrides: tuple[str, ...] = ()
    release: str = "champion"

    def write(self) -> str:
        """Write it as one argument of the page; ``read`` reads it."""
        return json.dumps([self.project, self.environment, list(self.overrides), self.release])

    @classmethod
    def read(cls, text: str) -> "Opening":
        """Read what ``write`` wrote."""
        project, environment, overrides, release = json.loads(text)
        return cls(project, environment, tuple(overrides), release)


@dataclass(frozen=True)
class Choice:
    """A release that can be chosen."""

    name: str
    which: str
    """By what it is opened: its name, or its folder or address where the registry does not know it."""
    record: ReleaseRecord | None = None

    @property
    def label(self) -> str:
        """What a reader sees in the list: version, when it was made, and what it is called."""
        if self.record is None:
            return f"{self.name} (not registered)"
        parts = [f"v{self.record.version}", *self.record.aliases, f"{self.record.created:%Y-%m-%d}"]
        return " · ".join(parts)


@dataclass(frozen=True)
class Sight:
    """A project and one of its releases, as the views are given them."""

    workspace: Workspace
    release: Release
    """Read and verified."""
    which: str
    """By what the release is opened."""
    record: ReleaseRecord | None
    """The release as the registry knows it: version, aliases, run; none for one given by its folder."""
    champion: ReleaseRecord | None
    """The present champion, perhaps this one."""

    @cached_property
    def result(self) -> Mapping[str, Any]:
        """What the run that made the release printed: scores, skill, audit, rows; nothing where it kept none."""
        if not (self.release.folder / RESULT).is_file():
            return {}
        return dict(json.loads(self.release.text(RESULT)))

    @cached_property
    def desk(self) -> "Desk":
        """The release and the data of the project, open for questions; opened when it is first asked for.

        Raises ``AsofError`` where the data cannot be read or the project now makes other features.
        """
        from asof.flows.serving import Desk

        with _TURN:
            if "desk" in vars(self):  # another tab has waited less
                return cast("Desk", vars(self)["desk"])
            desk = Desk(self.workspace, self.which)
            desk.open()
            return desk

    @property
    def standing(self) -> "Standing":
        """The release and the data of this moment."""
        return self.desk.standing

    @property
    def outlined(self) -> bool:
        """Whether questions are about places with outlines, which a line can cross."""
        place = self.workspace.spec.predict.per.place
        return self.of_periods and place is not None and (place.polygons is not None or place.h3 is not None)

    @property
    def mapped(self) -> bool:
        """Whether what is asked about lies on a map: in places with outlines, or as rows with coordinates."""
        if self.of_periods:
            return self.outlined
        place = self.workspace.spec.sources[self.workspace.spec.predict.source].place
        return place is not None and not isinstance(place, str)

    @property
    def of_periods(self) -> bool:
        """Whether places and periods are the units, and not single rows."""
        return not self.workspace.spec.predict.rows

    @property
    def is_champion(self) -> bool:
        """Whether this release is the present champion."""
        return self.champion is not None and self.champion.name == self.release.name


def open_workspace(opening: Opening) -> Workspace:
    """Open the project; raises ``ProjectError`` with all faults of its file."""
    return verbs.open_project(opening.project, environment=opening.environment, overrides=opening.overrides)


def choices(workspace: Workspace, which: str) -> list[Choice]:
    """Releases that can be chosen, newest first; one that ``which`` names by its folder or address stands first."""
    known = [Choice(record.name, record.name, record) for record in workspace.registry.releases()]
    known = [choice for choice in known if choice.record is not None and choice.record.folder.is_dir()]
    folder = _folder(workspace, which)
    if folder is None:
        return known
    name = releases.read(folder).name
    return known if any(choice.name == name for choice in known) else [Choice(name, which), *known]


def first(workspace: Workspace, offered: Sequence[Choice], which: str) -> int:
    """Index of the release that ``which`` names among those offered.

    Raises ``DataError`` where there is none; of a project without a champion the newest stands for it.
    """
    folder = _folder(workspace, which)
    if folder is not None:
        name = releases.read(folder).name
    else:
        record = workspace.registry.find(which)
        if record is None and which == "champion" and offered:
            return 0
        name = record.name if record is not None else ""
    for index, choice in enumerate(offered):
        if choice.name == name:
            return index
    message = f"no release {which!r} of {workspace.spec.name}: `asof runs` lists them, `asof run` makes one"
    raise DataError(message)


def open_sight(workspace: Workspace, choice: Choice) -> Sight:
    """Read and verify the chosen release."""
    folder = choice.record.folder if choice.record is not None else _folder(workspace, choice.which)
    if folder is None:
        message = f"no release {choice.name!r} of {workspace.spec.name}: it was there before"
        raise DataError(message)
    champion = workspace.registry.find("champion")
    return Sight(workspace, releases.read(folder), choice.which, choice.record, champion)


def _folder(workspace: Workspace, which: str) -> Path | None:
    """Folder of a release that is named by its folder or address."""
    folder = workspace.fetch(which) if which.startswith("s3://") else Path(which)
    return folder if (folder / "manifest.json").is_file() else None
