"""Many clients at once, most of whom mean harm: rows get their own answers, and nothing falls over."""

import http.client
import socket
from pathlib import Path

import httpx
import pytest

from asof.api import Settings, heads
from tests.api import hostile
from tests.api.conftest import opened, standing

ROWS = [{"place": f"z{place}", "start": start} for place in range(6) for start in ("2021-07-22", "2021-07-20", "soon")]


def at(client: httpx.Client) -> hostile.At:
    """Where a server listens."""
    return client.base_url.host, client.base_url.port or 80


def test_hostile_requests(panel: httpx.Client) -> None:
    """A tenth of what ``bench/serving.py`` sends: a 4xx with its reason each, and no row with the answer of another."""
    told = panel.post("/invocations", json=ROWS).json()["predictions"]
    known = [(row, answer["prediction"]) for row, answer in zip(ROWS, told, strict=True)]
    done = hostile.attack(at(panel), requests=1_000, clients=8, seed=1, known=known)
    assert done.faults == []
    assert done.outcomes["200"] >= 180
    assert {"400", "404", "405", "406", "415", "422"} <= set(done.outcomes)
    assert panel.get("/ping").status_code == 200


def test_a_head_that_does_not_come_is_not_waited_for(crashes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the first of a connection nor a later one; a body that is slow has its own limit."""
    monkeypatch.setattr(heads, "PATIENCE", 0.3)
    with standing(opened(crashes), Settings(renew=0)) as client:
        for begun in (
            b"",
            b"GET /ping HTT",
            b"GET /ping HTTP/1.1\r\nhost: x\r\nx-",
            b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\nGET",
        ):
            assert hostile.exchange(at(client), begun, patience=5).count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")


def test_heads_have_a_length(panel: httpx.Client) -> None:
    """One that comes whole is told so; one that goes on and on loses its connection."""
    told = panel.get("/ping", headers={"x": "y" * 32_000, "z": "y" * 31_990})
    assert (told.status_code, told.headers["connection"]) == (431, "close")
    with socket.create_connection(at(panel), timeout=10) as line:
        line.sendall(b"GET /ping HTTP/1.1\r\n")
        with pytest.raises((ConnectionError, BrokenPipeError)):
            pour(line)


def pour(line: socket.socket) -> None:
    """Send ten million bytes of headers."""
    for _ in range(10_000):
        line.sendall(b"x: " + b"y" * 1_000 + b"\r\n")


def test_one_connection_asks_again(panel: httpx.Client) -> None:
    """Long bodies in between are no heads."""
    line = http.client.HTTPConnection(*at(panel), timeout=30)
    for body in (b"[" + b" " * 200_000 + b"]", b"[]", b"[" + b" " * 200_000 + b"]"):
        line.request("POST", "/invocations", body, {"content-type": "application/json"})
        answer = line.getresponse()
        assert (answer.status, b"no row" in answer.read()) == (422, True)
    line.close()
