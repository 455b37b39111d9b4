"""Lookup ``around``, against a plain loop by its definition."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.flows import houses

import asof
from asof import lookups, panels, rows
from asof.data import UTC_TIME, Coverage, SourceTable
from asof.errors import DataError, ProjectError
from asof.ledgers import Past
from asof.lookups import points
from asof.panels import Panel
from asof.places import Places
from asof.specs import FeatureSpec
from asof.testing.lookups import exam
from asof.times import Step

FIRST = datetime(2021, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
PLACES = Places(
    ids=pl.Series("place", ["a", "b", "c"]),
    lat=pl.Series("lat", [47.5, 47.53, 60.0]),
    lon=pl.Series("lon", [-122.0, -122.05, 10.0]),
    kind="polygons",
)


def world(seed: int, count: int = 120, *, by_rows: bool = True, delay: int = 0, place: Any = ("lat", "lon")) -> Past:
    """Sales on a coarse grid, so that points and distances come twice; some late, some without point or price."""
    draw = np.random.default_rng(seed)
    sold = draw.integers(0, 60, count)
    late = np.where(draw.random(count) < 0.2, draw.integers(0, 30, count), 0)
    event = [FIRST + int(day) * DAY for day in sold]
    lost = draw.random((3, count)) < 0.08
    frame = pl.DataFrame(
        {
            "_key": [f"{number:05d}" for number in draw.permutation(count)],
            "_event": pl.Series(event, dtype=UTC_TIME),
            "_ended": pl.Series([moment + DAY for moment in event], dtype=UTC_TIME),
            "_available": pl.Series(
                [moment + (1 + delay + int(more)) * DAY for moment, more in zip(event, late, strict=True)],
                dtype=UTC_TIME,
            ),
            "_place": [("a", "b", "c")[number] for number in draw.integers(0, 3, count)],
            "lat": [None if no else 47.5 + 0.01 * n for no, n in zip(lost[0], draw.integers(0, 5, count), strict=True)],
            "lon": [
                None if no else -122.0 + 0.02 * n for no, n in zip(lost[1], draw.integers(0, 5, count), strict=True)
            ],
            "price": [None if no else float(n) for no, n in zip(lost[2], draw.integers(1, 500, count), strict=True)],
            "kind": ["house"] * count,
        }
    ).sort("_ended", "_available", "_key")
    frame = frame.with_columns(_first_seen="_available")
    whole = Coverage((FIRST,), (FIRST + 100 * DAY,))
    table = SourceTable("sales", frame, "UTC", delay * DAY, whole, place)
    panel = Panel(
        PLACES,
        Step.parse("1d"),
        "UTC",
        "sales",
        measure="value" if by_rows else "count",
        column="price" if by_rows else None,
        own=("lat", "lon", "kind") if by_rows else (),
    )
    return Past({"sales": table}, panel)


def asked(past: Past) -> pl.DataFrame:
    if past.panel.rows:
        return rows.questions(past.table("sales"), past.panel).drop("label", "known_at")
    return panels.questions(past.panel, FIRST + 5 * DAY, FIRST + 70 * DAY)


def make(past: Past, **options: Any) -> lookups.Lookup:
    return lookups.make(FeatureSpec(name="around", kind="around", options=options), past.panel)


def haversine(one: tuple[float, float], other: tuple[float, float]) -> float:
    (north, east), (up, right) = (tuple(map(math.radians, point)) for point in (one, other))
    part = math.sin((up - north) / 2) ** 2 + math.cos(north) * math.cos(up) * math.sin((right - east) / 2) ** 2
    return 2 * 6371.0088 * math.asin(math.sqrt(part))


def slow(past: Past, question: dict[str, Any], *, nearest: int, radius: float, window: int | None) -> dict[str, Any]:
    """By the definition, one row after the other."""
    here = PLACES.ids.to_list().index(question["place"]) if not past.panel.rows else None
    lat, lon = (
        (question["own.lat"], question["own.lon"]) if here is None else (PLACES.lat[here], PLACES.lon[here])  # type: ignore[index]
    )
    if lat is None or lon is None:
        return dict.fromkeys(("price_mean", "price_median", "price_weighted", "km", "rows"))
    near = []
    for row in past.table("sales").rows.iter_rows(named=True):
        if row["lat"] is None or row["lon"] is None or row["price"] is None:
            continue
        if row["_available"] > question["as_of"] or row["_key"] == question.get("unit"):
            continue
        if window is not None and row["_ended"] <= question["as_of"] - past.table("sales").delay - window * DAY:
            continue
        km = round(haversine((lat, lon), (row["lat"], row["lon"])), 6)
        if km <= radius:
            near.append((km, -row["_ended"].timestamp(), row["_key"], row["price"]))
    near = sorted(near)[:nearest]
    if not near:
        return {**dict.fromkeys(("price_mean", "price_median", "price_weighted", "km")), "rows": 0.0}
    prices, weights = [one[3] for one in near], [1 / (one[0] + 0.1) for one in near]
    return {
        "price_mean": sum(prices) / len(near),
        "price_median": median(prices),
        "price_weighted": sum(map(math.prod, zip(prices, weights, strict=True))) / sum(weights),
        "km": near[-1][0],
        "rows": float(len(near)),
    }


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    by_rows=st.booleans(),
    delay=st.integers(0, 3),
    nearest=st.sampled_from([1, 2, 7, 200]),
    radius=st.sampled_from([None, "300m", "1.2km", "5km", "30000km"]),
    window=st.sampled_from([None, 1, 20]),
    block=st.sampled_from([1, 4, 16, 512]),
    few=st.sampled_from([0, 100_000]),
)
def test_the_fast_way_is_the_slow_way(
    *, seed: int, by_rows: bool, delay: int, nearest: int, radius: str | None, window: int | None, block: int, few: int
) -> None:
    """Small blocks, and trees wherever they can be, read the same."""
    past = world(seed, by_rows=by_rows, delay=delay)
    questions = asked(past)[::3]
    lookup = make(past, nearest=nearest, radius=radius, window=None if window is None else f"{window}d", of=["price"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(points, "BLOCK", block)
        patch.setattr(points, "_FEW", few)
        made = lookup.read(questions, past)
    far = {None: math.inf, "300m": 0.3, "1.2km": 1.2, "5km": 5.0, "30000km": 30000.0}[radius]
    for row, question in zip(made.iter_rows(named=True), questions.iter_rows(named=True), strict=True):
        expected = slow(past, question, nearest=nearest, radius=far, window=window)
        near = {name: value if value is None else pytest.approx(value, 1e-9, 2e-6) for name, value in expected.items()}
        assert row == {f"around_{name}": value for name, value in near.items()}


@pytest.mark.parametrize("by_rows", [True, False])
def test_the_contract_of_lookups(by_rows: bool) -> None:  # noqa: FBT001 - a parameter of the test
    """Nothing later and no other question matters, to the bit."""
    past = world(3, 300, by_rows=by_rows)
    exam(make(past, nearest=5, radius="3km", window="30d", of=["price"]), asked(past), past)


def test_alone_and_in_a_batch_through_trees_the_answer_is_the_same_to_the_bit() -> None:
    past = world(4, 6000)
    scattered = past.table("sales").rows.with_columns(
        lat=47 + pl.int_range(pl.len()) * 0.618034 % 1, lon=-122 + pl.int_range(pl.len()) * 0.414214 % 1
    )
    past = Past(
        {"sales": SourceTable("sales", scattered, "UTC", 0 * DAY, past.table("sales").coverage, ("lat", "lon"))},
        past.panel,
    )
    questions, lookup = asked(past), make(past, nearest=9)
    batch = lookup.read(questions, past)
    for at in range(0, questions.height, 500):
        assert lookup.read(questions[at : at + 1], past).equals(batch[at : at + 1], null_equal=True)
    expected = slow(past, questions.row(5555, named=True), nearest=9, radius=math.inf, window=None)
    assert batch.row(5555, named=True) == {f"around_{name}": pytest.approx(value) for name, value in expected.items()}


def test_a_row_that_was_known_before_its_own_question_is_not_its_own_neighbour() -> None:
    past = world(5)
    early = past.table("sales").rows.with_columns(_available=pl.lit(FIRST).cast(UTC_TIME))
    past = Past(
        {"sales": SourceTable("sales", early, "UTC", 0 * DAY, past.table("sales").coverage, ("lat", "lon"))}, past.panel
    )
    made = make(past, nearest=1000).read(asked(past), past)
    whole = early.drop_nulls(["lat", "lon", "price"]).height
    row = asked(past).with_columns(made).join(early.select(unit="_key", price="price"), on="unit")
    there = row.drop_nulls(["own.lat", "own.lon"])
    assert set(there.filter(pl.col("price").is_not_null())["around_rows"]) == {whole - 1.0}
    assert set(there.filter(pl.col("price").is_null())["around_rows"]) == {float(whole)}


def test_without_rows_nothing_is_there() -> None:
    past = world(6)
    made = make(past).read(asked(past), past.known(FIRST - DAY))
    assert made["around_price_mean"].null_count() == made.height
    assert set(made["around_rows"].drop_nulls()) == {0.0}


def test_what_cannot_be_read_is_a_problem_at_its_setting() -> None:
    def problems(past: Past, **options: Any) -> list[str]:
        return [str(problem) for problem in make(past, **options).check(past)]

    past = world(7)
    assert problems(past) == []
    assert problems(past, source="sale") == ["features.around.source: no source 'sale'; did you mean 'sales'?"]
    assert problems(past, of=["kind", "prise"]) == [
        "features.around.of: sales.kind is String, not a number; state its type in checks:, or leave it out",
        "features.around.of: sales has no column 'prise'; did you mean 'price'?",
    ]
    assert problems(past, radius="5 miles", window="0d") == [
        "features.around.radius: expected a distance such as 5km or 300m, got '5 miles'",
        "features.around.window: 0d has no length; expected one such as 365d",
    ]
    assert problems(world(7, place="kind"))[0] == (
        "features.around.source: sales has no coordinates; say where its rows lie: `place: {lat: …, lon: …}`"
    )
    with pytest.raises(ProjectError, match=r"features\.around\.nearest: .*greater than or equal to 1"):
        make(past, nearest=0)


AROUND = """\
name: houses
sources:
  sales:
    files: sales.csv
    key: id
    time: {columns: [sold], zone: America/New_York}
    place: {lat: lat, lon: lon}
predict:
  value: sales.price
  per: {place: h3:6}
features: [around: {nearest: 5, radius: 5km, window: 365d}]
judge: {holdout: 28d, folds: 2, fold: 28d, metric: rmsle}
train: {budget: 0s, candidates: [linear], threads: 1}
"""


def test_a_project_with_it_passes_the_audit(tmp_path: Path) -> None:
    """Houses of a town lie together, so that neighbours tell the price; nothing of the future is read."""
    town = pl.col("town").str.slice(1).cast(pl.Float64)
    sales = houses.sales().with_columns(lat=40 + 0.02 * town, lon=-74 + 0.02 * town)
    folder = houses.make(tmp_path / "houses", AROUND, sales=sales)
    audit = asof.run(asof.open_project(str(folder)))["audit"]
    assert audit["passed"] == ["future", "fit", "parity", "split", "too good", "drift", "rerun"]


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ("radius: 5 miles", "features.around.radius: expected a distance such as 5km or 300m, got '5 miles'"),
        ("window: long", "features.around.window: expected a length of time such as 1h, 7d or 364d, got 'long'"),
        ("nearest: 0", "features.around.nearest: expected a whole number from 1 to 1000, got '0'"),
        ("source: sale", "features.around.source: there is no source 'sale'; did you mean sales? known are sales"),
    ],
)
def test_a_wrong_option_is_told_by_the_project_file(tmp_path: Path, options: str, fault: str) -> None:
    text = AROUND.replace("nearest: 5, radius: 5km, window: 365d", options)
    folder = houses.make(tmp_path, text, sales=houses.sales())
    with pytest.raises(ProjectError) as caught:
        asof.open_project(str(folder))
    assert fault in str(caught.value)


def test_more_rows_than_can_be_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """A distance and a row share one number: what does not fit is the user's to make smaller."""
    monkeypatch.setattr(points, "_ROW", 5)
    none = np.zeros(6, dtype=np.int64)
    with pytest.raises(DataError, match=r"6 rows with coordinates; expected at most 5, .*: make the source smaller"):
        points.Points(np.zeros((6, 3)), none, none, none)
