"""Writing and reading a release folder; see ``FILES`` for what it holds."""

import functools
import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

import polars as pl

from asof.data import Finding, Severity
from asof.errors import DataError, OutsideError
from asof.releases.seen import Seen

if TYPE_CHECKING:
    from asof.recipes import Model, Parts

FORMAT = 1
"""Version of the layout that ``write`` makes; ``read`` knows all up to this one."""

FILES = {
    "recipe.json": "encoders, estimator and parameters",
    "plan.json": "what was run to choose it; replayable",
    "schema.json": "features with their types and the ranges seen",
    "intervals.json": "calibration of the intervals",
    "places.arrow": "the places known to it (where there are places)",
    "scores.parquet": "all scores, one a row",
    "judged.parquet": "the judged answers, one a row (releases of earlier versions have none)",
    "findings.json": "findings of checks and audit",
    "project.yaml": "the resolved project, without secrets",
    "environment.json": "Python, platform, packages, threads",
    "card.md": "the model on one page",
    "report.html": "the report",
    "manifest.json": "sums of all files, versions of data and code, fingerprint",
}
"""The files of a release, beside ``model/`` (the model's own files) and ``predictions/`` (answers)."""

_TEMPORARY = ".writing-"
_PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth")
_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_?KEY|ACCESS_KEY|ACCESS_KEY_ID)$")
_SECRET_LENGTH = 8
_PACKAGES = ("numpy", "polars", "scikit-learn", "lightgbm", "xgboost-cpu", "xgboost", "catboost", "optuna")


class Saves(Protocol):
    """A fitted model that writes itself as plain files."""

    def save(self, folder: Path) -> None:
        """Write the model into ``folder``, which exists and is empty."""
        ...


@dataclass(frozen=True)
class Contents:
    """Everything that goes into a release."""

    name: str
    project: str
    created: datetime
    model: Saves
    recipe: Mapping[str, Any]
    plan: Mapping[str, Any]
    schema: tuple[Seen, ...]
    intervals: Mapping[str, Any]
    scores: pl.DataFrame
    findings: Sequence[Finding]
    settings: str
    """The resolved project as YAML, without secrets."""
    report: str
    """The report as HTML."""
    card: str
    """The model card as Markdown."""
    fingerprint: str
    places: pl.DataFrame | None = None
    judged: pl.DataFrame | None = None
    """The judged answers: what was asked, ``label``, ``prediction`` and what belongs to it."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Version of each source that was read."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """Other facts for the manifest: cut, target, unit."""
    threads: int = 1
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further text files by name, such as ``outlines.geojson``."""


@dataclass(frozen=True)
class Release:
    """A release whose files have all been verified."""

    folder: Path
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the release, as predictions carry it."""
        return str(self.manifest["name"])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the model is."""
        return str(self.manifest["fingerprint"])

    @property
    def created(self) -> datetime:
        """When it was made."""
        return datetime.fromisoformat(self.manifest["created"])

    @property
    def facts(self) -> Mapping[str, str]:
        """Facts of the manifest: cut, target, unit."""
        return dict(self.manifest["facts"])

    def json(self, name: str) -> Any:
        """Content of a JSON file of the release: ``recipe``, ``plan``, ``intervals``, ``environment``."""
        return json.loads((self.folder / f"{name}.json").read_text("utf-8"))

    def text(self, file: str) -> str:
        """Content of a text file of the release, such as ``project.yaml`` or ``outlines.geojson``."""
        return (self.folder / file).read_text("utf-8")

    def model(self, *, threads: int = 1, plugins: "Parts | None" = None) -> "Model":
        """Load the model itself (native formats only); plug-ins that it was made with must be given."""
        from asof import recipes

        return recipes.load(self.folder / "model", threads=threads, plugins=plugins)

    def schema(self) -> tuple[Seen, ...]:
        """Features as seen in training, in the order of the model."""
        return self._schema

    @functools.cached_property
    def _schema(self) -> tuple[Seen, ...]:
        """Read once: every answer is held against it."""
        return tuple(Seen.from_plain(item) for item in self.json("schema"))

    def places(self) -> pl.DataFrame | None:
        """List the places known to the model, or return none where it has no places."""
        file = self.folder / "places.arrow"
        return pl.read_ipc(file) if file.is_file() else None

    def scores(self) -> pl.DataFrame:
        """All scores, one a row."""
        return pl.read_parquet(self.folder / "scores.parquet")

    def judged(self) -> pl.DataFrame | None:
        """Judged answers, one a row; none in releases of versions that kept none."""
        file = self.folder / "judged.parquet"
        return pl.read_parquet(file) if file.is_file() else None

    def findings(self) -> tuple[Finding, ...]:
        """Findings of checks and audit."""
        return tuple(Finding(**{**item, "severity": Severity(item["severity"])}) for item in self.json("findings"))


def write(folder: Path, contents: Contents) -> Release:
    """Write a release: into a sibling folder first, synced to the disk, then renamed into place.

    A crash leaves either no ``folder`` or a complete one. Where ``folder`` already holds a
    release of the same fingerprint it is kept and returned. Raises ``DataError`` where
    another stands there or a text carries a secret, ``OutsideError`` where the disk refuses.
    """
    _refuse_secrets(contents)
    if folder.exists():
        return _kept(folder, contents)
    with _disk(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = folder.parent / f"{_TEMPORARY}{folder.name}-{os.getpid()}"
        shutil.rmtree(draft, ignore_errors=True)
        try:
            _fill(draft, contents)
            _sync(draft)
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        _sync_one(folder.parent)
    return read(folder)


def read(folder: Path) -> Release:
    """Open a release after checking its format and the sum of every file.

    Raises ``DataError`` naming the file that is changed, missing, unknown or of a kind that
    is never read (pickles), or where the format is newer than this program.
    """
    manifest = _manifest(folder)
    listed = manifest["files"]
    present = {file.relative_to(folder).as_posix(): file for file in _files(folder)}
    for name in sorted(set(present) - set(listed) - {"manifest.json"}):
        _refuse(folder, f"file {name!r} is not in the manifest: remove it")
    for name in sorted(listed):
        parts = PurePosixPath(name)
        if parts.is_absolute() or ".." in parts.parts or name.lower().endswith(_PICKLES):
            _refuse(folder, f"file {name!r} is of a kind that is never read: make the release anew")
        if name not in present:
            _refuse(folder, f"file {name!r} is missing: restore it or make the release anew")
        if _sum(present[name]) != listed[name]["sha256"]:
            _refuse(folder, f"file {name!r} has changed since it was written: restore it or make the release anew")
    return Release(folder=folder, manifest=manifest)


def sweep(root: Path) -> int:
    """Remove drafts that a crash left anywhere under ``root``; returns how many.

    Call it only while holding the lock of the project: a draft may belong to a living run.
    """
    drafts = [path for path in root.rglob(f"{_TEMPORARY}*") if path.is_dir()]
    for draft in drafts:
        shutil.rmtree(draft, ignore_errors=True)
    return len(drafts)


def environment(threads: int) -> dict[str, Any]:
    """Python, platform, package versions and threads: what a fingerprint may depend on besides the data."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "machine": platform.machine(),
        "libc": " ".join(platform.libc_ver()),
        "packages": versions,
        "threads": threads,
    }


def _fill(draft: Path, contents: Contents) -> None:
    (draft / "model").mkdir(parents=True)
    contents.model.save(draft / "model")
    for name, value in (
        ("recipe", contents.recipe),
        ("plan", contents.plan),
        ("intervals", contents.intervals),
        ("schema", [item.plain() for item in contents.schema]),
        ("findings", [asdict(finding) for finding in contents.findings]),
        ("environment", environment(contents.threads)),
    ):
        (draft / f"{name}.json").write_text(_json(value), "utf-8")
    for name, text in _texts(contents).items():
        (draft / name).write_text(text, "utf-8")
    contents.scores.write_parquet(draft / "scores.parquet")
    if contents.judged is not None:
        contents.judged.write_parquet(draft / "judged.parquet")
    if contents.places is not None:
        contents.places.write_ipc(draft / "places.arrow")
    (draft / "manifest.json").write_text(_json(_sealed(_summary(draft, contents))), "utf-8")


def _summary(draft: Path, contents: Contents) -> dict[str, Any]:
    files = {
        file.relative_to(draft).as_posix(): {"sha256": _sum(file), "bytes": file.stat().st_size}
        for file in sorted(_files(draft))
    }
    for name in files:
        if name.lower().endswith(_PICKLES):
            _refuse(draft, f"the model wrote {name!r}, a kind that is never read: save plain files")
    return {
        "format": FORMAT,
        "name": contents.name,
        "project": contents.project,
        "created": contents.created.isoformat(),
        "fingerprint": contents.fingerprint,
        "code": metadata.version("asof"),
        "data": dict(contents.data),
        "facts": dict(contents.facts),
        "files": files,
    }


def _manifest(folder: Path) -> Mapping[str, Any]:
    file = folder / "manifest.json"
    if not file.is_file():
        _refuse(folder, "there is no manifest.json: give the folder of a complete release")
    try:
        manifest = json.loads(file.read_text("utf-8"))
        version, seal, listed = manifest["format"], manifest["seal"], manifest["files"]
    except (ValueError, KeyError, TypeError):
        _refuse(folder, "manifest.json cannot be read: restore it or make the release anew")
    if not isinstance(version, int) or version > FORMAT:
        _refuse(folder, f"it has format {version}, this program reads up to {FORMAT}: install a newer asof")
    if seal != _sealed(manifest)["seal"] or not isinstance(listed, dict):
        _refuse(folder, "file 'manifest.json' has changed since it was written: restore it or make the release anew")
    return dict(manifest)


def _sealed(manifest: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in manifest.items() if key != "seal"}
    return {**rest, "seal": hashlib.sha256(_json(rest).encode()).hexdigest()}


def _files(folder: Path) -> Iterator[Path]:
    """All files but the answers, which are added after the release was made."""
    for path in folder.rglob("*"):
        if path.is_symlink():
            _refuse(folder, f"{path.relative_to(folder).as_posix()!r} is a link: put the file itself there")
        if path.is_file() and path.relative_to(folder).parts[0] != "predictions":
            yield path


def _kept(folder: Path, contents: Contents) -> Release:
    release = read(folder)
    if release.fingerprint != contents.fingerprint:
        _refuse(folder, f"another release stands there ({release.name}): write to a folder of its own")
    return release


def _texts(contents: Contents) -> dict[str, str]:
    own = {"project.yaml": contents.settings, "report.html": contents.report, "card.md": contents.card}
    for name in contents.extra:
        if name in FILES or not re.fullmatch(r"[A-Za-z0-9_\-]+\.(json|geojson|md|txt|yaml|csv)", name):
            message = f"extra file {name!r} cannot go into a release: use a plain text name that is not taken"
            raise DataError(message)
    return {**own, **contents.extra}


def _refuse_secrets(contents: Contents) -> None:
    texts = {**_texts(contents), "plan.json": _json(contents.plan), "recipe.json": _json(contents.recipe)}
    for variable, secret in os.environ.items():
        if len(secret) < _SECRET_LENGTH or not _SECRET.search(variable.upper()):
            continue
        for file, text in texts.items():
            if secret in text:
                message = f"{file}: it contains the value of the variable {variable}: write ${{{variable}}} instead"
                raise DataError(message)


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    """JSON has no NaN, no tuples and no times: unknown numbers become null, times ISO text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, datetime | date):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value


def _sum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        _sync_one(path)


def _sync_one(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _disk(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        message = f"release {folder}: the disk refused ({why}): nothing was written; make room or check the rights"
        raise OutsideError(message) from error


def _refuse(folder: Path, fault: str) -> NoReturn:
    message = f"release {folder}: {fault}"
    raise DataError(message)
