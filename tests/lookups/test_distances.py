"""Lookups ``distances`` and ``trips``, against plain loops by their definitions."""

import math
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof import lookups, panels
from asof.data import UTC_TIME, Coverage, SourceTable
from asof.errors import ProjectError
from asof.ledgers import Past
from asof.lookups import base
from asof.panels import Panel
from asof.places import Places
from asof.specs import FeatureSpec
from asof.testing.lookups import FIRST, exam
from asof.times import Step

HOUR = timedelta(hours=1)
PLACES = Places(
    ids=pl.Series("place", ["a", "b", "c"]),
    lat=pl.Series("lat", [50.40, 50.45, 50.50]),
    lon=pl.Series("lon", [-104.6, -104.7, 179.9]),
    neighbours={"a": ("b",), "b": ("a", "c"), "c": ("b",)},
    kind="polygons",
)
EARTH = 6371.0088


def world(seed: int = 0, *, rows: int = 80, own: bool = False, apart: bool = False) -> Past:
    """Orders in three places over two days, each from one of a few shops, told late now and then."""
    draw = np.random.default_rng(seed)
    minutes = draw.integers(0, 48 * 60, rows) // 20 * 20
    late = np.where(draw.random(rows) < 0.3, draw.integers(0, 900, rows), 0)
    shop = draw.integers(0, 9, rows)
    ended = [FIRST + timedelta(minutes=int(minute)) for minute in minutes]
    frame = pl.DataFrame(
        {
            "_key": [f"{number:04d}" for number in draw.permutation(rows)],
            "_ended": pl.Series(ended, dtype=UTC_TIME),
            "_available": pl.Series(
                [moment + timedelta(minutes=int(more)) for moment, more in zip(ended, late, strict=True)],
                dtype=UTC_TIME,
            ),
            "_place": [("a", "b", "c", None)[number] for number in draw.integers(0, 4, rows)],
            "lat": np.round(50.4 + draw.random(rows) / 10, 3),
            "lon": np.round(-104.7 + draw.random(rows) / 10, 3),
            "shop": [f"s{number}" for number in shop],
            "shop_lat": [None if lost else 50.41 + 0.01 * number for lost, number in zip(shop == 8, shop, strict=True)],
            "shop_lon": -104.65 + 0.007 * shop,
        },
        schema_overrides={"_place": pl.String, "shop_lat": pl.Float64},
    )
    frame = frame.with_columns(_event=pl.col("_ended") - HOUR, _first_seen=pl.col("_available"))
    cover = Coverage((FIRST,), (FIRST + 50 * HOUR,))
    kept = frame.sort("_ended", "_available", "_key")
    orders = SourceTable("orders", kept, "UTC", timedelta(0), cover, place=("lat", "lon"))
    shops = SourceTable("shops", kept, "UTC", timedelta(0), cover, place=("shop_lat", "shop_lon"))
    measure: dict[str, Any] = {"measure": "value", "column": "lat", "own": ("lat", "lon", "shop_lat", "shop_lon")}
    panel = Panel(PLACES, Step.parse("6h"), "UTC", "orders", apart=apart, **(measure if own else {}))
    return Past({"orders": orders, "shops": shops}, panel)


def asked(past: Past) -> pl.DataFrame:
    return panels.questions(past.panel, FIRST, FIRST + 48 * HOUR)


def make(past: Past, kind: str, **options: Any) -> lookups.Lookup:
    return lookups.make(FeatureSpec(name="shops", kind=kind, options=options), past.panel)  # type: ignore[arg-type]


def haversine(lat: float, lon: float, to_lat: float, to_lon: float) -> float:
    one, other = math.radians(lat), math.radians(to_lat)
    half = math.sin((other - one) / 2) ** 2
    half += math.cos(one) * math.cos(other) * math.sin(math.radians(to_lon - lon) / 2) ** 2
    return 2 * EARTH * math.asin(math.sqrt(half))


def known_shops(past: Past, as_of: datetime, by: str) -> dict[str, dict[str, Any]]:
    """First row known of each shop."""
    found: dict[str, dict[str, Any]] = {}
    rows = past.table("shops").rows.with_row_index("row").sort("_available", "row").to_dicts()
    for row in rows:
        if row["_available"] <= as_of and row["shop_lat"] is not None:
            found.setdefault(row["shop"] if by else f"{row['shop_lat']:.4f} {row['shop_lon']:.4f}", row)
    return found


@given(seed=st.integers(0, 10_000), by=st.sampled_from([(), ("shop",)]), rows=st.sampled_from([1, 12, 80]))
@settings(max_examples=25, deadline=None)
def test_distances_are_those_of_the_points_known(seed: int, by: tuple[str, ...], rows: int) -> None:
    past = world(seed, rows=rows)
    questions = asked(past)
    answers = make(past, "distances", distances="shops", by=by, flat=True).read(questions, past)
    spots = dict(zip(PLACES.ids, zip(PLACES.lat, PLACES.lon, strict=True), strict=True))  # type: ignore[arg-type]
    for question, answer in zip(questions.to_dicts(), answers.to_dicts(), strict=True):
        shops = list(known_shops(past, question["as_of"], "shop" if by else "").values())
        lat, lon = spots[question["place"]]
        far = [haversine(lat, lon, row["shop_lat"], row["shop_lon"]) for row in shops]
        assert answer["shops_nearest_km"] == (pytest.approx(min(far), abs=1e-5) if far else None)
        assert answer["shops_mean_km"] == (pytest.approx(sum(far) / len(far), abs=1e-5) if far else None)
        # Within a city a plane is right to a thousandth; the third place lies on the other side of the earth.
        if far and question["place"] != "c":
            assert answer["shops_nearest_flat_km"] == pytest.approx(min(far), rel=2e-3)
            assert answer["shops_mean_flat_km"] == pytest.approx(sum(far) / len(far), rel=2e-3)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_point_counts_once_in_the_place_where_it_was_known_first(seed: int) -> None:
    past = world(seed)
    questions = asked(past)
    answers = make(past, "distances", distances="shops", by=("shop",)).read(questions, past)
    rows = past.table("shops").rows.filter(pl.col("_place").is_not_null()).with_row_index("row")
    for question, answer in zip(questions.to_dicts(), answers.to_dicts(), strict=True):
        first: dict[str, str] = {}
        for row in rows.sort("_available", "row").to_dicts():
            if row["_available"] <= question["as_of"]:
                first.setdefault(row["shop"], row["_place"])
        where = list(first.values())
        assert answer["shops_here"] == where.count(question["place"])
        assert answer["shops_around"] == sum(where.count(other) for other in PLACES.neighbours[question["place"]])


def test_the_shorter_way_round_the_earth_is_flat_too() -> None:
    past = world(rows=1)
    table = past.table("shops")
    rows = table.rows.with_columns(
        shop_lat=pl.lit(50.5), shop_lon=pl.lit(-179.9), _available=pl.lit(FIRST).cast(UTC_TIME)
    )
    moved = Past(
        {
            "orders": past.table("orders"),
            "shops": SourceTable("shops", rows, "UTC", timedelta(0), table.coverage, table.place),
        },
        past.panel,
    )
    found = make(moved, "distances", distances="shops", flat=True).read(asked(moved), moved)
    far = found.filter(asked(moved)["place"] == "c")["shops_nearest_flat_km"][-1]
    assert far == pytest.approx(0.2 * math.cos(math.radians(50.5)) * math.radians(1) * EARTH, abs=1e-3)
    assert found.filter(asked(moved)["place"] == "c")["shops_nearest_km"][-1] == pytest.approx(far, rel=1e-4)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_trips_are_means_over_the_rows_of_a_window(seed: int) -> None:
    past = world(seed)
    questions = asked(past)
    answers = make(past, "trips", trips="orders", to=("shop_lat", "shop_lon"), windows=("6h", "1d")).read(
        questions, past
    )
    rows = [row for row in past.table("orders").rows.to_dicts() if row["_place"] and row["shop_lat"] is not None]
    for question, answer in zip(questions.to_dicts(), answers.to_dicts(), strict=True):
        here = question["place"]
        levels = {"": [here], "neighbours_": list(PLACES.neighbours[here]), "all_": ["a", "b", "c"]}
        for prefix, where in levels.items():
            for text, length in (("6h", 6 * HOUR), ("1d", 24 * HOUR)):
                low, high = question["as_of"] - length, question["as_of"]
                far = [
                    haversine(row["lat"], row["lon"], row["shop_lat"], row["shop_lon"])
                    for row in rows
                    if row["_place"] in where and low < row["_ended"] <= high and row["_available"] <= high
                ]
                wanted = pytest.approx(sum(far) / len(far), abs=1e-5) if far else None
                assert answer[f"shops_{prefix}km_{text}"] == wanted


def test_where_places_are_held_out_no_row_of_the_place_itself_is_read() -> None:
    past = world(apart=True)
    columns = make(past, "trips", trips="orders", to=("shop_lat", "shop_lon")).read(asked(past), past).columns
    assert columns == ["shops_neighbours_km_1d", "shops_neighbours_km_28d"]


def test_a_row_knows_its_own_trip() -> None:
    past = world(own=True)
    rows = past.table("orders").rows
    named = {base.OWN + name: rows[name] for name in past.panel.own}
    questions = pl.DataFrame(
        {"place": rows["_place"], "start": rows["_event"], "end": rows["_ended"], "as_of": rows["_event"], **named}
    ).with_columns(horizon=pl.lit("0h"), unit=rows["_key"])
    told = make(past, "trips", trips="orders", to=("shop_lat", "shop_lon")).read(questions, past)["shops_km"]
    for far, row in zip(told, rows.to_dicts(), strict=True):
        there = row["shop_lat"] is not None
        wanted = haversine(row["lat"], row["lon"], row["shop_lat"], row["shop_lon"]) if there else None
        assert far == (pytest.approx(wanted, abs=1e-6) if there else None)
    assert 0 < told.null_count() < 20


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("distances", {"distances": "shops", "flat": True}),
        ("distances", {"distances": "shops", "by": ("shop",)}),
        ("trips", {"trips": "orders", "to": ("shop_lat", "shop_lon"), "windows": ("6h", "1d")}),
    ],
)
def test_they_pass_the_exam_of_a_lookup(kind: str, options: dict[str, Any]) -> None:
    past = world(3)
    exam(make(past, kind, **options), asked(past), past)


def test_what_cannot_be_read_is_told_at_once() -> None:
    past = world()
    told = {
        "features.shops.distances: no source 'shop'; did you mean 'shops'?": make(past, "distances", distances="shop"),
        "features.shops.by: no column 'name'": make(past, "distances", distances="shops", by=("name",)),
        "features.shops.trips: no source 'order'; did you mean 'orders'?": make(
            past, "trips", trips="order", to=("lat", "lon")
        ),
        "features.shops.to: no column of numbers 'shop'": make(past, "trips", trips="orders", to=("lat", "shop")),
        "features.shops.windows: 0d has no length": make(
            past, "trips", trips="orders", to=("lat", "lon"), windows=("0d",)
        ),
    }
    for words, lookup in told.items():
        assert str(lookup.check(past)[0]).startswith(words)
    with pytest.raises(ProjectError, match="did you mean 'decimals'"):
        make(past, "distances", distances="shops", decimal=3)
