"""The exam of a registry, and a registry in memory that passes it.

An author of a registry runs every function of ``EXAM`` against it::

    @pytest.mark.parametrize("question", registries.EXAM, ids=lambda question: question.__name__)
    def test_exam(question, tmp_path):
        question(lambda root: MyRegistry(root), tmp_path)

``make(root)`` opens the registry kept under ``root``; opened twice it is the same registry.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from asof.errors import DataError
from asof.ports import Registry, ReleaseRecord, RunRecord, Tracker

Make = Callable[[Path], Registry]


@dataclass
class _Kept:
    """What one registry in memory holds."""

    runs: dict[str, RunRecord] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    attached: dict[str, tuple[str, ...]] = field(default_factory=dict)
    releases: list[ReleaseRecord] = field(default_factory=list)
    aliases: dict[str, int] = field(default_factory=dict)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    numbers: "count[int]" = field(default_factory=lambda: count(1))


class MemoryTracker:
    """A run being recorded in memory."""

    def __init__(self, kept: _Kept, run: str) -> None:
        """Store where to record, and the id of the open run."""
        self.run = run
        self._kept = kept

    def record(self, *, params: Mapping[str, Any] | None = None, figures: Mapping[str, float] | None = None) -> None:
        """Record parameters and figures of the run itself."""
        old = self._kept.runs[self.run]
        texts = {name: str(value) for name, value in (params or {}).items()}
        self._kept.runs[self.run] = replace(
            old, params={**old.params, **texts}, figures={**old.figures, **(figures or {})}
        )

    def candidate(self, name: str, params: Mapping[str, Any], figures: Mapping[str, float], parent: str = "") -> str:
        """Record a finished child run."""
        child = MemoryTracker(self._kept, _opened(self._kept, name, parent or self.run))
        child.record(params=params, figures=figures)
        _closed(self._kept, child.run, "finished")
        return child.run

    def attach(self, folder: Path) -> None:
        """Remember the names of the files."""
        if not folder.is_dir():
            message = f"{folder}: there is no such folder to attach to the run"
            raise DataError(message)
        self._kept.attached[self.run] = tuple(sorted(file.name for file in folder.iterdir()))


class MemoryRegistry:
    """A registry for tests: the same contract, gone with the process."""

    _all: ClassVar[dict[Path, _Kept]] = {}

    def __init__(self, root: Path, project: str = "demo") -> None:
        """Open the registry of ``root``."""
        self._project = project
        self._kept = self._all.setdefault(root.resolve(), _Kept())

    def begin(self, label: str) -> Tracker:
        """Open a run."""
        return MemoryTracker(self._kept, _opened(self._kept, label, ""))

    def end(self, tracker: Tracker, *, status: str) -> None:
        """Close it."""
        _closed(self._kept, tracker.run, status)

    def runs(self) -> list[RunRecord]:
        """List all runs, newest first."""
        return [self._kept.runs[run] for run, parent in reversed(self._kept.parents.items()) if not parent]

    def candidates(self, run: str) -> list[RunRecord]:
        """List the children of a run, oldest first."""
        return [self._kept.runs[child] for child, parent in self._kept.parents.items() if parent == run]

    def register(
        self, folder: Path, tracker: Tracker, facts: Mapping[str, str], figures: Mapping[str, float]
    ) -> ReleaseRecord:
        """Make a release known, or return the version that it has."""
        if not (folder / "manifest.json").is_file():
            message = f"{folder}: there is no manifest.json: only a complete release can be registered"
            raise DataError(message)
        for known in self.releases():
            if known.folder == folder.resolve():
                return known
        version = len(self._kept.releases) + 1
        name = facts.get("name") or f"{self._project}-{version}"
        now = datetime.now(UTC)
        record = ReleaseRecord(name, version, folder.resolve(), now, (), tracker.run, dict(figures), dict(facts))
        self._kept.releases.append(record)
        return record

    def set_alias(self, alias: str, version: int) -> None:
        """Point an alias at a version."""
        if version not in {record.version for record in self._kept.releases}:
            message = f"release {version} of {self._project} is not in the registry: 'asof runs' lists them"
            raise DataError(message)
        self._kept.aliases[alias] = version

    def find(self, which: str) -> ReleaseRecord | None:
        """Find by alias, version or name."""
        found = [r for r in self.releases() if which in {*r.aliases, r.name, str(r.version)}]
        return found[0] if found else None

    def releases(self) -> list[ReleaseRecord]:
        """List all releases, newest first."""
        aliases = self._kept.aliases
        return [
            replace(record, aliases=tuple(sorted(a for a, v in aliases.items() if v == record.version)))
            for record in reversed(self._kept.releases)
        ]

    def decide(self, record: Mapping[str, Any]) -> None:
        """Keep a decision."""
        self._kept.decisions.append(dict(record))

    def decisions(self) -> list[dict[str, Any]]:
        """List all decisions, oldest first."""
        return [dict(record) for record in self._kept.decisions]


def _opened(kept: _Kept, label: str, parent: str) -> str:
    run = f"run-{next(kept.numbers)}"
    kept.runs[run] = RunRecord(run, label, "running", datetime.now(UTC), None, {}, {})
    kept.parents[run] = parent
    return run


def _closed(kept: _Kept, run: str, status: str) -> None:
    kept.runs[run] = replace(kept.runs[run], status=status, ended=datetime.now(UTC))


def starts_empty(make: Make, root: Path) -> None:
    """Nothing is known before the first run, and asking creates nothing."""
    registry = make(root)
    assert registry.releases() == []
    assert registry.decisions() == []
    assert registry.runs() == []
    assert registry.find("champion") is None


def runs_are_recorded(make: Make, root: Path) -> None:
    """A run keeps its parameters, its figures, its status and its candidates, in order, with their trials."""
    tracker = make(root).begin("run 1")
    tracker.record(params={"seed": 20, "metric": "rmse"}, figures={"holdout.rmse": 1.5})
    first = tracker.candidate("poisson", {"alpha": 0.1}, {"score": 1.07})
    tracker.candidate("lightgbm", {"leaves": 31}, {"score": 1.06})
    tracker.candidate("trial 1", {"leaves": 15}, {"score": 1.065}, first)
    assert [run.status for run in make(root).runs()] == ["running"]
    make(root).end(tracker, status="finished")
    other = make(root).begin("run 2")
    make(root).end(other, status="failed")
    runs = make(root).runs()
    assert [(run.label, run.status) for run in runs] == [("run 2", "failed"), ("run 1", "finished")]
    assert runs[1].run == tracker.run
    assert runs[1].params == {"seed": "20", "metric": "rmse"}
    assert runs[1].figures == {"holdout.rmse": 1.5}
    children = make(root).candidates(tracker.run)
    assert [(child.label, child.figures["score"]) for child in children] == [("poisson", 1.07), ("lightgbm", 1.06)]
    assert [child.label for child in make(root).candidates(first)] == ["trial 1"]


def files_are_attached(make: Make, root: Path) -> None:
    """A folder of files can be attached to a run; one that is not there is refused."""
    tracker = make(root).begin("run 1")
    release(root / "attach")
    tracker.attach(root / "attach")
    try:
        tracker.attach(root / "nowhere")
    except DataError as error:
        assert "nowhere" in str(error)  # noqa: PT017 - the exam needs no pytest
    else:
        message = "attaching a folder that is not there must be refused"
        raise AssertionError(message)


def releases_are_found(make: Make, root: Path) -> None:
    """A release is found by version, name and alias, with its facts and figures; newest first."""
    registry = make(root)
    tracker = registry.begin("run")
    one = registry.register(release(root / "models/a"), tracker, {"fingerprint": "f1", "cut": "2019"}, {"skill": 0.05})
    two = registry.register(release(root / "models/b"), tracker, {"fingerprint": "f2", "name": "demo-b"}, {})
    assert (one.version, one.name, two.version, two.name) == (1, "demo-1", 2, "demo-b")
    registry.set_alias("champion", 1)
    again = make(root)
    found = again.find("champion")
    assert found is not None
    assert (found.version, found.aliases, found.run) == (1, ("champion",), tracker.run)
    assert found.folder == (root / "models/a").resolve()
    assert found.facts == {"fingerprint": "f1", "cut": "2019"}
    assert found.figures == {"skill": 0.05}
    assert found.created.tzinfo is not None
    assert [record.version for record in again.releases()] == [2, 1]
    for which, version in (("2", 2), ("demo-b", 2), ("demo-1", 1)):
        named = again.find(which)
        assert named is not None
        assert named.version == version
    assert again.find("3") is None
    assert again.find("challenger") is None


def aliases_move(make: Make, root: Path) -> None:
    """An alias names one version at a time; a version that is not there is refused and changes nothing."""
    registry = make(root)
    tracker = registry.begin("run")
    for name in ("a", "b"):
        registry.register(release(root / name), tracker, {"fingerprint": name}, {})
    registry.set_alias("champion", 1)
    registry.set_alias("challenger", 2)
    registry.set_alias("champion", 2)
    assert [record.aliases for record in make(root).releases()] == [("challenger", "champion"), ()]
    try:
        registry.set_alias("champion", 9)
    except DataError as error:
        assert "9" in str(error)  # noqa: PT017 - the exam needs no pytest
    else:
        message = "an alias for a version that is not there must be refused"
        raise AssertionError(message)
    assert [record.aliases for record in make(root).releases()] == [("challenger", "champion"), ()]


def registering_again_changes_nothing(make: Make, root: Path) -> None:
    """After a crash the same call gives the same version, with its facts and aliases."""
    registry = make(root)
    tracker = registry.begin("run")
    first = registry.register(release(root / "a"), tracker, {"fingerprint": "f1"}, {"skill": 0.1})
    registry.set_alias("champion", first.version)
    again = make(root).register(root / "a", make(root).begin("another run"), {"fingerprint": "f1"}, {"skill": 0.1})
    assert (again.version, again.run, again.aliases) == (1, tracker.run, ("champion",))
    assert len(make(root).releases()) == 1


def half_releases_are_refused(make: Make, root: Path) -> None:
    """A folder without its manifest is no release."""
    (root / "half").mkdir(parents=True)
    registry = make(root)
    tracker = registry.begin("run")
    try:
        registry.register(root / "half", tracker, {}, {})
    except DataError as error:
        assert "manifest.json" in str(error)  # noqa: PT017 - the exam needs no pytest
    else:
        message = "a half release must be refused"
        raise AssertionError(message)
    assert registry.releases() == []


def decisions_keep_their_order(make: Make, root: Path) -> None:
    """Decisions come back whole, long ones too, oldest first, and a name of any script survives."""
    tracker = make(root).begin("run")
    records: list[dict[str, Any]] = [
        {"kind": "promotion", "promoted": True, "run": tracker.run, "figures": {"skill": 0.0123456789, "n": 7}},
        {"kind": "holdout", "why": "Größe · ウ " * 2000, "periods": ["2019-09-01", "2019-12-01"]},
        {"kind": "promotion", "promoted": False, "why": None},
    ]
    for record in records:
        make(root).decide(record)
    assert make(root).decisions() == records
    assert [run.label for run in make(root).runs()] == ["run"]


def release(folder: Path) -> Path:
    """Make the least that a registry takes for a release: a folder with a manifest."""
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}", "utf-8")
    return folder


EXAM = (
    starts_empty,
    runs_are_recorded,
    files_are_attached,
    releases_are_found,
    aliases_move,
    registering_again_changes_nothing,
    half_releases_are_refused,
    decisions_keep_their_order,
)
"""All questions of the exam."""
