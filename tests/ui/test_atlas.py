"""What the map shows: means of places, errors and shares, and the colours that stand for them."""

import json
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from asof.ui import atlas, colours, decks
from asof.ui import map as view
from asof.ui.atlas import Atlas

FIRST = datetime(2021, 3, 1, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[0, 0], [2, 0], [2, 1], [0, 1], [0, 0]]]}


def made() -> Atlas:
    """Two places over two days at two horizons; the second place has no label on the second day."""
    rows = [
        # place, day, horizon, prediction, low, high, label, outside
        ("a", 0, "1d", 2.0, 0.0, 4.0, 3.0, False),
        ("a", 1, "1d", 4.0, 1.0, 6.0, 8.0, True),
        ("a", 0, "2d", 9.0, 1.0, 9.5, 3.0, False),
        ("b", 0, "1d", 1.0, 0.0, 2.0, 1.0, False),
        ("b", 1, "1d", 1.0, 0.0, 2.0, None, False),
    ]
    names = ["place", "day", "horizon", "prediction", "low", "high", "label", "outside"]
    frame = pl.DataFrame(rows, schema=names, orient="row")
    cases = frame.select(
        "place",
        name=pl.format("Area {}", "place"),
        lat=pl.lit(0.5),
        lon=pl.lit(1.0),
        start=pl.lit(FIRST) + pl.col("day") * timedelta(days=1),
        horizon="horizon",
        prediction="prediction",
        low="low",
        high="high",
        label="label",
        error=pl.col("prediction") - pl.col("label"),
        held=pl.col("label").is_between("low", "high"),
        outside="outside",
    )
    return Atlas(cases, {"a": SQUARE}, "UTC")


def test_all_periods_are_means_by_place() -> None:
    told = atlas.at(made(), horizon="1d")
    assert told.select("place", "prediction", "label", "error", "size", "held", "outside", "rows").rows() == [
        ("a", 3.0, 5.5, -2.5, 2.5, 0.5, 0.5, 2),
        ("b", 1.0, 1.0, 0.0, 0.0, 1.0, 0.0, 2),
    ]
    assert told["low"].null_count() == 2, "an interval belongs to one question"


def test_one_period_keeps_the_interval_of_each_question() -> None:
    told = atlas.at(made(), horizon="1d", period=FIRST)
    assert told.select("place", "low", "high", "rows").rows() == [("a", 0.0, 4.0, 1), ("b", 0.0, 2.0, 1)]
    assert view.told(told)[0] == "Area a\npredicted 2.00 (0 to 4)\ncame 3.00\nerror −1.00"


def test_figures_of_all_places_weigh_each_question_alike() -> None:
    told = {name: value for name, value, _ in atlas.summary(atlas.at(made(), horizon="1d"))}
    assert told == {
        "Predicted": "2.00",
        "Came": "4.00",
        "Typical error": "1.67",
        "Within the interval": "66.7 %",
        "Outside what was seen": "25.0 %",
    }


def test_horizons_and_periods_are_in_order() -> None:
    shown = made()
    assert shown.horizons == ["1d", "2d"]
    assert shown.periods == [FIRST, FIRST + timedelta(days=1)]
    assert shown.figures == ["prediction", "label", "error", "held", "outside"]
    assert atlas.of_place(shown, "a", "1d")["prediction"].to_list() == [2.0, 4.0]


def test_colours_say_what_the_legend_says() -> None:
    painted = colours.levels(pl.Series([1.0, 2.0, 3.0, None]))
    assert [meaning for _, meaning in painted.legend] == ["1.00 to 1.70", "1.70 to 2.30", "2.30 to 3.00", "unknown"]
    assert painted.colours == [shade for shade, _ in painted.legend]
    signed = colours.differences(pl.Series([-11.0, 0.0, 11.0, *[5.0] * 20]))
    assert signed.colours[:3] == [colours.SIGNED[0], colours.SIGNED[3], colours.SIGNED[6]]
    assert signed.legend[0][1] == "below −5.00"
    assert signed.legend[-1][1] == "above +5.00"
    one = atlas.at(made(), horizon="1d", period=FIRST + timedelta(days=1))
    assert view.paint(one, "held").colours == [colours.BAD, colours.UNKNOWN]
    assert view.paint(one, "outside").colours == [colours.BAD, colours.GOOD]
    assert view.paint(atlas.at(made(), horizon="1d"), "held").legend[0] == (colours.RISING[6], "0 to 20 %")


def test_a_map_looks_at_all_places_and_draws_those_without_an_outline_as_points() -> None:
    seen = decks.look([], {"a": SQUARE}, drawn=[True])
    assert (seen.lat, seen.lon) == (pytest.approx(0.5, abs=1e-3), pytest.approx(1.0))
    world = 512 * 2**seen.zoom  # pixels of all longitudes
    assert world * 2 / 360 == pytest.approx(decks.ACROSS)
    frame = atlas.at(made(), horizon="1d")
    drawn = decks.deck(frame, {"a": SQUARE}, ["#ffffff", "#000000"], ["one", "two"], line=[(0, 0), (1, 1)], picked="a")
    assert [layer.type for layer in drawn.layers] == [
        "GeoJsonLayer",
        "ScatterplotLayer",
        "PathLayer",
        "ScatterplotLayer",
    ]
    assert drawn.map_provider is None, "no map beneath is fetched"


def test_outlines_are_not_looked_for_under_the_mouse_and_nothing_is_drawn_anew_while_it_moves() -> None:
    """Else a click on a city of thousands of edges comes too late to count, where maps are drawn without a card."""
    frame = atlas.at(made(), horizon="1d")
    told = decks.deck(frame, {"a": SQUARE}, ["#ffffff", "#000000"], ["one", "two"])
    areas, points = json.loads(told.to_json())["layers"]
    assert areas["_subLayerProps"] == {"polygons-stroke": {"pickable": False}}
    assert areas["pickable"]
    assert points["pickable"]
    assert not areas.get("autoHighlight")
    assert not points.get("autoHighlight")


def test_the_share_outside_weighs_each_question_alike() -> None:
    assert atlas.share_outside(atlas.at(made(), horizon="1d")) == 0.25
