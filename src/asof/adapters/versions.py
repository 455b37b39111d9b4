"""Versions of a project's releases, read straight from MLflow's SQLite database.

Whoever answers questions needs to know where the champion lies, and nothing else of MLflow, whose import takes three
seconds. Its tables are read, never written; the exam of the registry holds what is read here against MLflow's own
answer. MLflow is pinned, so its tables do not change unnoticed.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from asof.errors import OutsideError

_VERSIONS = """
select version, creation_time, coalesce(run_id, '') from model_versions
where name = ? and current_stage != 'Deleted_Internal' order by version desc
"""
_TAGS = "select version, key, value from model_version_tags where name = ?"
_ALIASES = "select version, alias from registered_model_aliases where name = ? order by alias"


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
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=30)) as database:
            # One transaction: versions and aliases of one moment.
            database.execute("begin")
            versions = database.execute(_VERSIONS, (project,)).fetchall()
            tags: dict[int, dict[str, str]] = {}
            for number, key, value in database.execute(_TAGS, (project,)):
                tags.setdefault(number, {})[key] = value
            aliases: dict[int, list[str]] = {}
            for number, alias in database.execute(_ALIASES, (project,)):
                aliases.setdefault(int(number), []).append(alias)
    except sqlite3.Error as fault:
        message = f"registry {file}: {fault}: check that it is MLflow's database and can be read"
        raise OutsideError(message) from fault
    return [
        Version(number, created, run, tags.get(number, {}), tuple(aliases.get(number, ())))
        for number, created, run in versions
    ]
