"""The command line: what it lists, where it writes, and the code with which it ends."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import asof
from asof.cli import base, main
from asof.errors import AsofError, Busy, DataError, OutsideError, ProjectError, Refused, UserError
from asof.flows import checking, intake
from tests.flows import world
from tests.flows.conftest import finished

__all__ = ["finished"]  # the fixture of a project that has been run

Finished = tuple[Path, Mapping[str, Any]]
Capture = pytest.CaptureFixture[str]
VERBS = [
    "run",
    "demo",
    "init",
    "check",
    "ingest",
    "train",
    "audit",
    "backtest",
    "predict",
    "serve",
    "ui",
    "retrain",
    "watch",
    "report",
    "runs",
    "promote",
    "rollback",
    "doctor",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small project that has not been run."""
    return world.make(tmp_path / "world", rows=world.calls(days=60))


def told(capsys: Capture, *command: object, code: int = 0) -> tuple[str, str]:
    """Standard output and standard error of a command that ends with ``code``."""
    capsys.readouterr()
    assert main([str(part) for part in command]) == code
    said = capsys.readouterr()
    return said.out, said.err


# help


def test_help_lists_every_verb(capsys: Capture) -> None:
    """Each with what it does; on standard output."""
    out, err = told(capsys, "--help")
    listed = re.findall(r"^  (\w+)  +\w", out.split("Commands:")[1], re.MULTILINE)
    assert listed == VERBS
    assert err == ""


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_a_verb(verb: str, capsys: Capture) -> None:
    """It names its options, each with a sentence."""
    out, err = told(capsys, verb, "--help")
    assert out.startswith(f"Usage: asof {verb} ")
    assert {"init": "--show"}.get(verb, "--json") in re.findall(r"^  (--[\w-]+)", out, re.MULTILINE)
    assert re.findall(r"^  --[\w-]+(?: <?[A-Z.=a-z]+>?)?$", out, re.MULTILINE) == []  # none without a sentence
    assert err == ""


def test_nothing_asked(capsys: Capture) -> None:
    """Help, and the exit code of wrong use."""
    out, err = told(capsys, code=2)
    assert "Commands:" in out + err


def test_version(capsys: Capture) -> None:
    """One line."""
    assert told(capsys, "--version") == (f"asof {asof.__version__}\n", "")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["trian"], "No such command 'trian'. Did you mean 'train'"),
        (["run", "--bugdet", "3"], "No such option: --bugdet"),
        (["run", "a", "b"], "unexpected extra argument"),
        (["run", "--wait", "soon"], "Invalid value for '--wait'"),
        (["run", "--wait", "-1"], "Invalid value for '--wait'"),
        (["run", "--wait", "nan"], "Invalid value for '--wait'"),
        (["backtest"], "Missing argument 'PROJECT'"),
    ],
)
def test_wrong_use(command: list[str], message: str, capsys: Capture) -> None:
    """Exit code 2; what is wrong is the last line, and nothing goes to standard output."""
    out, err = told(capsys, *command, code=2)
    assert message in err.splitlines()[-1]
    assert out == ""


@pytest.mark.parametrize(
    ("written", "seconds"), [("5m", 300.0), ("30s", 30.0), ("2.5", 2.5), ("1h", 3600.0), ("0", 0.0)]
)
def test_a_wait_is_a_length_of_time(
    written: str, seconds: float, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As everywhere else, or a plain number of seconds; none is not to wait."""
    given: list[float] = []
    monkeypatch.setattr(base, "open_project", lambda *_, **more: given.append(more["wait"]))
    monkeypatch.setattr(intake, "ingest", lambda *_, **__: {"refused": False})
    told(capsys, "ingest", "--json", "--wait", written)
    told(capsys, "ingest", "--json")
    assert given == [seconds, 0.0]


# exit codes


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused("no"), 1),
        (UserError("wrong"), 2),
        (DataError("bad"), 2),
        (ProjectError([]), 2),
        (OutsideError("full"), 3),
        (Busy("held"), 3),
        (AsofError("other"), 3),
        (ZeroDivisionError("division\nby zero"), 3),
        (OSError(28, "No space left on device"), 3),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else str(value),
)
def test_exit_codes(
    error: BaseException, code: int, folder: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1 refused, 2 wrong input, 3 outside or a fault, 130 interrupted: one line each, no traceback, no output."""

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr(checking, "check", fail)
    out, err = told(capsys, "check", folder, "--json", code=code)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert err.startswith("asof: ")
    assert "Traceback" not in err
    if code == 3 and not isinstance(error, AsofError):
        assert err.startswith(f"asof: a fault of this program, not of yours: {type(error).__name__}: ")


def test_verbose_shows_the_traceback(folder: Path, capsys: Capture) -> None:
    """Before the verb; the line stays the last one."""
    _, short = told(capsys, "check", folder, "--env", "none", code=2)
    _, long = told(capsys, "--verbose", "check", folder, "--env", "none", code=2)
    assert "Traceback" not in short
    assert "Traceback (most recent call last)" in long
    assert long.endswith(short)
    assert told(capsys, "check", folder, "--env", "none", code=2)[1] == short  # it holds for one command


def test_a_refusal_still_prints_its_result(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1 when the result says that something was refused."""
    monkeypatch.setattr(base, "open_project", lambda *_, **__: None)
    monkeypatch.setattr(checking, "check", lambda _: {"refused": True, "findings": []})
    out, _ = told(capsys, "check", "--json", code=1)
    assert json.loads(out) == {"refused": True, "findings": []}


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_an_interrupt_ends_a_run(folder: Path) -> None:
    """Control-C: exit code 130, one line, and the lock is free again."""
    command = [sys.executable, "-m", "asof", "run", str(folder), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while not (folder / ".asof" / ".lock.json").exists():
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert err.splitlines()[-1] == "asof: interrupted; nothing half-written is kept"
    assert "Traceback" not in err
    assert main(["ingest", str(folder), "--json"]) == 0


# results


def test_json_is_one_object_and_nothing_else(folder: Path, capsys: Capture) -> None:
    """On standard output a single line that parses; stages go to standard error."""
    for command in (["ingest", folder], ["check", folder], ["runs", folder], ["doctor"], ["doctor", folder]):
        out, err = told(capsys, *command, "--json")
        assert out.count("\n") == 1
        assert isinstance(json.loads(out), dict)
        if command[0] in {"ingest", "check"}:
            assert re.search(r"^  ingest +\d+\.\d s", err, re.MULTILINE)
        else:
            assert err == ""


def test_json_of_a_project_that_has_been_run(finished: Finished, tmp_path: Path, capsys: Capture) -> None:
    """Verbs that need a release."""
    folder, result = finished
    out = tmp_path / "answers.csv"
    asked = {
        "report": ["report", folder],
        "runs": ["runs", folder],
        "predict": ["predict", folder, "--out", out],
        "backtest": ["backtest", folder, "--cut", "2021-06-01", "--until", "2021-06-08", "--out", out],
        "audit": ["audit", folder],
    }
    for verb, command in asked.items():
        said, _ = told(capsys, *command, "--json")
        assert said.count("\n") == 1, verb
        assert json.loads(said)["project"] == "world"
    assert result["release"] in told(capsys, "runs", folder)[0]


def test_views_for_people(finished: Finished, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without ``--json`` tables on standard output, no wider than 100 columns where it is no screen."""
    monkeypatch.delenv("COLUMNS", raising=False)
    folder, result = finished
    out = tmp_path / "answers.csv"
    expected = {
        ("run", folder): ["world: calls per place and day", result["release"], "Score per horizon", "total"],
        ("ingest", folder): ["calls", "unchanged", "7,103"],
        ("check", folder): ["calls: 7,103 rows, 4 columns, covered 2021-01-01 to", "most frequent"],
        ("audit", folder): ["future", "passed", "rerun"],
        ("backtest", folder, "--cut", "2021-06-01", "--until", "2021-06-08", "--out", out): ["84 answered", str(out)],
        ("predict", folder, "--out", out): ["answered", str(out)],
        ("report", folder): [result["release"], "report.html"],
        ("runs", folder): ["champion", "promoted: "],
        ("doctor", folder): ["Python", "lock", "free"],
    }
    for command, parts in expected.items():
        said, _ = told(capsys, *command)
        flat = re.sub(r"\s+", " ", said)
        for part in parts:
            assert re.sub(r"\s", "", part) in re.sub(r"\s", "", flat), (command[0], part, said)
        assert max(len(line) for line in said.splitlines() if "/" not in line) <= 100, command[0]  # a path stays whole


# settings


def test_schema_is_json_schema(capsys: Capture) -> None:
    """Valid by its own meta-schema, and it accepts the project of this test."""
    out, err = told(capsys, "check", "--schema")
    schema = json.loads(out)
    assert err == ""
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"name", "sources", "predict"} <= set(schema["properties"])
    jsonschema = pytest.importorskip("jsonschema")
    yaml = pytest.importorskip("yaml")
    jsonschema.Draft202012Validator.check_schema(schema)
    written = json.loads(json.dumps(yaml.safe_load(world.PROJECT), default=str))  # an editor takes a date for a text
    jsonschema.Draft202012Validator(schema).validate(written)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate({"name": "world", "sorces": {}})


def test_show_lists_every_setting_with_its_origin(folder: Path, capsys: Capture) -> None:
    """The file and its line, ``--set``, or the default."""
    out, _ = told(capsys, "check", folder, "--show", "--set", "judge.folds=3", "--json")
    settings = {row["path"]: row for row in json.loads(out)["settings"]}
    assert settings["name"]["value"] == "world"
    assert settings["name"]["from"] == f"{folder / 'project.yaml'}:1"
    assert settings["judge.folds"]["value"] == 3
    assert "--set" in settings["judge.folds"]["from"]
    assert settings["train.seed"]["from"] == "default"
    for_people, _ = told(capsys, "check", folder, "--show")
    assert "judge.holdout" in for_people
    assert "project.yaml:16" in re.sub(r"\s", "", for_people)
    assert not (folder / ".asof").exists()


def test_init_proposes_shows_and_does_not_overwrite(tmp_path: Path, capsys: Capture) -> None:
    """``--show`` writes nothing; a file that is there stays; what is proposed can be checked."""
    table = tmp_path / "calls.csv"
    world.calls(days=60).write_csv(table)
    shown, err = told(capsys, "init", table, "--show")
    assert err == ""
    assert not (tmp_path / "project.yaml").exists()
    out, err = told(capsys, "init", table)
    assert out == ""
    assert err == f"wrote {tmp_path / 'project.yaml'}; read it, then: asof check {tmp_path / 'project.yaml'}\n"
    assert (tmp_path / "project.yaml").read_text() == shown
    (tmp_path / "project.yaml").write_text("mine\n")
    out, err = told(capsys, "init", table, code=2)
    assert out == ""
    assert len(err.splitlines()) == 1
    assert str(tmp_path / "project.yaml") in err
    assert (tmp_path / "project.yaml").read_text() == "mine\n"
    told(capsys, "init", table, "--out", tmp_path / "other.yaml")
    result, _ = told(capsys, "check", tmp_path / "other.yaml", "--json")
    assert json.loads(result)["refused"] is False


def test_init_of_what_is_no_table(tmp_path: Path, capsys: Capture) -> None:
    """One line, exit code 2."""
    for name, content in {"gone.csv": None, "empty.csv": "", "some.xlsx": "PK"}.items():
        if content is not None:
            (tmp_path / name).write_text(content)
        out, err = told(capsys, "init", tmp_path / name, code=2)
        assert out == ""
        assert len(err.splitlines()) == 1, err
        assert name in err
