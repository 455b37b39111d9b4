"""Runs that are cut off, by ``kill -9``, by a full disk or by one another: the next one reaches the undisturbed end."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof import releases
from asof.cli import main
from asof.flows.workspace import Workspace
from tests.flows import world
from tests.forks import ASOF, Forked

Finished = tuple[Path, Mapping[str, Any]]
UNIX = pytest.mark.skipif(os.name == "nt", reason="signals and limits of Unix")
pytestmark = UNIX

# Runs the command line, and does ``act`` at the moment ``at``: a stage that begins, or a call of a function.
AT = """
import atexit, os, resource, signal, sys
from asof import cli, terminal
from asof.adapters.drafts import DeltaDraft
from asof.adapters.lake import DeltaLake
from asof.adapters.registry import MlflowRegistry

act, at = sys.argv[1:3]

def happen():
    if act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(act), resource.RLIM_INFINITY))
    # Room again for what is written at the end by others: coverage keeps its figures then.
    atexit.register(resource.setrlimit, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

class Stages(terminal.Lines):
    def stage(self, name):
        super().stage(name)
        if at == name:
            happen()

def before(kind, name):
    real = getattr(kind, name)
    def call(*given, **named):
        if at == "before " + name:
            happen()
        done = real(*given, **named)
        if at == "after " + name:
            happen()
        return done
    setattr(kind, name, call)

terminal.progress = Stages
for name in ("register", "set_alias", "decide", "end"):
    before(MlflowRegistry, name)
for name in ("append", "write_predictions"):
    before(DeltaLake, name)
for name in ("put", "commit"):
    before(DeltaDraft, name)
if at == "start":
    happen()
sys.exit(cli.main(sys.argv[3:]))
"""


def run_at(act: str, at: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the project in a process of its own, in which ``act`` happens ``at`` a moment."""
    return Forked(AT, [act, at, "run", str(folder), "--json"]).finish(120)


def killed(folder: Path, after: str, delay: float) -> bool:
    """Start ``asof run``, wait for the line of the stage ``after`` (or for the store), then kill it a little later."""
    with Forked(ASOF, ["run", str(folder), "--json"]) as process:
        if after:
            wait(process, lambda: any(line.split()[:1] == [after] for line in process.err.splitlines()))
        else:
            wait(process, (folder / ".asof").exists)
        time.sleep(delay)
        code = process.kill()
    assert code in {0, -signal.SIGKILL}
    return code == -signal.SIGKILL


def wait(process: Forked, seen: Callable[[], bool]) -> None:
    """Wait until something is seen of a process, or it has ended."""
    while not seen() and not process.ended():
        time.sleep(0.001)


def again(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Run to the end; what the run printed."""
    capsys.readouterr()
    code = main(["run", str(folder), "--json"])
    told = capsys.readouterr()
    assert code == 0, told.err
    result: dict[str, Any] = json.loads(told.out)
    return result


def prove(folder: Path, result: Mapping[str, Any], undisturbed: Mapping[str, Any], *, openings: int = 2) -> None:
    """The state is that of an undisturbed run, and nothing of the one that was cut off is left."""
    assert result["fingerprint"] == undisturbed["fingerprint"]
    assert result["holdout"] == undisturbed["holdout"]
    assert result["promoted"] is True
    workspace = asof.open_project(str(folder))
    _prove_registry(workspace, result, openings)
    _prove_lake(workspace)
    assert list(folder.rglob(".writing-*")) == []
    assert list(folder.rglob(".making-*")) == []
    assert [path.name for path in folder.rglob("predictions.parquet*")] == ["predictions.parquet"]
    assert list(folder.rglob(".predictions*")) == []


def _prove_registry(workspace: Workspace, result: Mapping[str, Any], openings: int) -> None:
    registry = workspace.registry
    champion = registry.find("champion")
    assert champion is not None
    assert champion.name == result["release"]
    assert releases.read(champion.folder).fingerprint == result["fingerprint"]
    assert [one.aliases for one in registry.releases()] == [("champion",)]
    whole = [path.parent for path in (Path(workspace.local) / "models").rglob("manifest.json")]
    assert whole == [champion.folder]
    kinds = [one["kind"] for one in registry.decisions()]
    assert kinds.count("promotion") == 1
    assert 1 <= kinds.count("holdout") <= openings
    assert result["opened"] == kinds.count("holdout")  # an opening that came to nothing counts as well


def _prove_lake(workspace: Workspace) -> None:
    lake = workspace.lake
    rows = world.calls().height
    assert lake.raw("calls")["id"].n_unique() == lake.raw("calls").height == rows
    assert lake.valid("calls")["id"].n_unique() == lake.valid("calls").height == rows
    assert lake.quarantine("calls").height == 0
    assert lake.stamp("calls") is not None
    answers = lake.predictions()
    assert answers is not None
    assert answers.height == answers.select("place", "start", "as_of", "horizon").n_unique() == 12


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose rows have been taken in, with an empty registry; read only."""
    folder = world.make(tmp_path_factory.mktemp("ingested") / "world")
    assert main(["ingest", str(folder), "--json"]) == 0
    workspace = asof.open_project(str(folder))
    workspace.registry.end(workspace.registry.begin("empty"), status="finished")
    return folder


@pytest.mark.parametrize("delay", [0.02, 0.15])
def test_killed_in_the_middle_of_ingest(
    delay: float, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From an empty store; a little after the store has appeared."""
    folder = world.make(tmp_path / "world")
    assert killed(folder, "", delay)
    prove(folder, again(folder, capsys), finished[1], openings=1)


@pytest.mark.parametrize(
    ("after", "longest"),
    [("features", 3.0), ("choose", 0.3), ("refit", 0.3)],
)
def test_killed_at_some_moment(
    after: str,
    longest: float,
    ingested: Path,
    finished: Finished,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A seeded while after the end of a stage: in choosing, in judging, in the report and at the registry."""
    folder = Path(shutil.copytree(ingested, tmp_path / "world"))
    killed(folder, after, random.Random(after + str(longest)).uniform(0, longest))
    prove(folder, again(folder, capsys), finished[1])


@pytest.mark.parametrize(
    "at",
    ["judge", "before register", "after register", "after set_alias", "before write_predictions"],
)
def test_killed_at_a_step(
    at: str, ingested: Path, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly between two steps: the release is written but not registered, the alias set but not decided, ..."""
    folder = Path(shutil.copytree(ingested, tmp_path / "world"))
    assert run_at("kill", at, folder).returncode == -signal.SIGKILL
    prove(folder, again(folder, capsys), finished[1])


@pytest.mark.parametrize("at", ["before put", "before commit", "after commit"])
def test_killed_while_rows_are_derived(
    at: str, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Raw rows are kept, and the derived tables are not written, not seen yet, or just seen."""
    folder = world.make(tmp_path / "world")
    assert run_at("kill", at, folder).returncode == -signal.SIGKILL
    prove(folder, again(folder, capsys), finished[1], openings=1)


def test_killed_while_the_registry_is_made(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """MLflow makes its tables in many steps; half a database must not be in the way of the next run."""
    folder = world.make(tmp_path / "world")
    slowly = "from tests import migrated; migrated.utils._initialize_tables = migrated.MIGRATE"
    with Forked(f"{slowly}\n{ASOF}", ["run", str(folder)]) as process:
        wait(process, lambda: bool(list(folder.glob(".asof/.making-*"))))
        time.sleep(0.1)
        assert process.kill() == -signal.SIGKILL
    prove(folder, again(folder, capsys), finished[1], openings=1)


def told_once(stderr: str) -> str:
    """The one line that says what went wrong; lines of libraries that panic on the way do not count."""
    lines = [line for line in stderr.splitlines() if line.startswith("asof: ")]
    assert len(lines) == 1, stderr
    assert "Traceback" not in stderr
    return lines[0]


@pytest.mark.parametrize("at", ["start", "before put"])
def test_the_disk_is_full_while_rows_are_kept(
    at: str, finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 3, which table and what to do; with room again the same command does the whole job."""
    folder = world.make(tmp_path / "world")
    done = run_at("20000", at, folder)
    assert done.returncode == 3
    line = told_once(done.stderr)
    assert "/lake/calls/" in line
    assert "what was there is unchanged; see that the disk has room" in line
    assert done.stdout == ""
    prove(folder, again(folder, capsys), finished[1], openings=1)


def test_the_disk_is_full_while_new_rows_are_kept(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """What was valid before stays valid, and the champion answers from it."""
    folder, result = copied
    more = world.calls(days=20, seed=8).select(id="m" + pl.col("id"), at="at", zone="zone")
    more.write_csv(folder / "calls2.csv")
    done = run_at("3000", "start", folder)
    assert done.returncode == 3
    told_once(done.stderr)
    workspace = asof.open_project(str(folder))
    assert workspace.lake.valid("calls").height == result["rows"]["valid"]
    assert main(["predict", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["release"] == result["release"]
    assert main(["ingest", str(folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["valid"] == result["rows"]["valid"] + more.height


@pytest.mark.parametrize("at", ["report", "register"])
def test_the_disk_is_full_while_a_release_is_made(
    at: str, copied: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    """The old champion and its folder stay as they are; with room again the run goes through."""
    folder, result = copied
    with (folder / "project.yaml").open("a") as file:
        file.write("leave_out: {weekday: a change of settings makes a new release}\n")
    done = run_at("8000", at, folder)
    assert done.returncode == 3, done.stderr
    line = told_once(done.stderr)
    assert ("the disk refused" if at == "report" else "registry sqlite") in line
    assert "room" in line
    workspace = asof.open_project(str(folder))
    champion = workspace.registry.find("champion")
    assert champion is not None
    assert champion.name == result["release"]
    assert releases.read(champion.folder).fingerprint == result["fingerprint"]
    assert len(workspace.registry.releases()) == 1
    assert list(folder.rglob(".writing-*")) == []
    told = again(folder, capsys)
    assert told["release"] != result["release"]
    assert len(asof.open_project(str(folder)).registry.releases()) == 2


def test_two_runs_at_once(ingested: Path, finished: Finished, tmp_path: Path) -> None:
    """The second names the first and gives up; told to wait, it waits and finds nothing to do."""
    folder = Path(shutil.copytree(ingested, tmp_path / "world"))
    command = ["run", str(folder), "--json"]
    with Forked(ASOF, command) as first:
        wait(first, (folder / ".asof" / ".lock.json").exists)
        first.signal(signal.SIGSTOP)  # so that it holds the lock for as long as the second one asks
        try:
            second = Forked(ASOF, command).finish(60)
        finally:
            first.signal(signal.SIGCONT)
        with Forked(ASOF, [*command, "--wait", "60"]) as third:
            one, other = first.finish(120), third.finish(120)
    assert second.returncode == 3
    assert second.stdout == ""
    assert f"is in use by process {first.process.pid} on " in told_once(second.stderr)
    assert "(run, since " in second.stderr
    assert "use --wait SECONDS" in second.stderr
    assert (one.returncode, other.returncode) == (0, 0), one.stderr + other.stderr
    assert json.loads(other.stdout)["release"] == json.loads(one.stdout)["release"]
    assert "unchanged: release" in other.stderr
    prove(folder, json.loads(one.stdout), finished[1], openings=1)
