"""Answers from arrays are those of the tables, byte for byte; what is not plain is left to the tables."""

import json
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from asof.api import answers, bodies
from asof.api.arrays import Arrays
from asof.flows.serving import Desk, Standing, answered
from asof.flows.workspace import Workspace
from tests.api.conftest import opened
from tests.api.flats import KINDS, flats


def tables(workspace: Workspace, standing: Standing, rows: list[dict[str, Any]]) -> bytes:
    """What tables answer."""
    return answers.write(answered(workspace, standing, bodies.table(rows), "the request"), bodies.JSON)


def draw_row(draw: random.Random) -> dict[str, Any]:
    """A flat as it may be written: mostly plain."""
    odd = draw.random() < 0.3
    row: dict[str, Any] = {
        "area": draw.choice([draw.lognormvariate(4, 0.5), 55, 0.1 + 0.2, 1e-7, -0.0, 2**53 + 1, None, 1e18]),
        "floor": draw.choice([3, 3.0, 0, 8, 1e16, None]),
        "height": draw.choice([2.5, None, 2.123456789012345, 9]),
        "kind": draw.choice([*KINDS, None]),
    }
    if odd:
        row |= draw.choice(
            [
                {"area": -1},
                {"floor": -1.0},
                {"area": "55.5"},
                {"kind": " brick"},
                {"kind": "straw"},
                {"kind": "NA"},
                {"kind": 7},
                {"floor": True},
                {"height": "tall"},
                {"more": 1},
                {"id": "f3"},
            ]
        )
    return dict(draw.sample(sorted(row.items()), len(row)))


@pytest.mark.parametrize("seed", range(3))
def test_the_same_bytes(flat_desk: Desk, seed: int) -> None:
    """Whatever arrays answer, tables answer so too; and they answer what is plain."""
    draw, now = random.Random(seed), flat_desk.standing
    arrays = Arrays.of(now)
    assert arrays is not None
    quickly = 0
    for _ in range(60):
        rows = [draw_row(draw) for _ in range(draw.choice([1, 1, 2, 7]))]
        told = arrays.answer(rows)
        if told is not None:
            quickly += 1
            assert told == tables(flat_desk.workspace, now, rows)
    assert quickly >= 15


def test_a_thousand_rows(flat_desk: Desk) -> None:
    """Of many rows each gets the bits that it gets alone."""
    rows = flats(1_000).drop("id", "price").to_dicts()
    arrays = Arrays.of(flat_desk.standing)
    assert arrays is not None
    told = arrays.answer(rows)
    assert told is not None
    many = json.loads(told)["predictions"]
    assert [one["unit"] for one in many] == [str(number) for number in range(1, 1_001)]
    for number in (0, 500, 999):
        alone = arrays.answer(rows[number : number + 1])
        assert alone is not None
        assert json.loads(alone)["predictions"] == [many[number] | {"unit": "1"}]
    assert told == tables(flat_desk.workspace, flat_desk.standing, rows)


@pytest.mark.parametrize(
    "row",
    [
        {"area": 50, "floor": 1, "height": 2.5},
        {"area": 50, "floor": 1, "height": 2.5, "kind": ["brick"]},
        {"area": 10**400, "floor": 1, "height": 2.5, "kind": "brick"},
        {"area": 1e300, "floor": 1, "height": 2.5, "kind": "brick"},
        {"area": float("inf"), "floor": 1, "height": 2.5, "kind": "brick"},
    ],
)
def test_what_is_refused_is_left_to_tables(flat_desk: Desk, row: dict[str, Any]) -> None:
    arrays = Arrays.of(flat_desk.standing)
    assert arrays is not None
    assert arrays.answer([row]) is None


def test_other_projects_have_none(panel: httpx.Client, crashes: Path, people: Path) -> None:
    """Places and times are looked up; encoders that fill and scale take tables."""
    assert Arrays.of(opened(crashes).standing) is None
    assert Arrays.of(opened(people).standing) is None
