"""MLflow's dozens of migrations, run once for all tests: registries made later copy their tables.

They cost a second each time. Nor do databases wait for the disk from then on: no test cuts the power. What is forked
from a process that has imported this does the same.
"""

import contextlib
import logging
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock
from mlflow.store.db import utils
from sqlalchemy import event
from sqlalchemy.engine import Engine

from asof.adapters import databases

FOLDER = "ASOF_TESTS_FOLDER"
"""Variable: a folder that all processes of the tests share."""
MIGRATE: Callable[[Any], None] = utils._initialize_tables
"""What MLflow does with an empty database."""


def migrated() -> bytes:
    """A database after all migrations, without rows of a store."""
    with tempfile.TemporaryDirectory() as folder:
        file, made = Path(folder) / "mlflow.db", []

        def keep(engine: Any) -> None:
            MIGRATE(engine)
            with contextlib.closing(sqlite3.connect(engine.url.database)) as own:
                made.append(own.serialize())

        utils._initialize_tables = keep
        databases.ensure(file, Path(folder))
    return made[0]


def kept() -> bytes:
    """The same database, made by the first process of the tests that asks for it."""
    if FOLDER not in os.environ:
        return migrated()
    file = Path(os.environ[FOLDER]) / "migrated.db"
    with FileLock(f"{file}.lock"):
        if not file.exists():
            file.write_bytes(migrated())
        return file.read_bytes()


def copied(engine: Any) -> None:
    """Give an empty database the tables."""
    with (
        contextlib.closing(sqlite3.connect(":memory:")) as kept,
        contextlib.closing(sqlite3.connect(engine.url.database)) as own,
    ):
        kept.deserialize(TABLES)
        kept.backup(own)


def hasten(link: Any, _record: object) -> None:
    """Let SQLite wait for the disk at no commit."""
    if isinstance(link, sqlite3.Connection):
        with contextlib.suppress(sqlite3.DatabaseError):  # what is no database is said by who asks it
            link.execute("PRAGMA synchronous=OFF")


for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.CRITICAL)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    databases.map_tables()
    TABLES = kept()
LATEST = utils._get_latest_schema_revision()
utils._get_latest_schema_revision = lambda: LATEST  # to read dozens of scripts takes a tenth of a second
utils._initialize_tables = copied
event.listen(Engine, "connect", hasten)
