"""Answers from arrays are those of the tables, byte for byte; what is not plain is left to the tables."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest

import asof
from asof import intervals
from asof.api import Settings, answers, bodies, records
from asof.api.arrays import LONG, Arrays, _between, _numbers
from asof.api.guards import Limits
from asof.data import Table
from asof.encoders import EncoderPlan
from asof.errors import DataError
from asof.flows.serving import Desk, Standing, answered
from asof.flows.workspace import Workspace
from asof.recipes import Blend, Recipe, fit
from asof.recipes.models import RecipeModel
from tests.api.conftest import opened, standing
from tests.api.flats import FLATS, KINDS, flats
from tests.flows import houses


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


@pytest.mark.parametrize("bounds", [(None, None), (0.0, None), (None, 12.0), (0.0, 12.0)])
def test_the_interval_of_one_number_is_that_of_many(bounds: tuple[float | None, float | None]) -> None:
    told = np.linspace(-3, 15, 37)
    judged = pl.DataFrame({"prediction": np.full(500, 5.0), "label": np.linspace(-5, 15, 500)})
    made = intervals.calibrate(judged, "number", bounds=bounds)
    low, high = made.interval(told, 1.0)
    assert [_between(one, made) for one in told.tolist()] == list(zip(low.tolist(), high.tolist(), strict=True))


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


@pytest.mark.parametrize("odd", [True, False, "12", [1], 10**400, None])
def test_one_odd_value_among_thousands_is_seen(odd: Any) -> None:
    """Truths are no numbers, though Python counts with them; what is unknown is one that is none."""
    plain = [0, 1, 2.5, -0.0, 1.0, 2**53 + 1] * 1_000
    for place in (0, 3_000, len(plain)):
        values = [*plain[:place], odd, *plain[place:]]
        if odd is None:
            expected = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
            np.testing.assert_array_equal(_numbers(values), expected)
        else:
            with pytest.raises((TypeError, OverflowError)):
                _numbers(values)
    np.testing.assert_array_equal(_numbers(plain), np.array(plain, dtype=np.float64))


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


PLAN = (EncoderPlan("categories"),)
LITTLE = {"lightgbm": {}, "xgboost": {"min_child_weight": 1.0}, "catboost": {}}


@pytest.mark.parametrize(
    "recipe",
    [
        *(
            Recipe(name, PLAN, name, LITTLE[name], task=task, classes=classes, rounds=20)
            for name in ("lightgbm", "xgboost", "catboost")
            for task, classes in (("number", 0), ("count", 0), ("class", 2), ("class", 3))
        ),
        Blend(
            "both",
            (Recipe("a", PLAN, "lightgbm", rounds=9), Recipe("b", PLAN, "xgboost", rounds=9)),
            (0.3, 0.7),
        ),
    ],
    ids=lambda recipe: f"{recipe.name} {getattr(recipe, 'task', '')} {getattr(recipe, 'classes', '')}",
)
def test_models_answer_arrays_as_tables(recipe: Recipe | Blend) -> None:
    """Alone and among others, to the bit: unknown values, texts never met, wild numbers."""
    draw, count = np.random.default_rng(8), 300
    kinds = ["brick", "wood", "stone", "tin", None]
    frame = pl.DataFrame(
        {
            "area": np.where(draw.random(count) < 0.2, np.nan, draw.lognormal(3, 1, count)),
            "kind": draw.choice(np.array(kinds, dtype=object), count).tolist(),
            "floor": draw.integers(0, 9, count).astype(float),
        },
        schema_overrides={"kind": pl.String},
    ).with_columns(pl.col("area").fill_nan(None))
    label = frame["floor"] % (getattr(recipe, "classes", 0) or 9)
    model = fit(recipe, Table(frame, label))
    codes = model.codes()
    assert codes is not None
    asked = pl.concat([frame.head(40), frame.head(2).with_columns(kind=pl.lit("straw"), area=pl.Series([1e18, -5.0]))])
    coded = [float("nan") if one is None else codes["kind"].get(one, len(codes["kind"])) for one in asked["kind"]]
    numbers = asked.with_columns(kind=pl.Series(coded)).select(pl.all().fill_null(float("nan"))).to_numpy()
    told = model.predict(asked)
    assert np.array_equal(model.of_numbers(numbers), told)
    alone = np.concatenate([model.of_numbers(numbers[row : row + 1]) for row in range(len(numbers))])
    assert np.array_equal(alone, told)
    assert np.unique(told, axis=0).shape[0] > 5


def test_a_booster_is_asked_by_one_thread_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of one row and tables come from different threads: XGBoost breaks off where they meet."""
    draw = np.random.default_rng(3)
    frame = pl.DataFrame({name: draw.normal(size=200) for name in "abc"})
    model = fit(Recipe("xgboost", PLAN, "xgboost", LITTLE["xgboost"], rounds=20), Table(frame, frame["a"] * 2))
    assert isinstance(model, RecipeModel)
    inside, most = [0], [0]

    class Watched:
        """What was learnt, with a count of those who ask it at one time."""

        def __getattr__(self, name: str) -> Any:
            asked = getattr(model.fitted, name)
            if name not in {"predict", "of_numbers"}:
                return asked

            def ask(*given: Any) -> Any:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                told = asked(*given)
                inside[0] -= 1
                return told

            return ask

    watched = replace(model, fitted=Watched())
    numbers, told = frame.to_numpy(), model.predict(frame)
    with ThreadPoolExecutor(2) as pool:
        rows = [pool.submit(watched.of_numbers, numbers[:1]) for _ in range(40)]
        tables = [pool.submit(watched.predict, frame) for _ in range(40)]
        assert all(np.array_equal(one.result(), told[:1]) for one in rows)
        assert all(np.array_equal(one.result(), told) for one in tables)
    assert most == [1]


def test_what_a_model_may_not_tell_is_refused(flat_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of the answer is a refusal with its reason, whoever meets it."""

    def fail(*_: Any) -> Any:
        raise DataError("prediction of row 0 is nan")

    with standing(flat_desk, Settings(renew=0)) as client:
        monkeypatch.setattr(RecipeModel, "of_numbers", fail)
        for count in (1, 100):
            told = client.post("/invocations", json=flats(count).drop("id", "price").to_dicts())
            assert (told.status_code, told.json()["error"]["reason"]) == (422, "prediction of row 0 is nan")


def long(rows: list[dict[str, Any]], shape: str = "instances") -> bytes:
    """A body that is long enough to be read by the kinds of its columns."""
    body = json.dumps({shape: rows}, ensure_ascii=False, indent=8).encode()
    assert len(body) >= LONG
    return body


@pytest.mark.parametrize("shape", records.NAMES)
def test_a_long_body_is_answered_as_its_rows_are(flat_desk: Desk, shape: str) -> None:
    arrays = Arrays.of(flat_desk.standing)
    assert arrays is not None
    rows = [*flats(300).drop("id", "price").to_dicts(), *PLAIN]
    numbers = arrays.read(long(rows, shape), 1_000)
    assert numbers is not None
    assert arrays.tell(numbers) == tables(flat_desk.workspace, flat_desk.standing, rows)


PLAIN = [
    {"height": None, "kind": None, "floor": 3, "area": 2**53 + 1},
    {"height": -0.0, "kind": "wood", "floor": 1e16, "area": 0.1 + 0.2},
    {"height": 2**61 + 2**8 + 1, "kind": "stone", "floor": None, "area": 1e-320},
]
WRITTEN = {"content-type": bodies.JSON}
ODD = [
    {"area": True},
    {"area": "55.5"},
    {"area": -1},
    {"area": 10**400},
    {"area": 1e300},
    {"area": float("nan")},
    {"kind": "straw"},
    {"kind": "NA"},
    {"kind": 7},
    {"kind": ["brick"]},
    {"more": 1},
    {"Area": 50},
]


@pytest.mark.parametrize("odd", ODD)
def test_a_long_body_with_one_odd_row_is_left_to_others(flat_desk: Desk, odd: dict[str, Any]) -> None:
    arrays = Arrays.of(flat_desk.standing)
    assert arrays is not None
    rows = flats(300).drop("id", "price").to_dicts()
    assert arrays.read(long(rows), 1_000) is not None
    rows[200] |= odd
    assert arrays.read(long(rows), 1_000) is None


def test_a_long_body_of_another_form_is_left_to_others(flat_desk: Desk) -> None:
    arrays = Arrays.of(flat_desk.standing)
    assert arrays is not None
    rows = flats(300).drop("id", "price").to_dicts()
    body, more = long(rows), long(rows, "rows")
    others = {
        "cut": body[:-5],
        "a column less": long([{name: row[name] for name in ("area", "floor", "kind")} for row in rows]),
        "two forms": body[:-1] + b"," + more[1:],
        "a list": json.dumps(rows, indent=8).encode(),
        "no rows": b'{"instances": []' + b" " * LONG + b"}",
        "something beside": body[:-1] + b',"parameters":{}}',
        "no UTF-8": body.replace(b"brick", b"br\xffck"),
        "half a character": body.replace(b'"brick"', b'"\\ud800"'),
        "deep": b"[" * LONG,
        "another charset": body.decode().encode("utf-16"),
    }
    assert {name: arrays.read(other, 1_000) for name, other in others.items()} == dict.fromkeys(others)


def test_long_bodies_are_answered_over_http(flat_desk: Desk) -> None:
    """Byte for byte as tables answer, up to as many rows as one request may hold; odd rows get their reasons."""
    rows = flats(300).drop("id", "price").to_dicts()
    odd = [*rows[:299], rows[299] | {"floor": "many"}]
    with standing(flat_desk, Settings(limits=Limits(rows=300), renew=0)) as client:
        for asked in (rows, odd):
            told = client.post("/invocations", content=long(asked), headers=WRITTEN)
            assert told.status_code == 200
            assert told.content == tables(flat_desk.workspace, flat_desk.standing, asked)
        more = client.post("/invocations", content=long([*rows, rows[0]]), headers=WRITTEN)
        assert more.status_code == 413
        figures = client.get("/metrics").text
    assert 'asof_rows_total{outcome="answered"} 599.0' in figures


def test_columns_with_odd_names_are_left_to_others(tmp_path: Path) -> None:
    """Quotes and the like are no names that can be read by kinds; the server stands all the same."""
    named = flats(150).rename({"height": 'height "m"', "floor": "flo\\or"})
    folder = houses.make(tmp_path / "odd", FLATS, flats=named)
    asof.train(asof.open_project(str(folder)))
    desk = Desk(asof.open_project(str(folder)), "challenger")
    desk.open()
    rows = named.drop("id", "price").to_dicts() * 3
    with standing(desk, Settings(renew=0)) as client:
        told = client.post("/invocations", content=long(rows), headers=WRITTEN)
    assert told.content == tables(desk.workspace, desk.standing, rows)


@pytest.mark.parametrize(("count", "wide", "read"), [(4, 2, True), (5, 2, False), (4, 51, False)])
def test_long_bodies_are_neither_wide_nor_endless(count: int, wide: int, *, read: bool) -> None:
    """Where values come in another order each is looked for among all, so rows that are read so are narrow."""
    row = {f"x{at}": 0.5 for at in range(wide)}
    found = records.reader(dict.fromkeys(row, float))
    assert (found is not None) == (wide <= records.MOST_COLUMNS)
    body = json.dumps({"rows": [row] * count}).encode()
    assert (found is not None and found.read(body, 4) is not None) == read
