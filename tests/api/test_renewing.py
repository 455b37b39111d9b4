"""A server takes up what is newer without making anyone wait, and goes on looking whatever a look ends with."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

import asof
from asof.api import Settings, quick
from asof.flows.serving import Desk
from tests.api.conftest import opened, standing

ROW = {"place": "z1", "start": "2021-07-22"}


def until(true: Callable[[], bool]) -> None:
    """Wait for something that must come."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() < begun + 30
        time.sleep(0.02)


def more_rows(folder: Path) -> None:
    """Let newer data come."""
    (folder / "calls-2.csv").write_text("id,at,zone\nn1,2021-07-20 12:00,z1\n")
    asof.ingest(asof.open_project(str(folder)))


def figure(client: httpx.Client, name: str) -> float:
    """A figure of the server."""
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith(f"{name} ")).split()[1])


def test_quick_ways_are_made_before_anyone_asks(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the thread that renews: never where requests are heard."""
    heard: list[bool] = []
    make = quick.Quick.__init__

    def told(self: quick.Quick, *given: Any) -> None:
        with contextlib.suppress(RuntimeError):
            heard.append(bool(asyncio.get_running_loop()))
        make(self, *given)

    desk = opened(own)
    with standing(desk, Settings(renew=0.05)) as client:
        before = desk.standing
        monkeypatch.setattr(quick.Quick, "__init__", told)
        more_rows(own)
        until(lambda: desk.standing is not before)
        until(lambda: figure(client, "asof_renewals_total") == 1)
        assert client.post("/invocations", json=[ROW]).status_code == 200
    assert not heard


def test_a_fault_of_a_look_is_no_end(
    own: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A program that fails at newer data says so, answers on, and takes them up as soon as it can."""
    desk = opened(own)
    with standing(desk, Settings(renew=0.05)) as client:
        before = desk.standing
        with monkeypatch.context() as broken:
            broken.setattr(Desk, "_renew", lambda self: 1 // 0)
            until(lambda: figure(client, "asof_renewal_failing") == 1)
            assert "ZeroDivisionError" in client.get("/ping").json()["trouble"]
            assert client.post("/invocations", json=[ROW]).status_code == 200
        until(lambda: figure(client, "asof_renewal_failing") == 0)
        with monkeypatch.context() as broken:
            broken.setattr(quick.Quick, "__init__", lambda self, *given: 1 // 0)
            more_rows(own)
            until(lambda: desk.standing is not before)
            until(lambda: figure(client, "asof_renewal_failing") == 1)
            assert client.post("/invocations", json=[ROW]).status_code == 200
        until(lambda: figure(client, "asof_renewal_failing") == 0)
    assert "ZeroDivisionError" in caplog.text
