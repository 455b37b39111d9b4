"""MLflow's database in a store: made aside and put in its place whole."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def ensure(file: Path, artifacts: Path) -> None:
    """Make MLflow's SQLite database ``file`` where there is none.

    MLflow makes its tables in dozens of migrations, each a commit of its own: a kill between two of them would leave a
    file that it refuses for ever. So it makes them in a draft, which takes its name when it is complete; drafts of
    processes that have died are removed. Raises what SQLAlchemy, MLflow and the disk raise.
    """
    if file.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    file.parent.mkdir(parents=True, exist_ok=True)
    _sweep(file)
    draft = file.with_name(f".making-{os.getpid()}-{file.name}")
    try:
        draft.unlink(missing_ok=True)
        with _hasty(draft):
            store = SqlAlchemyStore(f"sqlite:///{draft}", artifacts.as_uri())  # type: ignore[no-untyped-call]
        store.engine.dispose()
        with draft.open("rb+") as whole:
            os.fsync(whole.fileno())
        if not file.exists():  # made meanwhile by another process: theirs is as good
            draft.rename(file)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def _hasty(draft: Path) -> Iterator[None]:
    """Let SQLite wait for the disk at no commit of a draft: hundreds of waits, where one at the end is enough."""
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    def told(link: Any, _record: object) -> None:
        own = isinstance(link, sqlite3.Connection) and link.execute("PRAGMA database_list").fetchone()[2]
        if own and Path(own).name == draft.name:
            link.execute("PRAGMA synchronous=OFF")

    event.listen(Engine, "connect", told)
    try:
        yield
    finally:
        event.remove(Engine, "connect", told)


def map_tables() -> None:
    """Let SQLAlchemy complain about MLflow's tables now, where nobody hears it, and not at the first query."""
    import mlflow.store.model_registry.dbmodels.models
    import mlflow.store.tracking.dbmodels.models  # noqa: F401
    from sqlalchemy.orm import configure_mappers

    configure_mappers()


def alive(process: int) -> bool:
    """Whether a process of this machine lives; not to be asked on Windows, where asking would end it."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it lives, and belongs to someone else
        return True
    return True


def _sweep(file: Path) -> None:
    if os.name == "nt":  # there, asking whether a process lives would end it
        return
    for draft in file.parent.glob(f".making-*-{file.name}*"):
        process = draft.name.split("-")[1]
        if process.isdigit() and not alive(int(process)):
            draft.unlink(missing_ok=True)
