"""Answers from the dictionary are those of the tables, byte for byte."""

import random
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic_core import to_json

import asof
from asof import api
from asof.api import Settings, _Server, answers, bodies, quick
from asof.api.figures import Figures
from asof.api.quick import Quick
from asof.flows import asking, serving, walking
from asof.flows.serving import Desk, answered_with_others
from asof.flows.walking import Walk
from tests.api.conftest import opened, standing

PLACES = ["z0", "z3", "z5", "Z3", "nowhere", "", " z0", None, 3]
STARTS = [
    "2021-07-22",
    "2021-07-23",
    "2021-07-22T00:00",
    "2021-07-22 13:30",
    "2021-07-22T04:00:00Z",
    "2021-07-23T06:00:00+02:00",
    "2021-07-20",
    "2021-05-01",
    "2030-01-01",
    "soon",
    "",
    None,
    20210722,
]
HORIZONS = ["1d", "2d", "24h", "", None]


def said(quick: Quick, rows: list[dict[str, Any]]) -> bytes | None:
    """What is at hand, as it goes back; none where a row needs a table."""
    found = quick.find(rows)
    return None if found is None else answers.join(found)


@pytest.fixture(scope="module")
def desk(crashes: Path) -> Desk:
    """The panel, open."""
    return opened(crashes)


def draw_rows(draw: random.Random) -> list[dict[str, Any]]:
    """A request as it might come: mostly about the next days, in several ways to write them."""
    near = draw.random() < 0.5
    rows = []
    for _ in range(draw.choice([1, 1, 2, 5])):
        row = {"place": draw.choice(PLACES[: 3 if near else None]), "start": draw.choice(STARTS[: 6 if near else None])}
        if draw.random() < 0.5:
            row["horizon"] = draw.choice(HORIZONS[: 2 if near else None])
        if draw.random() < 0.1:
            row[draw.choice(["note", "Start", "lat", "time"])] = "2021-07-20"
        rows.append(dict(draw.sample(sorted(row.items(), key=lambda item: item[0]), len(row))))
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_the_same_bytes(desk: Desk, seed: int) -> None:
    """Whatever the dictionary answers, the tables answer so too; and it answers what was made ahead."""
    draw, at_hand = random.Random(seed), Quick(desk.workspace, desk.standing)
    quickly = 0
    for _ in range(80):
        rows = draw_rows(draw)
        given = said(at_hand, rows)
        slow = answers.write(desk.answer(bodies.table(rows)), bodies.JSON)
        at_hand.learn(rows)
        again = said(at_hand, rows)
        assert given in {None, slow}
        assert again in {None, slow}
        quickly += again is not None
    assert quickly >= 10


def test_a_request_is_learnt_from(panel: httpx.Client, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second request is answered without a table, by the same bytes; with any doubt, tables answer."""
    rows = [{"place": "z1", "start": "2021-07-23T02:00", "horizon": "2d"}, {"place": "z4", "start": "2021-07-22"}]
    first = panel.post("/invocations", json={"instances": rows})
    monkeypatch.setattr(bodies, "table", lambda rows: pytest.fail("a table was built"))
    second = panel.post("/invocations", json={"instances": rows})
    assert (second.status_code, second.content) == (200, first.content)
    assert second.headers["content-type"] == first.headers["content-type"]


def test_what_is_remembered_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many texts, long texts, and more answers than are kept written out."""
    monkeypatch.setattr(quick, "MOST_STARTS", 20)
    at_hand = Quick(desk.workspace, desk.standing)
    for number in range(40):
        new = {"place": "z1", "start": f"2021-07-22T00:{number:02d}"}
        assert at_hand.learn([new, {"start": "x" * 5_000}, {"start": ["soon"]}, {"start": {"at": "soon"}}])
        assert not at_hand.learn([new])
        assert said(at_hand, [{"place": "z1", "start": f"2021-07-22T00:{number:02d}"}]) is not None
    assert len(at_hand._starts) == 20
    assert max(map(len, at_hand._starts)) <= quick.LONGEST_START
    assert sys.getsizeof(at_hand._told) < 100_000
    monkeypatch.setattr(quick, "MOST_READY", 2)
    assert Quick(desk.workspace, desk.standing).find([{"place": "z1", "start": "2021-07-22"}]) is None


def test_newer_data_are_not_answered_by_the_old(own: Path) -> None:
    """What was learnt belongs to one standing."""
    desk = opened(own)
    at_hand = Quick(desk.workspace, desk.standing)
    before = desk.standing
    (own / "calls-2.csv").write_text("id,at,zone\nn1,2021-07-20 12:00,z1\n")
    asof.ingest(asof.open_project(str(own)))
    assert desk.renew()
    assert desk.standing is not before
    assert at_hand.standing is before


def test_what_was_answered_once_is_kept(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Questions that were not made ahead: by the same bytes, as many as are remembered, and none that was refused."""
    at_hand = Quick(desk.workspace, desk.standing)
    rows = [{"place": f"z{at}", "start": day} for day in ("2021-07-10", "soon", "2021-07-22") for at in range(4)]
    told = desk.answer(bodies.table(rows))
    at_hand.learn(rows)
    at_hand.keep(told)
    assert said(at_hand, rows[:4]) == answers.write(told[:4], bodies.JSON)
    assert said(at_hand, rows[4:5]) is None
    assert said(at_hand, [rows[0] | {"horizon": "2d"}]) is None


def test_what_is_kept_is_bounded_in_bytes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The periods that were asked about first are forgotten, whole; one too large for all memory keeps nothing."""
    days = ["2021-07-10", "2021-07-09", "2021-07-08"]
    rows = [[{"place": f"z{at}", "start": day} for at in range(4)] for day in days]
    told = [desk.answer(bodies.table(asked)) for asked in rows]
    each = sum(len(to_json(one)) + quick.ENTRY for one in answers.records(told[0]))
    for room, expected in ((each * 7 // 2, [4, 4, 4]), (each * 5 // 2, [0, 4, 4]), (each // 2, None)):
        monkeypatch.setattr(quick, "MOST_KEPT", room)
        few = Quick(desk.workspace, desk.standing)
        for asked, answered in zip(rows, told, strict=True):
            few.learn(asked)
            few.keep(answered)
            few.keep(answered)
        kept = [sum(said(few, [row]) is not None for row in asked) for asked in rows]
        assert kept == expected if expected else sum(kept) <= 2
        assert few._size <= room
        assert few._size == sum(len(line) + quick.ENTRY for lines in few._kept.values() for line in lines.values())


def test_others_are_answered_along(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks about one place is followed by those who ask about the others: each by the bytes that it gets alone."""
    now, rows = desk.standing, [{"place": f"z{at}", "start": "2021-07-08"} for at in range(6)]
    for asked in (
        rows[2:3],
        [*rows[1:3], {"place": "nowhere", "start": "2021-07-08"}, {"place": "z0", "start": "soon"}],
    ):
        told, others = answered_with_others(desk.workspace, now, bodies.table(asked), "the request")
        assert told.equals(desk.answer(bodies.table(asked)))
        places = {row["place"] for row in rows} - {row["place"] for row in asked[:2]}
        assert sorted(others["place"]) == sorted(places)
        at_hand = Quick(desk.workspace, now)
        at_hand.learn(asked)
        at_hand.keep(others)
        for row in rows:
            alone = answers.write(desk.answer(bodies.table([row])), bodies.JSON)
            assert said(at_hand, [row]) == (alone if row["place"] in places else None)
    days = bodies.table([rows[0] | {"start": f"2021-07-0{day}"} for day in (1, 2, 3)])
    assert answered_with_others(desk.workspace, now, days, "the request")[1].height == 3 * 5
    monkeypatch.setattr(serving, "MOST_ALONG", 3 * 6 - 1)
    assert answered_with_others(desk.workspace, now, days, "the request")[1].height == 0


def test_who_waited_is_answered_from_memory(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a table about one has answered those who wait for their turn as well, no other is made for them."""
    server = _Server(desk, Settings(renew=0), Figures())
    rows = [{"place": f"z{at}", "start": "2021-07-07"} for at in range(6)]
    expected = [answers.write(desk.answer(bodies.table([row])), bodies.JSON) for row in rows]
    assert server._answer(bodies.JSON, [rows[:1]])[0].body == expected[0]
    tables = []
    make = bodies.table
    monkeypatch.setattr(bodies, "table", lambda rows, *more: tables.append(len(rows)) or make(rows, *more))
    told = server._answer(bodies.JSON, [[rows[3]], [{"place": "z9", "start": "2021-07-07"}], [rows[5]]])
    assert ([one.body for one in told][::2], [one.refused for one in told]) == (expected[3::2], [0, 1, 0])
    assert tables == [1]


@pytest.mark.parametrize(("first", "step"), [(20, -1), (1, 1)])
def test_who_walks_is_answered_ahead(desk: Desk, first: int, step: int) -> None:
    """Day after day, either way: twice as many days each time, by the bytes that each question gets alone."""
    now, at_hand = desk.standing, Quick(desk.workspace, desk.standing)
    tables, looks = [], []
    for day in range(first, first + 14 * step, step):
        row = {"place": "z2", "start": f"2021-07-{day:02d}"}
        at_hand.learn([row])
        given = said(at_hand, [row])
        if given is None:
            told, others = answered_with_others(desk.workspace, now, bodies.table([row]), "the request", at_hand.walk)
            at_hand.keep(told)
            at_hand.keep(others)
            tables.append(others["start"].n_unique())
            given = said(at_hand, [row])
        while at_hand.walk.more:
            more = serving.ahead(desk.workspace, now, at_hand.walk)
            at_hand.keep(more)
            looks.append(more["start"].n_unique())
        assert given == answers.write(desk.answer(bodies.table([row])), bodies.JSON)
    assert (tables, looks) == ([1, 1], [2, 4, 8, 16])


def test_who_jumps_is_not(desk: Desk) -> None:
    """A day here and a day there, another horizon, or two days that are asked about together."""
    walk = Walk()

    def ask(*starts: str, horizon: str = "1d") -> tuple[int, int]:
        rows = bodies.table([{"place": "z2", "start": start, "horizon": horizon} for start in starts])
        others = answered_with_others(desk.workspace, desk.standing, rows, "the request", walk)[1]
        return others["start"].n_unique(), len(walk.waiting)

    assert [ask(f"2021-07-{day}") for day in ("10", "05", "05", "03")] == [(1, 0)] * 4
    assert ask("2021-07-02", horizon="2d") == (1, 0)
    assert ask("2021-07-03", "2021-07-04", horizon="2d") == (2, 2)
    assert ask("2021-07-06", "soon", horizon="2d") == (1, 1)  # on its way there already
    assert ask("2021-07-20", horizon="2d") == (1, 0)


def test_who_walked_before_a_jump_may_walk_after_it(desk: Desk) -> None:
    """One day is answered ahead after the jump, as it went before; after one that led nowhere there is none."""
    panel, walk = desk.standing.prepared.panel, Walk()
    starts = [asking.start_of(desk.standing.prepared, f"2021-06-{day:02d}") for day in range(1, 30)]
    days = [round(start[0].timestamp()) * 1_000_000 for start in starts if start is not None]

    def jump(at: int) -> list[int]:
        walk.meet(panel, [days[at]], "1d", 8)
        return walk.take(9)

    assert [jump(20), jump(21)] == [[], days[22:24]]
    assert jump(1) == []  # nobody came to what was answered ahead
    assert jump(2) == days[3:5]
    walk.reached = True
    walk.go(panel, 8)
    assert walk.take(9) == days[5:9]
    assert [jump(15), jump(25), jump(10)] == [days[16:17], [], []]


def test_no_more_is_answered_ahead_than_is_worth_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few answers in all, and few periods however few the places are."""
    panel, week = desk.standing.prepared.panel, [f"2021-06-{day:02d}" for day in range(9, 0, -1)]
    starts = [start for day in week if (start := asking.start_of(desk.standing.prepared, day)) is not None]
    micros = [round(start.timestamp()) * 1_000_000 for start, _ in starts]

    def go(walk: Walk, at: int, most: int) -> list[int]:
        walk.meet(panel, [at], "1d", most)
        return walk.take(100)

    walk = Walk()
    assert [go(walk, at, 3) for at in micros[:2]] == [[], micros[2:4]]
    assert walk.mark == (starts[2][0], "1d")
    assert go(walk, micros[4], 3) == micros[5:8]
    monkeypatch.setattr(walking, "MOST_AHEAD", 2)
    walk = Walk()
    assert [go(walk, at, 100) for at in micros[:2]] == [[], micros[2:4]]
    walk.go(panel, 100)
    assert [walk.take(1), walk.take(9), walk.take(9)] == [[micros[4]], [micros[5]], []]
    assert go(walk, micros[3], 100) == micros[4:6]  # what was answered is no longer at hand
    assert go(walk, micros[0], 100) == []
    walk.go(panel, 100)
    assert (walk.mark, walk.more) == (None, False)


def test_what_is_asked_next_is_answered_while_nobody_waits(
    crashes: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who comes to the first day that was answered ahead finds those behind it answered too, also after a fault."""
    tables, looks = [], []

    def table(*given: Any) -> Any:
        tables.append(given)
        return answered_with_others(*given)

    def look(*given: Any) -> Any:
        looks.append(given)
        if len(looks) == 2:
            raise ZeroDivisionError
        return serving.ahead(*given)

    monkeypatch.setattr(api, "answered_with_others", table)
    monkeypatch.setattr(api, "ahead", look)

    def ask(day: int) -> None:
        row = {"place": "z2", "start": f"2021-07-{day:02d}"}
        given = client.post("/invocations", json=[row]).content
        assert given == answers.write(desk.answer(bodies.table([row])), bodies.JSON)

    with standing(opened(crashes), Settings(renew=0)) as client:
        for day, seen in ((20, (1, 0)), (19, (2, 1)), (18, (2, 2)), (17, (2, 3)), (16, (2, 4)), (13, (2, 4))):
            ask(day)
            until = time.monotonic() + 20
            while (len(tables), len(looks)) != seen:
                assert time.monotonic() < until, (day, len(tables), len(looks))
                time.sleep(0.01)
            client.post("/v1/explain", json=[{"place": "z2", "start": "2021-07-22"}])  # its turn is behind that look
    assert "could not be answered ahead" in caplog.text
    assert "ZeroDivisionError" in caplog.text
