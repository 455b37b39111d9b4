"""One lock for each store, so that two runs of the same project do not mix."""

import hashlib
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from asof.errors import Busy, OutsideError


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
        lock.acquire(timeout=wait)
    except Timeout as error:
        raise Busy(
            f"{folder} is in use by {_who(holder)}: wait until it has finished, or use --wait SECONDS"
        ) from error
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


def _write(holder: Path, facts: dict[str, object]) -> None:
    """Say who holds the lock; a full disk must not stop a run here, since the lock itself is held."""
    with suppress(OSError):
        holder.write_text(json.dumps(facts), encoding="utf-8")


def _who(holder: Path) -> str:
    try:
        facts = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {facts['pid']} on {facts['host']} ({facts['what']}, since {facts['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
