"""The server against its own OpenAPI, as schemathesis reads it, and against a fault of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from asof import api
from asof.api import Settings
from asof.api.guards import Limits
from asof.flows.serving import Desk
from tests.api.conftest import opened, standing
from tests.flows import houses

CONFIG = """\
[checks]
negative_data_rejection.expected-statuses = [400, 401, 404, 405, 406, 413, 415, 422]
"""
ROW = {"place": "z1", "start": "2021-07-20"}


@pytest.mark.parametrize("served", ["crashes", "people"])
def test_nothing_is_found(served: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """What the schema allows is answered, what it forbids is refused, and every answer is as it says."""
    folder: Path = request.getfixturevalue(served)
    limits = Limits(rows=30)  # else most of the time goes into making bodies of 10,000 rows
    with standing(opened(folder), Settings(limits=limits, renew=0)) as client:
        conforms(client, tmp_path)


def conforms(client: httpx.Client, tmp_path: Path) -> None:
    """Let schemathesis look for what differs from the OpenAPI of a server."""
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", tmp_path / "schemathesis.toml", "run"]
    options = ["--seed=1", "--max-examples=4", "--phases=examples,coverage,fuzzing", "--no-color"]
    address = str(client.base_url.join("/openapi.json"))
    done = subprocess.run([*command, *options, address], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert "No issues found" in done.stdout, done.stdout[-3_000:]
    assert done.returncode == 0


def test_lines_are_offered_where_places_have_outlines(panel: httpx.Client) -> None:
    assert "/v1/along" not in panel.get("/openapi.json").json()["paths"]


def fail(*_given: Any, **_more: Any) -> NoReturn:
    secret = "a secret of "  # lines of code are none
    raise ZeroDivisionError(secret + "the inside")


@pytest.fixture
def broken(crashes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A server whose program has a fault: it stands, and fails at every question."""
    desk = opened(crashes)
    monkeypatch.setattr(api, "answered_with_others", fail)
    monkeypatch.setattr(Desk, "explain", fail)
    with standing(desk, Settings(renew=0)) as client:
        yield client


def test_a_fault_of_the_program_is_told_without_its_inside(
    broken: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """500 in words, its way in the log alone, without a message that could hold values; and the server lives on."""
    for route in ("/invocations", "/v1/predict", "/v1/explain"):
        told = broken.post(route, json=[ROW])
        assert told.status_code == 500
        assert told.json()["error"]["status"] == 500
        assert "fault of this program" in told.json()["error"]["reason"]
        assert "secret" not in told.text
        assert "Traceback" not in told.text
    assert "ZeroDivisionError" in caplog.text
    assert "in fail" in caplog.text
    assert "a secret of the inside" not in caplog.text
    assert broken.get("/ping").status_code == 200
    assert broken.post("/invocations", json=[{"place": "z1"}]).status_code == 500
    assert 'asof_requests_total{route="/invocations",status="500"} 2.0' in broken.get("/metrics").text


def test_columns_of_a_row_are_told_as_the_release_has_met_them(classes: httpx.Client) -> None:
    """Types, ranges and examples are those of the data, not of a template."""
    told = {
        name: cell
        for schema in classes.get("/openapi.json").json()["components"]["schemas"].values()
        for name, cell in schema.get("properties", {}).items()
    }
    age = houses.people()["age"]
    assert told["age"]["description"] == f"A number; seen from {age.min():g} to {age.max():g}."
    assert told["age"]["examples"] == [age.min(), age.max()]
    assert sorted(told["sex"]["examples"]) == sorted(houses.people()["sex"].unique())
