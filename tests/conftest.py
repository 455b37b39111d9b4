"""What all tests share: one thread each, the real data where they are, and a list of what was missing.

A test that needs something from outside carries ``@pytest.mark.needs("shared data")`` (or a server, a browser, ...)
and skips where it is absent. Every such skip is listed at the end of the run. Under ``ASOF_CI=1``, where
``.ci/run`` has installed what is needed, such a skip is a failure; only the shared data may still be absent.
"""

import atexit
import gc
import importlib
import os
import pathlib
import shutil
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest

from tests.postgres import postgres

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

__all__ = ["postgres"]  # the fixture of a real PostgreSQL, for every test

# Before any test imports a library that counts the cores when it is imported.
for _name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
# What the tests and their hundred processes import is compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# What is made once for all workers.
if "ASOF_TESTS_FOLDER" not in os.environ:
    os.environ["ASOF_TESTS_FOLDER"] = tempfile.mkdtemp(prefix="asof-tests-")
    atexit.register(shutil.rmtree, os.environ["ASOF_TESTS_FOLDER"], ignore_errors=True)

ROOT = pathlib.Path(__file__).resolve().parent.parent
SHARED_DATA = ROOT.parent / "shared" / "data"
MAY_BE_ABSENT = "shared data"
"""The one thing that no script installs: where the folder is not there, its tests skip even under ``ASOF_CI``."""
SHARING = ("tests/api/", "tests/ui/")
"""Folders whose files share servers and trained projects; elsewhere the tests of one file share theirs."""
APART = ("tests/leaks/test_leaks.py", "tests/examples/test_notebooks.py")
"""Files whose many long tests share next to nothing: each goes to whoever is free, and they come last."""
LONG = (*SHARING, *(f"tests/flows/test_{name}.py" for name in ("crashes", "auditing", "reliability")))
"""Lots that come first: each takes minutes, and whoever got one at the end would keep all waiting. What measures by the
clock comes last of them, when everything has been compiled."""
MISSING = "missing: "
"""Start of the reason of a skip that something missing has caused."""


@pytest.fixture(scope="session")
def shared_data() -> pathlib.Path:
    """Return the folder of real data for development beside the repository; skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{MISSING}{MAY_BE_ABSENT} (expected beside the repository, in ../shared/data)")
    return SHARED_DATA


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """Return the root of the repository."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def _migrated_once() -> Iterator[None]:
    """The first registry of the tests runs MLflow's migrations; every later one copies the tables that they made."""
    from asof.adapters import databases

    ensure = databases.ensure

    def ensure_by_copy(file: pathlib.Path, artifacts: pathlib.Path) -> None:
        if "tests.migrated" not in sys.modules:
            importlib.import_module("tests.migrated")
        ensure(file, artifacts)

    with mock.patch.object(databases, "ensure", ensure_by_copy):
        yield


@pytest.fixture(scope="session", autouse=True)
def _forked() -> Iterator[None]:
    """The other processes in which the audit asks plug-ins are forks of one that has imported everything."""
    if not hasattr(os, "fork"):
        yield
        return
    from asof.flows import elsewhere
    from tests import forks

    with mock.patch.object(elsewhere, "subprocess", forks.elsewhere()):
        yield
    forks.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: while a browser draws or a disk writes, another works."""
    return len(os.sched_getaffinity(0)) + 1 if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Spare the collector of garbage from looking through three thousand tests and their modules again and again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":
    """Give tests that share what takes long to make to one worker, the longest and the largest lots first."""
    from xdist.scheduler import LoadScopeScheduling

    class Queue(OrderedDict[str, Any]):
        def popitem(self, last: bool = True) -> tuple[str, Any]:  # noqa: FBT001, FBT002 - as it is called
            long = next((lot for lot in LONG if lot in self), None)
            return super().popitem(last) if long is None else (long, self.pop(long))

    class Lots(LoadScopeScheduling):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            self.workqueue = Queue()

        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.split("::", 1)[0]
            return nodeid if file in APART else next((folder for folder in SHARING if file.startswith(folder)), file)

    return Lots(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Leave an empty folder where one has been removed, so that no later test is given its name.

    MLflow remembers databases by their addresses, also those that are gone.
    """
    path: pathlib.Path | None = getattr(item, "funcargs", {}).get("tmp_path")
    try:
        return (yield)
    finally:
        if path is not None:
            path.mkdir(parents=True, exist_ok=True)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Mark the report of a skipped test that says what it needs; under ``ASOF_CI`` make it a failure."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    needs = [str(marker.args[0]) for marker in item.iter_markers("needs")]
    if not needs and MISSING not in reason:
        return
    absent = ", ".join(needs) or reason.split(MISSING, 1)[1]
    report.user_properties.append(("missing", absent))
    if os.environ.get("ASOF_CI") == "1" and MAY_BE_ABSENT not in absent:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped ({reason}), but on this machine nothing may be missing"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List every test that was skipped because something is missing."""
    rows = sorted(
        (value, report.nodeid)
        for status in ("skipped", "failed", "error")
        for report in terminalreporter.stats.get(status, [])
        for name, value in getattr(report, "user_properties", [])
        if name == "missing"
    )
    if not rows:
        return
    terminalreporter.section("skipped because something is missing")
    for absent, test in rows:
        terminalreporter.write_line(f"{absent}: {test}")
