"""Processes of a command that can be killed: forked from one that has imported the libraries, or begun anew."""

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import time
import traceback
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from asof import cli

ORDER = ("start", "ingest", "prepare", "features", "choose", "judge", "audit", "refit", "report", "register")
ORDER += ("promote", "predict", "end")
"""Stages of a run, as it tells when each has ended."""


def stand_by(lines: IO[str], told: IO[str]) -> None:
    """Import what a run imports; then fork a child for each line of arguments, in a process group of its own."""
    import deltalake  # noqa: F401
    import httpx  # noqa: F401
    import lightgbm  # noqa: F401
    import mlflow.store.tracking.sqlalchemy_store  # noqa: F401
    import pandera.backends.polars.builtin_checks  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import sqlalchemy.engine  # noqa: F401
    import stamina  # noqa: F401

    from asof import verbs  # noqa: F401
    from asof.adapters import databases
    from asof.flows import running  # noqa: F401
    from asof.pages import views  # noqa: F401

    for name in ("mlflow", "alembic"):  # as Asof does when it imports them
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        databases.map_tables()

    for line in lines:
        asked = json.loads(line)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.setsid()
            os.write(write, b".")
            for number, name in ((0, os.devnull), (1, asked["out"]), (2, asked["err"])):
                os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
            os._exit(cli.main(asked["args"]))
        os.read(read, 1)  # it has its own group now
        os.close(read)
        os.close(write)
        print(child, file=told, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=told, flush=True)


@dataclass
class Starter:
    """Starts runs in processes of their own; made before anything else runs, since threads do not outlive a fork."""

    folder: Path
    """Of what they print."""

    def __post_init__(self) -> None:
        """Fork the process that the others fork from."""
        self._environ = {"PYTHONPYCACHEPREFIX": str(self.folder / "compiled"), **os.environ}
        self._environ.pop("PYTHONDONTWRITEBYTECODE", None)
        self.out, self.err = self.folder / "out", self.folder / "err"
        lines, ask = os.pipe()
        answers, tell = os.pipe()
        self._idle = os.fork()
        if self._idle == 0:
            os.close(ask)
            os.close(answers)
            try:
                with os.fdopen(lines) as given, os.fdopen(tell, "w") as told:
                    stand_by(given, told)
                os._exit(0)
            finally:  # whatever happened: what is left to do is its parent's
                traceback.print_exc()
                os._exit(1)
        os.close(lines)
        os.close(tell)
        self._ask, self._answers = os.fdopen(ask, "w"), os.fdopen(answers)

    def close(self) -> None:
        """Let it end."""
        self._ask.close()
        self._answers.close()
        os.waitpid(self._idle, 0)

    def run(self, args: list[str], *, kill: float | None = None, cold: bool = False) -> int:
        """Run the command line to its end, or kill its group ``kill`` seconds after its start; returns its code."""
        return self._cold(args, kill) if cold else self._forked(args, kill)

    def _forked(self, args: list[str], kill: float | None) -> int:
        asked = {"args": args, "out": str(self.out), "err": str(self.err)}
        print(json.dumps(asked), file=self._ask, flush=True)
        group = int(self._answers.readline())
        if kill is not None:
            time.sleep(kill)
            end(group)
        return int(self._answers.readline())

    def _cold(self, args: list[str], kill: float | None) -> int:
        with self.out.open("w") as out, self.err.open("w") as err:
            started = subprocess.Popen(
                [sys.executable, "-m", "asof", *args],
                stdout=out,
                stderr=err,
                env=self._environ,
                start_new_session=True,
            )
            if kill is not None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    started.wait(timeout=kill)
                end(started.pid)
            return started.wait()

    def stage(self) -> str:
        """The stage that the last run was in when it ended."""
        ended = [line.split()[0] for line in self.err.read_text().splitlines() if line[:2] == "  " and line[2:3] != " "]
        last = max((ORDER.index(name) for name in ended if name in ORDER), default=0)
        return ORDER[last + 1]


def end(group: int) -> None:
    """Kill a process group that was started here; one that has ended by itself is fine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
