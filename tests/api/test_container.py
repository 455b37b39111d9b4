"""The command of the container on folders as SageMaker lays them out, without a container."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from asof.cli import container
from tests.flows import houses


def laid_out(root: Path, told: dict[str, object] | None = None) -> Path:
    """The project in one channel, its rows in another."""
    page = houses.PASSENGERS.replace("files: people.csv", "files: people/*.csv")
    houses.make(root / "input" / "data" / "config", page)
    houses.make(root / "input" / "data" / "people", "", people=houses.people())
    (root / "input" / "data" / "people" / "project.yaml").unlink()
    (root / "input" / "config").mkdir()
    (root / "input" / "config" / "hyperparameters.json").write_text(json.dumps(told or {}))
    return root


def test_what_was_trained_is_served(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = laid_out(tmp_path, {"train.seed": "3", "judge.folds": 3})
    assert container.main(["train"], root) == 0
    made = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert not (root / "output" / "failure").exists()
    code = "import sys, pathlib; from asof.cli import container; container.main(['serve'], pathlib.Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(root)]
    port = 18_000 + os.getpid() % 10_000
    variables = os.environ | {"SAGEMAKER_BIND_TO_PORT": str(port), "ASOF_HOST": "127.0.0.1"}
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert ping(port, server)["release"] == made["release"]
            row = houses.people().drop("survived").head(1).write_csv()
            told = httpx.post(f"http://127.0.0.1:{port}/invocations", content=row, headers={"content-type": "text/csv"})
            assert (told.status_code, len(told.json()["predictions"])) == (200, 1)
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(30) in {0, -signal.SIGTERM}


def ping(port: int, server: subprocess.Popen[str]) -> dict[str, str]:
    """Wait until the server answers."""
    until = time.monotonic() + 60
    while True:
        try:
            told: dict[str, str] = httpx.get(f"http://127.0.0.1:{port}/ping").json()
        except httpx.ConnectError:
            assert server.poll() is None
            assert time.monotonic() < until, "the server did not start"
            time.sleep(0.1)
        else:
            return told


def test_a_failure_is_left_where_it_is_looked_for(tmp_path: Path) -> None:
    """A setting that there is not, told with the nearest that there is; then JSON that is none, and no project."""
    root = laid_out(tmp_path, {"train.sede": "3"})
    failure = root / "output" / "failure"
    assert container.main(["train"], root) == 2
    assert "sede" in failure.read_text()
    assert "seed" in failure.read_text()
    (root / "input" / "config" / "hyperparameters.json").write_text("{")
    assert container.main(["train"], root) == 2
    assert "hyperparameters.json: not readable as JSON" in failure.read_text()
    (root / "input" / "config" / "hyperparameters.json").write_text('{"project": "other.yaml"}')
    assert container.main(["train"], root) == 2
    assert "other.yaml must lie in one channel" in failure.read_text()
    assert "it lies in none" in failure.read_text()


def test_nothing_to_serve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert container.main(["serve"], tmp_path, {}) == 2
    assert "there is no project.yaml" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_other_words_are_verbs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert container.main(["check", "--schema"], tmp_path) == 0
    assert json.loads(capsys.readouterr().out)["title"]


def test_the_image_runs_what_is_tested(root: Path) -> None:
    """The file that builds it names this module, no root user at the end, and no host."""
    text = (root / "Dockerfile").read_text("utf-8")
    assert 'ENTRYPOINT ["python", "-m", "asof.cli.container"]' in text
    stages = text.split("FROM ")
    assert len(stages) == 3
    assert "USER asof" in stages[-1]
    assert {line.split()[0] for line in stages[1:]} == {"python:3.11-slim"}
    assert "!requirements/run.txt" in (root / ".dockerignore").read_text("utf-8")
