"""Schedules: the workflow parses, its steps run, and no other file is overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from asof import __version__, schedules
from asof.cli import main
from asof.errors import DataError
from tests.flows import world

Capture = pytest.CaptureFixture[str]
SECRET = world.PROJECT + "answers: postgresql://me:${PGPW}@db/shop#p\nwatch: {webhook: '${ALARMS_URL}'}\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a project in a folder whose name has a blank."""
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    folder = tmp_path / "repo" / "my calls"
    folder.mkdir()
    (folder / "project.yaml").write_text(SECRET)
    return folder


def test_the_workflow_says_when_what_and_with_which_names(project: Path) -> None:
    assert main(["init", str(project), "--github"]) == 0
    file = project.parent / ".github" / "workflows" / "retrain.yml"
    told = yaml.safe_load(file.read_text())
    assert told["name"] == "retrain world"
    assert told[True]["schedule"] == [{"cron": "0 5 1,15 * *"}]  # YAML reads the key `on` as true
    assert told["permissions"] == {"contents": "read"}
    job = told["jobs"]["retrain"]
    assert job["env"] == {
        "ASOF_STORE": "${{ vars.ASOF_STORE }}",
        "ASOF_PACKAGE": f"${{{{ vars.ASOF_PACKAGE || 'asof[all]=={__version__}' }}}}",
        "AWS_REGION": "${{ vars.AWS_REGION }}",
        **{
            name: f"${{{{ secrets.{name} }}}}"
            for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PGPW", "ALARMS_URL")
        },
    }
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert used == ["actions/checkout@v4", "actions/setup-python@v5"]


def steps(project: Path, store: str) -> tuple[int, str]:
    """Run the steps of the workflow as a runner does, but for the installation; returns exit code and summary."""
    file, _ = schedules.write_workflow(project)
    job = yaml.safe_load(file.read_text())["jobs"]["retrain"]
    assert job["defaults"]["run"]["shell"] == "bash"
    here, summary = project.parent, project.parent / "summary"
    bin_folder = here / "bin"
    bin_folder.mkdir(exist_ok=True)
    (bin_folder / "asof").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m asof "$@"\n')
    (bin_folder / "asof").chmod(0o755)
    path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "ASOF_STORE": store, "GITHUB_STEP_SUMMARY": str(summary)}
    code = 0
    for step in job["steps"]:
        if "run" not in step or (code and step.get("if") != "always()"):
            continue
        run = "true" if step["name"] == "Install" else step["run"]
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", run]
        done = subprocess.run(command, cwd=here, env=environ, capture_output=True, text=True, check=False)
        code = code or done.returncode
    return code, summary.read_text() if summary.exists() else ""


def test_the_steps_run(project: Path, tmp_path: Path) -> None:
    """A first retrain promotes a champion into the store that is named, and tells what came of it."""
    world.make(project, rows=world.calls(days=160))
    code, summary = steps(project, str(tmp_path / "store"))
    assert code == 0
    told = json.loads(summary)
    assert (told["retrained"], told["promoted"], told["project"]) == (True, True, "world")
    assert (tmp_path / "store" / "lake").is_dir()
    assert not (project / ".asof").exists()


def test_a_runner_without_a_store_stops_before_any_work(project: Path) -> None:
    world.make(project)
    assert steps(project, "") == (2, "")
    assert not (project / ".asof").exists()


def test_another_file_is_not_overwritten(project: Path, capsys: Capture) -> None:
    file, new = schedules.write_workflow(project)
    assert new
    assert schedules.write_workflow(project / "project.yaml") == (file, False)
    file.write_text("name: mine\n")
    assert main(["init", str(project), "--github"]) == 2
    assert "is there already and differs" in capsys.readouterr().err
    assert file.read_text() == "name: mine\n"


def test_outside_a_repository_or_a_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no project file"):
        schedules.write_workflow(tmp_path)
    world.make(tmp_path / "alone")
    with pytest.raises(DataError, match="lies in no git repository"):
        schedules.write_workflow(tmp_path / "alone")


def test_a_line_for_cron(project: Path, capsys: Capture) -> None:
    """Five fields and a command that a shell can read, blanks quoted."""
    assert main(["init", str(project), "--cron"]) == 0
    line = capsys.readouterr().out
    assert line.startswith("0 5 1,15 * * ")
    page = project.resolve() / "project.yaml"
    assert f" retrain '{page}' --json >> '{page.parent / 'retrain.log'}' 2>&1\n" in line
    assert subprocess.run(["bash", "-n", "-c", line.split(" ", 5)[5]], check=False).returncode == 0
