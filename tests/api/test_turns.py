"""Requests that wait are answered together, each with the bytes that it gets alone."""

import asyncio
import json
import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from asof.api import answers, bodies, turns
from asof.api.bodies import Refusal
from asof.api.turns import Answered, Turns
from asof.errors import AsofError, DataError, OutsideError
from asof.flows import asking
from asof.flows.serving import Desk, answered
from tests.api.conftest import opened

Rows = Sequence[dict[str, Any]]


def parts(desk: Desk, asked: Sequence[Rows], kind: str) -> list[bytes]:
    """What several requests get together."""
    now = desk.standing
    table = bodies.table([row for rows in asked for row in rows], now.numbers)
    told = answered(desk.workspace, now, table, "the request")
    numbered = "unit" in told.columns and not asking.keyed(desk.workspace, now.prepared, table.columns)
    return [one.body for one in answers.part(told, [len(rows) for rows in asked], kind, numbered=numbered)]


@pytest.mark.parametrize("kind", [bodies.JSON, bodies.CSV, bodies.LINES])
@pytest.mark.parametrize("project", ["crashes", "people"])
def test_together_as_alone(project: str, kind: str, request: pytest.FixtureRequest) -> None:
    """Panels and classes of rows, with rows that are refused, numbers as text, and moments ages apart."""
    desk = opened(request.getfixturevalue(project))
    draw = random.Random(4)
    days = ["2021-07-22", "2021-07-20", "2021-05-01", "0001-01-01", "9999-12-31", "soon"]
    ages = [30, "30", 30.5, None, "old", 2**53 + 1, "NA"]
    asked: list[list[dict[str, Any]]] = [
        [
            {"place": f"z{draw.randrange(8)}", "start": draw.choice(days)}
            if project == "crashes"
            else {"sex": draw.choice(["male", "female", " male", "x"]), "age": draw.choice(ages), "family": "f1"}
            for _ in range(draw.randrange(1, 4))
        ]
        for _ in range(7)
    ]
    assert desk.standing.apart
    assert parts(desk, asked, kind) == [parts(desk, [rows], kind)[0] for rows in asked]


def test_over_http_in_its_place(panel: httpx.Client) -> None:
    """Many at once, of several columns and kinds, some of them wrong: as one after the other."""
    bodies_of = [
        *({"rows": [{"place": f"z{at}", "start": "2021-07-20"}]} for at in range(6)),
        *({"rows": [{"place": "z1", "start": f"2021-07-{day}", "horizon": "2d"}]} for day in (10, 11, 12)),
        {"rows": [{"place": "z1", "start": 1e300}]},
        {"rows": [{"place": "z1"}]},
    ]

    def ask(body: Any) -> tuple[int, bytes]:
        told = panel.post("/invocations", content=json.dumps(body), headers={"content-type": "application/json"})
        return told.status_code, told.content

    alone = [ask(body) for body in bodies_of]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, bodies_of * 4)) == alone * 4
    assert [status for status, _ in alone] == [200] * 9 + [422, 422]


def echo(kind: str, asked: Sequence[Any]) -> list[Answered]:
    """Answer with what was asked together."""
    names = ",".join(str(row["x"]) for rows in asked for row in rows)
    if "bad" in names:
        raise DataError(f"bad among {names}")
    return [Answered(f"{kind}:{names}".encode(), 0) for _ in asked]


def ask_all(rows: Sequence[dict[str, Any]], *, apart: bool = True, kinds: str = "aaaaaaaa") -> list[Any]:
    """Ask each at once; what they get, or the reason why not."""

    async def all_of_them() -> list[Any]:
        server = Turns(echo, lambda: apart, 5.0)
        made = [server.answer(kind, [row]) for kind, row in zip(kinds, rows, strict=False)]
        return await asyncio.gather(*made, return_exceptions=True)

    return [one.body.decode() if isinstance(one, Answered) else one for one in asyncio.run(all_of_them())]


def test_who_is_answered_with_whom() -> None:
    """Those with the same columns and kind; none where rows do not stand for themselves."""
    rows = [{"x": 1}, {"x": 2}, {"x": 3, "y": 0}, {"x": 4}]
    assert ask_all(rows) == ["a:1,2,4", "a:1,2,4", "a:3", "a:1,2,4"]
    assert ask_all(rows, kinds="abab") == ["a:1", "b:2,4", "a:3", "b:2,4"]
    assert ask_all(rows, apart=False) == ["a:1", "a:2", "a:3", "a:4"]


def test_what_is_wrong_with_one_is_told_to_it_alone() -> None:
    told = ask_all([{"x": 1}, {"x": "bad"}, {"x": 2}])
    assert told[0::2] == ["a:1", "a:2"]
    assert (told[1].status, told[1].reason) == (422, "bad among bad")


@pytest.mark.parametrize(
    ("fault", "status"), [(DataError("x"), 422), (OutsideError("x"), 503), (Refusal(413, "x"), 413)]
)
def test_faults_have_their_status(fault: AsofError, status: int) -> None:
    def fail(*_: Any) -> list[Answered]:
        raise fault

    async def ask(server: Turns) -> None:
        await server.answer("a", [{"x": 1}])

    with pytest.raises(Refusal) as told:
        asyncio.run(ask(Turns(fail, lambda: True, 5.0)))
    assert told.value.status == status


def test_who_waits_too_long_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """And the next is answered."""
    import time

    def slow(kind: str, asked: Sequence[Any]) -> list[Answered]:
        time.sleep(0.3)
        return echo(kind, asked)

    async def ask() -> tuple[Any, Any]:
        server = Turns(slow, lambda: True, 0.05)
        first = await asyncio.gather(server.answer("a", [{"x": 1}]), return_exceptions=True)
        monkeypatch.setattr(server, "_seconds", 5.0)
        return first[0], await server.answer("a", [{"x": 2}])

    first, second = asyncio.run(ask())
    assert (first.status, second.body) == (503, b"a:2")
    assert turns.MOST >= turns.FEW


def test_what_is_late_keeps_its_turn() -> None:
    """However many give up waiting, one computation goes on at a time; those that had not begun never do."""
    begun: list[int] = []
    ended = threading.Event()

    async def ask() -> tuple[list[Any], int]:
        server = Turns(echo, lambda: True, 0.2)
        works = [lambda number=number: (begun.append(number), ended.wait(30)) for number in range(4)]
        late = await asyncio.gather(*map(server.do, works), return_exceptions=True)
        ended.set()
        return late, await server.do(lambda: 5)

    late, after = asyncio.run(ask())
    assert [one.status for one in late] == [503] * 4
    assert (begun, after) == ([0], 5)
