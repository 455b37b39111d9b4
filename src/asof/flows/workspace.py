"""What every flow is given: the parsed project, its ports, and someone to tell about progress."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from asof.ports import AnswersTable, Lake, Reader, Registry
from asof.specs import ProjectSpec

if TYPE_CHECKING:
    from asof.flows.serving import Desk
    from asof.plugins import Plugins


class Progress(Protocol):
    """Shows a person what goes on; the command line fills it, tests and Python use ``Quiet``."""

    def stage(self, name: str) -> None:
        """Say that a stage begins."""
        ...

    def done(self, share: float) -> None:
        """Say what share (0..1) of the present stage is done."""
        ...

    def finish(self, name: str, seconds: float, note: str) -> None:
        """Say that a stage has ended, and in a few words with what."""
        ...

    def stop(self) -> None:
        """Say that the present stage broke off: what follows is no longer progress."""
        ...


Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Asks a server about one row, and returns its answer."""


class Quiet:
    """Shows nothing."""

    def stage(self, name: str) -> None:
        """Show nothing."""

    def done(self, share: float) -> None:
        """Show nothing."""

    def finish(self, name: str, seconds: float, note: str) -> None:
        """Show nothing."""

    def stop(self) -> None:
        """Show nothing."""


@dataclass
class Stages:
    """Times the stages of a run and passes them on to whoever shows progress."""

    progress: Progress = field(default_factory=Quiet)
    seconds: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @contextmanager
    def __call__(self, name: str) -> Iterator["Stages"]:
        """Time one stage; a stage entered twice adds up. Within it, set ``note`` to say how it went."""
        begun = time.perf_counter()
        self.note = ""
        self.progress.stage(name)
        try:
            yield self
        except BaseException:
            self.progress.stop()
            raise
        spent = time.perf_counter() - begun
        self.seconds[name] = self.seconds.get(name, 0.0) + spent
        self.progress.finish(name, spent, self.note)

    def done(self, share: float) -> None:
        """Say what share (0..1) of the present stage is done."""
        self.progress.done(share)


@dataclass
class Workspace:
    """A project joined to its ports."""

    spec: ProjectSpec
    folder: Path
    """Base of the project's relative paths."""
    store: str
    """Local folder or ``s3://`` prefix of everything that is kept."""
    local: str
    """Local folder of models, tracking and locks: the store itself where it is one."""
    lake: Lake
    readers: Callable[[str], Reader]
    """Opens the reader of a source by its name."""
    open_registry: Callable[[], Registry]
    """Opens tracking and registry; called on first use, since it is slow to import."""
    hold: Callable[[str], AbstractContextManager[None]]
    """Holds the lock of the project for the named work; raises ``Busy``."""
    publish: Callable[[Path], None]
    """Copies a folder of the local part to the store, where that lies elsewhere."""
    fetch: Callable[[str], Path]
    """Brings a release from ``s3://`` here; returns its folder."""
    open_table: Callable[[str, Path], AnswersTable]
    """Opens the table of a database by its address; a relative file of SQLite lies in the folder given."""
    plugins: "Plugins"
    now: datetime
    """The moment of this run, UTC."""
    resolved: str = ""
    """The project file as resolved (YAML, no secrets)."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """What a release records of this machine: python, platform, package versions."""
    stages: Stages = field(default_factory=Stages)
    force: bool = False
    known_at: datetime | None = None
    """Moment (UTC) as of which the data are looked at, as they were known; none: as they are."""
    listen: "Callable[[Desk], AbstractContextManager[Ask]] | None" = None
    """Opens a server on loopback, where the extra ``serve`` is installed."""
    _registry: Registry | None = None

    @property
    def registry(self) -> Registry:
        """Tracking and registry of the project."""
        if self._registry is None:
            self._registry = self.open_registry()
        return self._registry

    def clock(self) -> datetime:
        """The present moment, UTC: when a decision is made, perhaps hours after the run began; never before ``now``."""
        return max(self.now, datetime.now(UTC))

    @property
    def threads(self) -> int:
        """Number of threads to use."""
        import os

        return self.spec.train.threads or os.cpu_count() or 1
