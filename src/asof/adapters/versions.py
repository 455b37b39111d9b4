"""Versions of a project's releases and its decisions, read straight from MLflow's SQLite database.

Whoever answers questions or shows a release needs to know where the champion lies and how it came to be, and nothing
else of MLflow, whose import takes three seconds. Its tables are read, never written; the exam of the registry holds
what is read here against MLflow's own answer. MLflow is pinned, so its tables do not change unnoticed.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from asof.errors import OutsideError

_VERSIONS = """
select version, creation_time, coalesce(run_id, '') from model_versions
where name = ? and current_stage != 'Deleted_Internal' order by version desc
"""
_TAGS = "select version, key, value from model_version_tags where name = ?"
_ALIASES = "select version, alias from registered_model_aliases where name = ? order by alias"
_RUNS = """
select run_uuid, key, value from tags join runs using (run_uuid) join experiments using (experiment_id)
where experiments.name = ? and runs.lifecycle_stage = 'active'
and run_uuid in (select run_uuid from tags where key = ? and value = ?) order by start_time
"""


@dataclass(frozen=True)
class Version:
    """One version as MLflow keeps it."""

    number: int
    created_ms: int
    """When it was made, milliseconds since 1970."""
    run: str
    tags: dict[str, str]
    aliases: tuple[str, ...]


def read(file: Path, project: str) -> list[Version]:
    """Read all versions of ``project``, newest first, from the database ``file``.

    Raises OutsideError where it is no database of MLflow, or cannot be read.
    """
    with _opened(file) as database:
        versions = database.execute(_VERSIONS, (project,)).fetchall()
        tags: dict[int, dict[str, str]] = {}
        for number, key, value in database.execute(_TAGS, (project,)):
            tags.setdefault(number, {})[key] = value
        aliases: dict[int, list[str]] = {}
        for number, alias in database.execute(_ALIASES, (project,)):
            aliases.setdefault(int(number), []).append(alias)
    return [
        Version(number, created, run, tags.get(number, {}), tuple(aliases.get(number, ())))
        for number, created, run in versions
    ]


def tags_of_runs(file: Path, project: str, kind: tuple[str, str]) -> list[dict[str, str]]:
    """Read all tags of those runs of ``project`` that have the tag ``kind`` (key and value), oldest first.

    Raises OutsideError where ``file`` is no database of MLflow, or cannot be read.
    """
    found: dict[str, dict[str, str]] = {}
    with _opened(file) as database:
        for run, key, value in database.execute(_RUNS, (project, *kind)):
            found.setdefault(run, {})[key] = value
    return list(found.values())


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    """Open a database for reading, in one transaction: all that is read is of one moment."""
    try:
        with closing(_connect(file)) as database:
            yield database
    except sqlite3.Error as fault:
        message = f"registry {file}: {fault}: check that it is MLflow's database and can be read"
        raise OutsideError(message) from fault


def _connect(file: Path) -> sqlite3.Connection:
    """Begin to read; what a writer that was killed has left half done is taken back first."""
    try:
        return _begun(file, "ro")
    except sqlite3.OperationalError as fault:
        # Its journal lies beside the database, and who may only read may not play it back.
        if fault.sqlite_errorcode & 0xFF != sqlite3.SQLITE_READONLY:
            raise
        _begun(file, "rw").close()
        return _begun(file, "ro")


def _begun(file: Path, mode: str) -> sqlite3.Connection:
    database = sqlite3.connect(f"{file.resolve().as_uri()}?mode={mode}", uri=True, timeout=30)
    try:
        database.execute("begin")
        database.execute("select count(*) from sqlite_master")  # until something is read nothing is opened
    except sqlite3.Error:
        database.close()
        raise
    return database
