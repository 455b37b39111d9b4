"""One lock for each store, so that two runs of the same project do not mix."""

import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from asof.errors import Busy, OutsideError

if TYPE_CHECKING:
    from filelock import BaseFileLock

NAMED: Final = 1.0
"""Seconds in which a holder that has just got the lock is given time to say who it is."""


@contextmanager
def hold(folder: str | Path, *, wait: float = 0.0, what: str = "run") -> Iterator[None]:
    """Hold the lock of a store for the length of a ``with`` block.

    The lock is the operating system's (``filelock``), so that it is free again when its holder ends, also by
    ``kill -9``; a file beside it says who holds it. The lock of a store under ``s3://`` lies in the cache folder of
    the user: it keeps apart the runs of one user on one machine, not those of two machines. Those are kept apart
    by the tables themselves, which refuse to commit over a version that they have not seen.

    Args:
        folder: the store: a folder, or an address such as ``s3://bucket/prefix``.
        wait: seconds to wait for another holder.
        what: what the lock is held for, for the message to others.

    Raises:
        Busy: another holder is still there after ``wait`` seconds; the message names it.
        OutsideError: the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    path = _lock_file(str(folder))
    holder = path.with_suffix(".json")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=wait)
        except Timeout:
            _ask(lock, holder, str(folder))
    except OSError as error:
        raise OutsideError(f"{path}: cannot be locked ({error}): see that the folder can be written") from error
    try:
        me = {"pid": os.getpid(), "host": socket.gethostname(), "what": what}
        _write(holder, me | {"since": datetime.now(UTC).isoformat(timespec="seconds")})
        yield
    finally:
        with suppress(OSError):
            holder.unlink()
        lock.release()


def _lock_file(store: str) -> Path:
    if "://" not in store:
        return Path(store) / ".lock"
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = hashlib.sha256(store.rstrip("/").encode()).hexdigest()[:32]
    return cache / "asof" / "locks" / f"{name}.lock"


def _ask(lock: "BaseFileLock", holder: Path, store: str) -> None:
    """Find out who holds the lock, and say so with ``Busy``; or take it, if it is let go meanwhile."""
    from filelock import Timeout

    until = time.monotonic() + NAMED
    while (who := _who(holder)) is None and time.monotonic() < until:
        with suppress(Timeout):  # between two holders there is no name: the lock may be free by now
            lock.acquire(timeout=0.02)
            return
    who = who or "another process"
    raise Busy(f"{store} is in use by {who}: wait until it has finished, or use --wait SECONDS")


def _write(holder: Path, facts: dict[str, object]) -> None:
    """Say who holds the lock, at once or not at all; a full disk must not stop a run, since the lock itself is held."""
    draft = holder.with_suffix(f".{os.getpid()}")
    with suppress(OSError):
        draft.write_text(json.dumps(facts), encoding="utf-8")
        draft.replace(holder)
        return
    with suppress(OSError):
        draft.unlink()


def _who(holder: Path) -> str | None:
    """Return what the holder says about itself; none while it has not, or where the name is one that was killed."""
    try:
        facts = json.loads(holder.read_text(encoding="utf-8"))
        who = f"process {facts['pid']} on {facts['host']} ({facts['what']}, since {facts['since']})"
        gone = facts["host"] == socket.gethostname() and not _is_alive(int(facts["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return None if gone else who


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # a signal of zero would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # another user's
    return True
