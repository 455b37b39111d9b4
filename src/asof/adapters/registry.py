"""Runs and releases in MLflow: SQLite in the store by default, a server by its URI.

What goes where:

- one experiment a project; one parent run per ``begin``; candidates, trials and decisions are child runs;
- one registered model a project; a version is a release folder of ours, known by its path within the store (and
  uploaded as artifacts where the registry is a server);
- the champion is an alias, so that promotion is one row changed in one transaction.

MLflow takes two seconds to import and likes to talk: it is imported at the first use, its telemetry and printing off.
"""

import contextlib
import json
import logging
import os
import platform
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asof.adapters import databases, versions
from asof.errors import DataError, OutsideError
from asof.ports import ReleaseRecord, RunRecord, Tracker

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run
    from mlflow.entities.model_registry import ModelVersion

_PARENT = "mlflow.parentRunId"
_KIND = "asof.kind"
_PROCESS = "asof.process"
_FOLDER = "asof.folder"
_STATUS = {"finished": "FINISHED", "failed": "FAILED"}
_CHUNK = 4000
"""MLflow refuses longer tags of a run (8000 bytes); a character takes up to two of them in our JSON."""
_BATCH = 100
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
"""Set unless the user says otherwise: no telemetry, our own output alone, an absent server noticed in seconds."""


class MlflowTracker:
    """A run being recorded in MLflow."""

    def __init__(self, registry: "MlflowRegistry", run: str) -> None:
        """Store the registry and the id of the open run."""
        self.run = run
        self._registry = registry

    def record(self, *, params: Mapping[str, Any] | None = None, figures: Mapping[str, float] | None = None) -> None:
        """Record parameters (each once, unchangeable) and figures of the run itself."""
        self._registry.log(self.run, params or {}, figures or {})

    def candidate(self, name: str, params: Mapping[str, Any], figures: Mapping[str, float], parent: str = "") -> str:
        """Record a finished child run under the run, or under the candidate ``parent``; returns its id."""
        run = self._registry.create_run(name, "candidate", {_PARENT: parent or self.run})
        self._registry.log(run, params, figures)
        self._registry.close(run, "FINISHED")
        return run

    def attach(self, folder: Path) -> None:
        """Copy (or upload) the files of ``folder`` to the run."""
        if not folder.is_dir():
            message = f"{folder}: there is no such folder to attach to the run"
            raise DataError(message)
        with self._registry.guarded() as client:
            client.log_artifacts(self.run, str(folder))


class MlflowRegistry:
    """Runs, releases, aliases and decisions of one project.

    ``uri``: a server's address or a SQLAlchemy address; none: ``root/mlflow.db``. ``root``: the folder of the store;
    releases inside it are known by their relative path, so that a store may be moved. Every failure of MLflow, of
    the network or of the database is an ``OutsideError``.
    """

    def __init__(self, uri: str | None, project: str, root: Path) -> None:
        """Store the settings; nothing is opened before the first use."""
        self._root = root.resolve()
        self._uri = uri or f"sqlite:///{self._root / 'mlflow.db'}"
        self._file = Path(self._uri.removeprefix("sqlite:///")) if self._uri.startswith("sqlite:///") else None
        self._served = self._uri.startswith(("http://", "https://"))
        self._project = project
        self._client: MlflowClient | None = None
        self._experiment = ""

    @property
    def uri(self) -> str:
        """Address of the registry without user name and password, fit for a log."""
        return re.sub(r"//[^/@]*@", "//", self._uri)

    def begin(self, label: str) -> Tracker:
        """Open a run; runs that a dead process of this machine left open are closed as killed first."""
        self._close_orphans()
        return MlflowTracker(self, self.create_run(label, "run", {}))

    def end(self, tracker: Tracker, *, status: str) -> None:
        """Close the run as ``finished`` or ``failed``."""
        self.close(tracker.run, _STATUS[status])

    def runs(self) -> list[RunRecord]:
        """List all runs of the project, newest first, without their candidates."""
        if self._absent():
            return []
        return [_run_record(run) for run in reversed(self._search("run"))]

    def candidates(self, run: str) -> list[RunRecord]:
        """List candidates (or trials) recorded under a run (or a candidate), oldest first."""
        if self._absent():
            return []
        return [_run_record(child) for child in self._search("candidate", f" and tags.`{_PARENT}` = '{run}'")]

    def register(
        self, folder: Path, tracker: Tracker, facts: Mapping[str, str], figures: Mapping[str, float]
    ) -> ReleaseRecord:
        """Make a complete release folder known as a new version.

        A folder that is registered already gives its present version: after a crash the same call can be made
        again. The name is ``facts["name"]``, else ``{project}-{version}``.
        """
        if not (folder / "manifest.json").is_file():
            message = f"{folder}: there is no manifest.json: only a complete release can be registered"
            raise DataError(message)
        place = self._relative(folder)
        for known in self.releases():
            if self._relative(known.folder) == place:
                return known
        source = self._source(folder, tracker.run)
        tags = {_FOLDER: place, "asof.facts": json.dumps(dict(facts)), "asof.figures": json.dumps(dict(figures))}
        with self.guarded() as client:
            _ensure(lambda: client.create_registered_model(self._project))
            version = client.create_model_version(self._project, source=source, run_id=tracker.run, tags=tags)
        return self._record(version, ())

    def set_alias(self, alias: str, version: int) -> None:
        """Point ``alias`` at ``version`` in one transaction; ``DataError`` where there is no such version."""
        if version not in {record.version for record in self.releases()}:
            message = f"release {version} of {self._project} is not in the registry: 'asof runs' lists them"
            raise DataError(message)
        with self.guarded() as client:
            client.set_registered_model_alias(self._project, alias, str(version))

    def find(self, which: str) -> ReleaseRecord | None:
        """Find a release by alias, version number or name; its folder is fetched where only a server has it."""
        for record in self.releases():
            if which in record.aliases or which in {record.name, str(record.version)}:
                self._fetch(record)
                return record
        return None

    def releases(self) -> list[ReleaseRecord]:
        """List all releases, newest first."""
        if self._absent():
            return []
        if self._file is not None:
            return [self._kept(version) for version in versions.read(self._file, self._project)]
        with self.guarded() as client:
            models = client.search_registered_models(f"name = '{self._project}'")
            if not models:
                return []
            aliases = dict(client.get_registered_model(self._project).aliases)
            found = _pages(lambda token: client.search_model_versions(f"name = '{self._project}'", page_token=token))
        records = [
            self._record(version, tuple(sorted(a for a, v in aliases.items() if str(v) == str(version.version))))
            for version in found
        ]
        return sorted(records, key=lambda record: -record.version)

    def decide(self, record: Mapping[str, Any]) -> None:
        """Keep a decision: one run of kind ``decision`` made by a single call, so it is there whole or not at all."""
        text = json.dumps(dict(record), default=str)
        number = max((item[0] for item in self._decisions()), default=0) + 1
        chunks = {f"asof.decision.{i // _CHUNK:03}": text[i : i + _CHUNK] for i in range(0, len(text), _CHUNK)}
        parent = {_PARENT: str(record["run"])} if record.get("run") else {}
        run = self.create_run(f"decision {number}", "decision", {"asof.number": str(number), **chunks, **parent})
        self.close(run, "FINISHED")

    def decisions(self) -> list[dict[str, Any]]:
        """List all decisions, oldest first."""
        return [record for _, record in sorted(self._decisions(), key=lambda item: item[0])]

    def log(self, run: str, params: Mapping[str, Any], figures: Mapping[str, float]) -> None:
        """Write parameters and figures of a run in batches of at most 100."""
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        told = [Param(_key(name), _text(value)) for name, value in params.items()]
        counted = [Metric(_key(name), float(value), now, 0) for name, value in figures.items()]
        with self.guarded() as client:
            for start in range(0, max(len(told), len(counted)), _BATCH):
                part = slice(start, start + _BATCH)
                client.log_batch(run, metrics=counted[part], params=told[part])

    def create_run(self, name: str, kind: str, tags: Mapping[str, str]) -> str:
        """Create a run of this project; returns its id."""
        own = {_KIND: kind, _PROCESS: f"{_machine()}:{os.getpid()}"}
        with self.guarded() as client:
            run = client.create_run(self._experiment_id(client), tags={**own, **tags}, run_name=name)
        return str(run.info.run_id)

    def close(self, run: str, status: str) -> None:
        """Set the final status of a run, in MLflow's words."""
        with self.guarded() as client:
            client.set_terminated(run, status=status)

    @contextlib.contextmanager
    def guarded(self) -> Iterator["MlflowClient"]:
        """Give the client; what MLflow, the database or the network raises becomes an ``OutsideError``."""
        _quiet()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        failures: tuple[type[Exception], ...] = (MlflowException, OSError)
        if not self._served:
            from sqlalchemy.exc import SQLAlchemyError

            failures = (*failures, SQLAlchemyError)
        try:
            if self._client is None:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    if self._file is not None:
                        databases.ensure(self._file, self._root / "artifacts")
                    self._client = MlflowClient(self._uri, self._uri)
                    if not self._served:
                        databases.map_tables()
            yield self._client
        except failures as error:
            lines = str(error).replace(self._uri, self.uri).splitlines() or [type(error).__name__]
            message = f"registry {self.uri}: {lines[0]}: check that it is there and has room, then run again"
            raise OutsideError(message) from error

    def _absent(self) -> bool:
        """No database, no answer to look for: spares the import of MLflow and an empty file."""
        return self._file is not None and not self._file.exists()

    def _experiment_id(self, client: "MlflowClient") -> str:
        if not self._experiment:
            location = (self._root / "artifacts").as_uri() if self._file is not None else None
            _ensure(lambda: client.create_experiment(self._project, artifact_location=location))
            experiment = client.get_experiment_by_name(self._project)
            if experiment is None or experiment.lifecycle_stage != "active":
                message = f"registry {self.uri}: experiment {self._project!r} was deleted: restore it in MLflow"
                raise OutsideError(message)
            self._experiment = str(experiment.experiment_id)
        return self._experiment

    def _search(self, kind: str, more: str = "") -> "list[Run]":
        """All runs of a kind, oldest first."""
        with self.guarded() as client:
            place, query = [self._experiment_id(client)], f"tags.`{_KIND}` = '{kind}'{more}"
            order = ["attributes.start_time ASC"]
            return _pages(lambda token: client.search_runs(place, query, order_by=order, page_token=token))

    def _decisions(self) -> list[tuple[int, dict[str, Any]]]:
        if self._absent():
            return []
        if self._file is not None:
            kept = versions.tags_of_runs(self._file, self._project, (_KIND, "decision"))
        else:
            kept = [run.data.tags for run in self._search("decision")]
        found = []
        for tags in kept:
            text = "".join(tags[key] for key in sorted(tags) if key.startswith("asof.decision."))
            found.append((int(tags["asof.number"]), json.loads(text)))
        return found

    def _close_orphans(self) -> None:
        if self._absent() or sys.platform == "win32":  # there, asking whether a process lives would end it
            return
        for kind in ("run", "candidate", "decision"):
            for run in self._search(kind, " and attributes.status = 'RUNNING'"):
                machine, _, process = run.data.tags.get(_PROCESS, "").partition(":")
                if machine == _machine() and not databases.alive(int(process)):
                    self.close(str(run.info.run_id), "KILLED")

    def _relative(self, folder: Path) -> str:
        whole = folder.resolve()
        return whole.relative_to(self._root).as_posix() if whole.is_relative_to(self._root) else str(whole)

    def _source(self, folder: Path, run: str) -> str:
        """Where MLflow finds the files; a server takes only what was uploaded to the run."""
        if not self._served:
            return folder.resolve().as_uri()
        with self.guarded() as client:
            client.log_artifacts(run, str(folder), "release")
            return f"{client.get_run(run).info.artifact_uri}/release"

    def _record(self, version: "ModelVersion", aliases: tuple[str, ...]) -> ReleaseRecord:
        created, run = int(version.creation_timestamp), str(version.run_id or "")
        return self._kept(versions.Version(int(version.version), created, run, dict(version.tags), aliases))

    def _kept(self, version: versions.Version) -> ReleaseRecord:
        facts = json.loads(version.tags.get("asof.facts", "{}"))
        return ReleaseRecord(
            name=facts.get("name") or f"{self._project}-{version.number}",
            version=version.number,
            folder=self._root / version.tags.get(_FOLDER, ""),
            created=datetime.fromtimestamp(version.created_ms / 1000, UTC),
            aliases=version.aliases,
            run=version.run,
            figures=json.loads(version.tags.get("asof.figures", "{}")),
            facts=facts,
        )

    def _fetch(self, record: ReleaseRecord) -> None:
        """Bring the folder of a release here from the server that has it, whole or not at all."""
        if record.folder.is_dir() or not self._served:
            return
        if not record.folder.resolve().is_relative_to(self._root):
            message = (
                f"release {record.name}: its folder {record.folder} lies outside the store and is not on this machine"
            )
            raise DataError(message)
        draft = record.folder.parent / f".writing-{record.folder.name}-{os.getpid()}"
        with self.guarded() as client:
            draft.mkdir(parents=True, exist_ok=True)
            try:
                Path(client.download_artifacts(record.run, "release", str(draft))).rename(record.folder)
            finally:
                shutil.rmtree(draft, ignore_errors=True)


def _quiet() -> None:
    if "mlflow" in sys.modules:
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow  # noqa: F401 - its import turns up its logging, which is then turned down
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # errors are raised as well: told once, in one line


def _ensure(create: Any) -> None:
    """Create what may be there already, perhaps made by another process a moment ago."""
    from mlflow.exceptions import MlflowException

    try:
        create()
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _pages(read: Any) -> list[Any]:
    page = read(None)
    found = list(page)
    while page.token:
        page = read(page.token)
        found.extend(page)
    return found


def _run_record(run: "Run") -> RunRecord:
    ended = run.info.end_time
    return RunRecord(
        run=str(run.info.run_id),
        label=str(run.info.run_name),
        status=str(run.info.status).lower(),
        began=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        ended=None if ended is None else datetime.fromtimestamp(ended / 1000, UTC),
        params=dict(run.data.params),
        figures=dict(run.data.metrics),
    )


def _machine() -> str:
    return sha256(platform.node().encode()).hexdigest()[:12]


def _key(name: str) -> str:
    return re.sub(r"[^\w\-./ :]", "_", name, flags=re.ASCII)[:250]


def _text(value: Any) -> str:
    return (value if isinstance(value, str) else json.dumps(value, default=str))[:6000]
