"""A plugin, ``pytest -p tests.covering``: which lines and branches of the package the tests reach.

SlipCover counts them: it writes a mark into the code of each line when a module is imported, which costs next to
nothing as the code runs. A trace function, which is all that Python 3.11 lets coverage.py use, makes some parts twice
as long. Counted is what the tests and their workers run, not what they start as processes of their own.
"""

import json
import os
import pathlib
import shutil
import tempfile
from collections.abc import Generator
from typing import Any

import pytest
import slipcover

ROOT = pathlib.Path(__file__).resolve().parent.parent
SOURCE = str(ROOT / "src" / "asof")
LEAST = 90
"""Of 100 lines and branches so many have to be reached by a run of all tests."""
LEFT_OUT = ["if TYPE_CHECKING:", "@overload", r"^\s*\.\.\.$"]
"""Lines, with what belongs to them, that nothing runs: what is for type checkers, and empty bodies of protocols."""
NEVER = 2**31 - 1
"""Marks stay once they are met: to take them out, all functions are looked through again and again."""
FOLDER = "ASOF_COUNTED"
"""Variable: the folder in which each worker leaves what it has counted."""
WORKER = "PYTEST_XDIST_WORKER"
"""Variable of each process that runs a part of the tests."""
COUNTING = pytest.StashKey["Counting"]()
SHARE = pytest.StashKey[float]()


class Counting:
    """Counts in modules that are imported from now on."""

    def __init__(self) -> None:
        """Begin."""
        self._counts = slipcover.Slipcover(branch=True, exclude_also=LEFT_OUT, d_miss_threshold=NEVER)
        self._imports = slipcover.ImportManager(self._counts, slipcover.FileMatcher(sources=[SOURCE]))
        self._imports.__enter__()

    def end(self) -> dict[str, Any]:
        """Count no further module, and tell what was reached and what was not."""
        self._imports.__exit__()
        told: dict[str, Any] = self._counts.get_coverage()
        return told


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Begin, where tests are run, before anything of the package is imported."""
    if WORKER in os.environ or not getattr(early_config.known_args_namespace, "numprocesses", None):
        early_config.stash[COUNTING] = Counting()
    if FOLDER not in os.environ:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="asof-counted-")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, None, None]:
    """Leave what was counted; a run of tests that reach too little has failed."""
    counting = session.config.stash.get(COUNTING, None)
    if counting is not None:
        file = pathlib.Path(os.environ[FOLDER]) / f"{os.environ.get(WORKER, 'alone')}.json"
        file.write_text(json.dumps(counting.end()), "utf-8")
    yield
    if session.config.stash.get(SHARE, 100.0) < LEAST and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Put together what all have counted, and list what nothing has reached."""
    if WORKER in os.environ:
        return
    folder = pathlib.Path(os.environ[FOLDER])
    # What no test imports is not reached either.
    told = slipcover.Slipcover(branch=True, source=[SOURCE], exclude_also=LEFT_OUT).get_coverage()
    for file in sorted(folder.glob("*.json")):
        slipcover.merge_coverage(told, json.loads(file.read_text("utf-8")))
    shutil.rmtree(folder)
    terminalreporter.section("coverage")
    slipcover.print_coverage(told, outfile=terminalreporter, skip_covered=True, missing_width=72)
    config.stash[SHARE] = share = told["summary"]["percent_covered"]
    terminalreporter.write_line(f"{share:.1f} % of lines and branches are reached; expected are at least {LEAST} %")
