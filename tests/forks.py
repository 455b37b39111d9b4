"""Processes of Python that begin where everything has been imported: forked from one that has done so once.

To start Python and to import the libraries of a run takes three seconds, and tests do so a hundred times. In these
processes text has the hashes of another process, whoever starts them: those of the seed of ``elsewhere``. What must
hold of a Python begun anew is tested with one.
"""

import atexit
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing import forkserver, get_context
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from unittest import mock

from asof.flows.elsewhere import HASH_SEED

ROOT = Path(__file__).resolve().parent.parent
ASOF = "import sys; from asof import cli; sys.exit(cli.main(sys.argv[1:]))"
"""What ``python -m asof`` does."""
LIBRARIES = ["deltalake", "lightgbm", "mlflow.tracking", "pandera.polars", "scipy.stats", "sklearn.linear_model"]
LIBRARIES += ["sqlalchemy.orm", "asof.verbs", "asof.flows.running", "asof.flows.elsewhere"]
LIBRARIES += ["asof.pages.views", "pandera.backends.polars.builtin_checks", "sqlalchemy.engine", "tests.migrated"]


class Forked:
    """A process that runs ``code`` as ``python -c`` does; what it says is read while it runs."""

    def __init__(
        self, code: str, args: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> None:
        """Start it; it is killed if it outlives who started it."""
        way = context()
        self._parts: dict[str, list[bytes]] = {"out": [], "err": []}
        ends = {name: way.Pipe(duplex=False) for name in self._parts}
        given = (code, list(args), *(ends[name][1] for name in ends), dict(os.environ if env is None else env))
        self.process = way.Process(target=_begin, args=(*given, str(cwd or Path.cwd())), daemon=True)
        self.process.start()
        self._readers = [
            threading.Thread(target=_drain, args=(ends[name][0], self._parts[name]), daemon=True) for name in ends
        ]
        for reader, (_, write) in zip(self._readers, ends.values(), strict=True):
            write.close()
            reader.start()

    def __enter__(self) -> Self:
        """Go on while it runs."""
        return self

    def __exit__(self, *_fault: object) -> None:
        """See that it has ended."""
        self.kill()

    @property
    def err(self) -> str:
        """What it has said on standard error until now."""
        return b"".join(self._parts["err"]).decode()

    def ended(self, timeout: float | None = 0) -> bool:
        """Whether it has ended, or does so within so many seconds."""
        self.process.join(timeout)
        return self.process.exitcode is not None

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    def kill(self) -> int:
        """Kill it where it has not ended; its exit code, that of a signal below zero."""
        self.process.kill()
        return self.finish(60).returncode

    def finish(self, timeout: float) -> "subprocess.CompletedProcess[str]":
        """Wait for its end, as ``subprocess.run`` does; killed where it takes too long."""
        if not self.ended(timeout):
            self.process.kill()
            raise subprocess.TimeoutExpired("a fork", timeout)
        for reader in self._readers:
            reader.join(timeout)
        assert self.process.exitcode is not None
        out = b"".join(self._parts["out"]).decode()
        return subprocess.CompletedProcess("a fork", self.process.exitcode, out, self.err)


def context() -> ForkServerContext:
    """What makes processes, events and pipes of ``multiprocessing`` for such processes."""
    with mock.patch.dict(os.environ, {"PYTHONHASHSEED": HASH_SEED}):
        forkserver.set_forkserver_preload(LIBRARIES)
        forkserver.ensure_running()
    return get_context("forkserver")


def stop() -> None:
    """End the process that the others are forked from."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


def elsewhere() -> SimpleNamespace:
    """What ``asof.flows.elsewhere`` asks of ``subprocess``, by a fork."""

    def run(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], timeout: float, **_rest: bool) -> Any:
        assert command[:3] == [sys.executable, "-P", "-c"]
        assert env["PYTHONHASHSEED"] == HASH_SEED
        return Forked(command[3], command[4:], env=env, cwd=cwd).finish(timeout)

    return SimpleNamespace(run=run)


def _drain(end: "Connection[Any, Any]", parts: list[bytes]) -> None:
    with end:
        while part := os.read(end.fileno(), 1 << 16):
            parts.append(part)


def _begin(code: str, args: list[str], out: Any, err: Any, env: dict[str, str], cwd: str) -> None:
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    for number, end in ((1, out), (2, err)):
        os.dup2(end.fileno(), number)
        end.close()
    sys.argv = ["-c", *args]
    sys.path[:] = [path for path in sys.path if path and Path(path) not in {ROOT, ROOT / "tests"}]
    for name in ("mlflow", "alembic"):  # as the registry does where it imports them
        logging.getLogger(name).setLevel(logging.CRITICAL)
    try:
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - the tests' own
    finally:
        atexit._run_exitfuncs()
