"""One line of log a request: written some at a time, in their order, and none is lost when a server ends."""

import asyncio
import json
import logging
import time
from pathlib import Path

import httpx
import pytest

from asof.api import Settings, journal
from asof.api.journal import Journal
from tests.api.conftest import opened, standing

ROW = {"place": "z1", "start": "2021-07-20"}


def told(caplog: pytest.LogCaptureFixture) -> list[dict[str, object]]:
    """What has been written, a mapping a line."""
    records = [record for record in caplog.records if record.name == "asof.requests"]
    return [json.loads(line) for record in records for line in record.getMessage().splitlines()]


def test_a_line_for_each_request_that_is_there_when_the_server_has_ended(
    crashes: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "SECONDS", 60)  # so that the end alone writes them
    caplog.set_level(logging.INFO, "asof.requests")
    with standing(opened(crashes), Settings(renew=0)) as client:
        client.post("/invocations", json=[ROW] * 3)
        client.post("/v1/predict", content="{")
        client.get("/secret-of-a-stranger")
        assert told(caplog) == []
    lines = told(caplog)
    facts = [(line["method"], line["route"], line["status"], line["rows"], line["key"]) for line in lines]
    assert facts == [
        ("POST", "/invocations", 200, 3, ""),
        ("POST", "/v1/predict", 400, 0, ""),
        ("GET", "other", 404, 0, ""),
    ]
    assert all(isinstance(line["ms"], float) and line["ms"] > 0 for line in lines)
    assert all(str(line["at"]).endswith("Z") for line in lines)


def test_lines_wait_for_a_moment_only(panel: httpx.Client, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "asof.requests")
    panel.get("/ping")
    until = time.monotonic() + 10
    while not told(caplog) and time.monotonic() < until:
        time.sleep(0.02)
    assert [line["route"] for line in told(caplog)] == ["/ping"]


def test_many_lines_are_written_at_once(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may wait make one record; the rest comes with time."""
    monkeypatch.setattr(journal, "MOST", 3)
    monkeypatch.setattr(journal, "SECONDS", 0.01)
    caplog.set_level(logging.INFO, "asof.requests")

    async def ask() -> list[int]:
        kept = Journal()
        for status in range(200, 205):
            kept.tell("GET", "/ping", status, 0.001, {})
        at_once = len(told(caplog))
        await asyncio.sleep(0.1)
        return [at_once, len(told(caplog))]

    assert asyncio.run(ask()) == [3, 5]
    assert [line["status"] for line in told(caplog)] == list(range(200, 205))
    assert len(caplog.records) == 2


def test_nothing_is_kept_where_nobody_reads(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "asof.requests")
    kept = Journal()
    kept.tell("GET", "/ping", 200, 0.001, {})
    kept.flush()
    assert told(caplog) == []
