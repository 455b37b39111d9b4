"""Requests that are no questions: each gets a 4xx with its reason, and no server falls over."""

import http.client
import json
import socket
import time
from pathlib import Path

import httpx
import polars as pl
import pytest

from asof.api import Settings, keys
from asof.api.guards import Limits
from asof.errors import DataError, UserError
from asof.flows import asking
from tests.api.conftest import opened, standing

JSON = {"content-type": "application/json"}
ROW = {"place": "z1", "start": "2021-07-20"}
DEEP = "[" * 100_000 + "]" * 100_000
BODIES = [
    ("not JSON", "{", 400, "not readable as JSON"),
    ("a number that is none", '{"instances": [{"place": NaN}]}', 400, "NaN is not JSON"),
    ("deep", DEEP, 400, "nested too deeply"),
    ("nothing", "", 400, "not readable as JSON"),
    ("no rows", '{"instances": []}', 422, "no row"),
    ("two shapes", '{"instances": [], "rows": []}', 422, "one of instances"),
    ("a row that is text", '{"instances": ["z1"]}', 422, "row 1 is text"),
    ("rows that are an object", '{"instances": {"place": "z1"}}', 422, "expected a list of rows"),
    ("a list in a cell", '[{"place": ["z1"], "start": "2021-07-20"}]', 422, "row 1, place: a list"),
    ("an object in a cell", '[{"place": {"a": 1}, "start": "2021-07-20"}]', 422, "row 1, place: an object with a"),
    ("a huge number", '[{"place": 1e300, "start": "2021-07-20"}]', 422, "too large"),
    ("a huge integer", '[{"place": 1' + "0" * 300 + "}]", 422, "too large"),
    ("half a character", '[{"place": "\\ud800", "start": "2021-07-20"}]', 422, "no character"),
    ("a long text", json.dumps([{"place": "z" * 10_001}]), 422, "10,001 characters"),
    ("half a character in a name", '[{"place": "z1", "start": "2021-07-20", "\\ud800": 1}]', 422, "no character"),
    ("no time", '[{"place": "z1"}]', 422, "no column tells the time"),
    ("no place", '[{"start": "2021-07-20"}]', 422, "no column tells the place"),
    ("an empty row", "[{}]", 422, "hold no value"),
    ("columns twice", '{"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}', 422, "'a' is there twice"),
    ("a short row", '{"dataframe_split": {"columns": ["a", "b"], "data": [[1]]}}', 422, "row 1 has 1 values"),
    ("no data", '{"dataframe_split": {"columns": ["a"]}}', 422, "expected `columns`"),
]


@pytest.mark.parametrize(("body", "status", "reason"), [one[1:] for one in BODIES], ids=[one[0] for one in BODIES])
def test_bodies_that_are_no_question(panel: httpx.Client, body: str, status: int, reason: str) -> None:
    told = panel.post("/invocations", content=body, headers=JSON)
    error = told.json()["error"]
    assert (told.status_code, error["status"]) == (status, status)
    assert reason in error["reason"]


@pytest.mark.parametrize(
    "start", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "9999-12-31", "2021-02-30", "noon"]
)
def test_a_time_at_the_edge_of_the_calendar_costs_its_own_row(panel: httpx.Client, start: str) -> None:
    rows = [{"place": "z1", "start": start}, {"place": "z1", "start": "2021-03-14T02:30"}]  # clocks skip that hour
    told = panel.post("/invocations", json={"instances": rows})
    assert told.status_code == 200
    wrong, right = told.json()["predictions"]
    assert (wrong["prediction"], wrong["reason"]) == (None, "start is no time that can be read")
    assert (right["start"], right["reason"]) == ("2021-03-14T05:00:00Z", None)


def test_kinds_that_are_not_read(panel: httpx.Client) -> None:
    for kind, status in (("application/xml", 415), ("text/csv; charset=latin-1", 415), ("", 415)):
        assert panel.post("/invocations", content="a", headers={"content-type": kind}).status_code == status
    broken = panel.post("/invocations", content=b"place,start\n\xff,1\n", headers={"content-type": "text/csv"})
    assert (broken.status_code, broken.json()["error"]["reason"]) == (400, "byte 12 is not UTF-8")
    ragged = panel.post("/invocations", content="place,start\nz1\n", headers={"content-type": "text/csv"})
    assert (ragged.status_code, ragged.json()["error"]["reason"]) == (400, "row 1 has 1 cells, the header has 2")
    assert panel.get("/invocations").status_code == 405
    assert panel.get("/nowhere").status_code == 404


def test_limits(crashes: Path) -> None:
    """Bytes, rows, patience with a body that does not come, and requests at once."""
    limits = Limits(body=2_000, rows=3, patience=0.3, concurrent=2)
    with standing(opened(crashes), Settings(limits=limits, renew=0)) as client:
        assert client.post("/invocations", json=[ROW] * 3).status_code == 200
        assert client.post("/invocations", json=[ROW] * 4).status_code == 413
        large = client.post("/invocations", content="x" * 2_001, headers=JSON)
        assert (large.status_code, large.headers["connection"]) == (413, "close")
        chunked = client.post("/invocations", content=(b"x" * 500 for _ in range(10)), headers=JSON)
        assert chunked.status_code == 413
        at = (client.base_url.host, client.base_url.port)
        assert _half(at) == 408
        waiting = [_begin(at) for _ in range(2)]
        time.sleep(0.05)
        busy = client.post("/invocations", json=[ROW])
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        assert client.get("/ping").status_code == 200
        for one in waiting:
            one.close()
        time.sleep(0.4)
        assert client.post("/invocations", json=[ROW]).status_code == 200


def _begin(at: tuple[str, int | None]) -> socket.socket:
    """A request whose body does not come."""
    opened_socket = socket.create_connection((at[0], at[1] or 80), timeout=10)
    head = "POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{"
    opened_socket.sendall(head.encode())
    return opened_socket


def _half(at: tuple[str, int | None]) -> int:
    with _begin(at) as half:
        answer = http.client.HTTPResponse(half)
        answer.begin()
        return answer.status


def test_keys(crashes: Path, tmp_path: Path) -> None:
    """Without one nothing is told but that the server lives; the file holds hashes, and is its owner's alone."""
    file = tmp_path / "keys"
    first, second = keys.add(file, "first"), keys.add(file, "second")
    assert file.stat().st_mode & 0o777 == 0o600
    assert first not in file.read_text()
    with standing(opened(crashes), Settings(keys=keys.read(file), renew=0)) as client:
        assert client.get("/ping").status_code == 200
        for route in ("/metrics", "/v1/release", "/openapi.json", "/nowhere"):
            assert client.get(route).status_code == 401
        for given in ({}, {"x-api-key": "wrong"}, {"authorization": f"Basic {first}"}, {"authorization": "Bearer"}):
            told = client.post("/invocations", json=[ROW], headers=given)
            assert (told.status_code, told.headers["www-authenticate"]) == (401, "Bearer")
        for given in ({"x-api-key": first}, {"authorization": f"Bearer {second}"}):
            assert client.post("/invocations", json=[ROW], headers=given).status_code == 200


def test_a_column_in_small_and_large_letters_is_refused() -> None:
    """Where a source has its columns in small letters; else the one of them would be lost, or the server fall over."""
    with pytest.raises(DataError, match="the request: column 'age' is there twice"):
        asking._lower(pl.DataFrame({"Age": ["1"], "age": ["2"]}), "the request")
    assert asking._lower(pl.DataFrame({"Age": ["1"], "SEX": ["x"]}), "the request").columns == ["age", "sex"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no key"),
        ("me short", "expected a name and the SHA-256"),
        (f"# keys\nme {'A' * 64}", ":2: expected"),
    ],
)
def test_files_of_keys_that_are_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(text)
    with pytest.raises(UserError, match=said):
        keys.read(tmp_path / "keys")


def test_a_name_is_given_once(tmp_path: Path) -> None:
    keys.add(tmp_path / "keys", "me")
    with pytest.raises(UserError, match="there is a key of the name 'me'"):
        keys.add(tmp_path / "keys", "me")
    with pytest.raises(UserError, match="cannot be the name"):
        keys.add(tmp_path / "keys", "me and you")
    with pytest.raises(UserError, match="no such file of keys"):
        keys.read(tmp_path / "none")
