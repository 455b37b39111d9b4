"""Lookup ``history``: names, defaults, lags, and what it refuses. Its figures are held against the oracle elsewhere."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import labels, lookups, panels
from asof.data import Coverage
from asof.ledgers import Past
from asof.lookups.history import History
from asof.lookups.plans import shortest_lag
from asof.specs import FeatureSpec
from asof.testing.lookups import FIRST, World
from asof.times import Step, midnight


def history(past: Past, **options: Any) -> History:
    lookup = lookups.make(FeatureSpec(name="history", kind="history", options=options), past.panel)
    assert isinstance(lookup, History)
    return lookup


def problems(past: Past, **options: Any) -> list[str]:
    return [str(problem) for problem in history(past, **options).check(past)]


def test_defaults_suit_a_day_panel() -> None:
    world = World()
    past = world.past()
    lookup = history(past)
    names = lookup.read(world.questions(past), past).columns
    assert len(names) == 71
    assert names[:4] == ["crashes_mean_7d", "crashes_mean_14d", "crashes_mean_28d", "crashes_mean_56d"]
    assert {
        "crashes_same_weekday_364d",
        "crashes_ratio_28d_364d",
        "crashes_lag_7d",
        "crashes_days_since",
        "crashes_coarser_mean_7d",
        "crashes_coarser_lag_7d",
        "crashes_neighbours_mean_28d",
        "crashes_all_same_weekday_28d",
        "crashes_covered_364d",
    } <= set(names)
    assert lookup.reach == timedelta(days=364)


@pytest.mark.parametrize(
    ("every", "some"),
    [
        (
            "1h",
            {
                "crashes_mean_3h",
                "crashes_same_weekday_28d",
                "crashes_same_hour_28d",
                "crashes_lag_1h",
                "crashes_lag_7d",
            },
        ),
        ("1w", {"crashes_mean_4w", "crashes_lag_1w", "crashes_lag_52w", "crashes_ratio_13w_52w"}),
        ("1mo", {"crashes_mean_3mo", "crashes_lag_1mo", "crashes_lag_12mo"}),
    ],
)
def test_defaults_suit_other_periods(every: str, some: set[str]) -> None:
    world = World(every=every, days=90)
    past = world.past()
    assert some <= set(history(past).read(world.questions(past), past).columns)
    assert problems(past) == []


def test_what_is_off_is_not_there() -> None:
    world = World()
    past = world.past()
    off = history(past, windows=["7d"], lags=[], weekday=[], coarser=False, neighbours=False, all=False, since=False)
    assert off.read(world.questions(past), past).columns == ["crashes_mean_7d", "crashes_covered_7d"]


def test_lags_are_labels_as_they_were_known() -> None:
    world = World(late=0, hole=(8, 10))
    past = world.past()
    questions = panels.questions(past.panel, FIRST + timedelta(days=5), FIRST + timedelta(days=20))
    truth = labels.labels(questions, past)["label"]
    joined = questions.with_columns(truth=truth).select("place", "truth", seen=pl.col("start") + pl.duration(days=3))
    lagged = history(past, lags=["3d"]).read(questions, past)["crashes_lag_3d"]
    both = questions.with_columns(lag=lagged).join(joined, left_on=["place", "start"], right_on=["place", "seen"])
    assert both["lag"].equals(both["truth"], check_names=False)
    assert both["lag"].null_count() == 8
    assert both["lag"].sum() > 50


def test_lags_of_sums_and_means_are_their_labels() -> None:
    world = World(late=0, hole=None)
    past = world.past()
    for measure in ("sum", "mean"):
        other = Past(past.sources, replace(past.panel, measure=measure, column="cost"))
        questions = panels.questions(other.panel, FIRST + timedelta(days=5), FIRST + timedelta(days=20))
        truth = labels.labels(questions, other)["label"]
        seen = questions.with_columns(truth=truth).select("place", "truth", start=pl.col("start") + pl.duration(days=1))
        made = history(other, lags=["1d"]).read(questions, other)
        both = questions.with_columns(lag=made["crashes_lag_1d"]).join(seen, on=["place", "start"])
        assert (both["lag"] - both["truth"]).abs().max() < 1e-6
        assert both["lag"].null_count() == both["truth"].null_count()
        assert "crashes_cost_sum_7d" in made.columns


def test_means_over_a_hole_are_rates_over_what_is_covered() -> None:
    world = World(late=0, hole=(8, 10), rows=2000)
    past = world.past()
    made = history(past, windows=["4d", "5d"])
    questions = panels.questions(past.panel, FIRST + timedelta(days=10), FIRST + timedelta(days=12))
    answer = made.read(questions, past)
    rows = past.table("crashes").rows.filter(pl.col("_place") == "a", pl.col("_ended") <= FIRST + timedelta(days=8))
    four = rows.filter(pl.col("_ended") > FIRST + timedelta(days=6)).height
    assert answer["crashes_covered_4d"].to_list() == [0.5] * 4 + [0.5] * 4
    assert answer["crashes_mean_4d"][0] == four / 2
    early = panels.questions(past.panel, FIRST + timedelta(days=1), FIRST + timedelta(days=2))
    assert made.read(early, past)["crashes_mean_4d"].null_count() == 4
    assert made.read(early, past)["crashes_covered_4d"].to_list() == [0.25] * 4


def test_totals_and_means_of_a_column() -> None:
    world = World(late=0, hole=None)
    past = world.past()
    questions = panels.questions(past.panel, FIRST + timedelta(days=20), FIRST + timedelta(days=21))
    answer = history(past, windows=["7d"], of=["injured"]).read(questions, past)
    now = FIRST + timedelta(days=20)
    week = past.table("crashes").rows.filter(
        pl.col("_place") == "a", pl.col("_ended").is_between(now - timedelta(days=7), now, closed="right")
    )
    assert answer["crashes_injured_sum_7d"][0] == week["injured"].sum() / 7
    assert answer["crashes_injured_mean_7d"][0] == pytest.approx(week["injured"].mean())


def test_a_source_without_places_is_read_as_a_whole() -> None:
    world = World()
    past = world.past()
    lookup = history(past, source="weather", windows=["7d"], of=["wind"])
    names = lookup.read(world.questions(past), past).columns
    assert names == [
        "weather_all_mean_7d",
        *(f"weather_all_same_weekday_{window}" for window in ("28d", "91d", "182d", "364d")),
        "weather_all_wind_sum_7d",
        "weather_all_wind_mean_7d",
        *(f"weather_covered_{window}" for window in ("7d", "28d", "91d", "182d", "364d")),
    ]


def test_a_lag_not_yet_known_is_refused_with_the_shortest_legal_one() -> None:
    past = World(horizons=("1d", "7d"), delay=timedelta(days=1)).past()
    assert str(shortest_lag(past, "crashes")) == "9d"
    refused = "features.history.lags: a lag of 8d is not known in time: one period of 1d + horizon 7d + delay 1d; "
    assert problems(past, lags=["8d", "9d"]) == [refused + "the shortest legal lag is 9d"]
    hourly = World(every="1h", horizons=("90m",)).past()
    assert str(shortest_lag(hourly, "crashes")) == "3h"


def test_default_lags_are_legal_ones() -> None:
    past = World(horizons=("1d", "7d"), delay=timedelta(days=1)).past()
    assert history(past).plan.legal_lags(past) == ("9d", "14d", "21d", "28d", "364d")
    assert problems(past) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "crash"}, "features.history.source: no source 'crash'; did you mean 'crashes'?"),
        ({"windows": ["7 days"]}, "features.history.windows: '7 days' is no length of time: write a whole number and"),
        ({"windows": ["0d"]}, "features.history.windows: 0d has no length; expected at least 1d"),
        ({"weekday": ["30d"]}, "features.history.weekday: 30d: expected whole weeks, such as 28d"),
        ({"hour": ["28d"]}, "features.history.hour: periods of 1d have no hour; leave it out"),
        ({"ratios": [["7d", "8d"]]}, "features.history.ratios: 7d / 8d: both must be among windows: 7d, 14d"),
        ({"of": ["injurd"]}, "features.history.of: crashes has no column 'injurd'; did you mean 'injured'?"),
        ({"of": ["kind"]}, "features.history.of: crashes.kind is String, not a number"),
        ({"source": "weather", "lags": ["7d"]}, "features.history.lags: lags are labels of crashes; weather has none"),
    ],
)
def test_what_cannot_be_read_is_a_problem(options: dict[str, Any], message: str) -> None:
    found = problems(World().past(), **options)
    assert len(found) == 1
    assert found[0].startswith(message)


def test_other_periods_have_no_weekday_hour_or_lag_of_a_maximum() -> None:
    weekly = World(every="1w").past()
    assert problems(weekly, weekday=["28d"]) == [
        "features.history.weekday: periods of 1w have no weekday; leave it out"
    ]
    hourly = World(every="1h").past()
    assert problems(hourly, hour=["36h"])[0].startswith("features.history.hour: 36h: expected whole days")
    past = World().past()
    most = Past(past.sources, replace(past.panel, measure="max", column="cost"))
    assert problems(most, lags=["7d"])[0].startswith("features.history.lags: lags of a maximum cannot be read")
    assert history(most).plan.legal_lags(most) == ()


def test_places_without_neighbours_or_coarser_ones_are_a_problem_only_where_asked_for() -> None:
    past = World().past()
    bare = replace(past.panel, places=replace(past.panel.places, coarser=None, neighbours={}))
    other = Past(past.sources, bare)
    assert problems(other) == []
    assert [text.split(":")[0] for text in problems(other, coarser=True, neighbours=True)] == [
        "features.history.coarser",
        "features.history.neighbours",
    ]


def test_a_day_without_midnight_counts_as_one_day() -> None:
    # In Sao Paulo the 4th of November 2018 began at 01:00 and had 23 hours.
    zone = "America/Sao_Paulo"
    world = World(zone=zone, late=0, hole=None, first=midnight(date(2018, 10, 20), zone))
    past = world.past()
    begun = midnight(date(2018, 11, 5), zone)
    questions = panels.questions(past.panel, begun, begun + timedelta(days=1))
    answer = history(past, windows=["1d"], lags=["1d"]).read(questions, past)
    low = midnight(date(2018, 11, 4), zone)
    counted = past.table("crashes").rows.filter(pl.col("_ended") > low, pl.col("_ended") <= begun)
    assert begun - low == timedelta(hours=23)
    assert answer["crashes_mean_1d"][0] == answer["crashes_lag_1d"][0] == counted.filter(pl.col("_place") == "a").height
    assert answer["crashes_all_mean_1d"][0] == counted["_place"].is_not_null().sum()


def test_an_empty_source_is_zeros_where_covered() -> None:
    past = World(rows=0, hole=None).past()
    questions = World(rows=0).questions(past)
    answer = history(past).read(questions, past)
    assert answer["crashes_mean_7d"].to_list() == [0.0] * questions.height
    assert answer["crashes_days_since"].null_count() == questions.height
    assert np.isclose(answer["crashes_covered_7d"].to_numpy(), 1).all()


def test_no_coverage_is_unknown() -> None:
    past = World().past()
    table = replace(past.table("crashes"), coverage=Coverage((), ()))
    other = Past({"crashes": table}, past.panel)
    answer = history(other).read(World().questions(past), other)
    assert answer["crashes_mean_7d"].null_count() == answer.height
    assert answer["crashes_covered_7d"].sum() == 0


def test_steps_of_the_panel_are_what_rates_are_counted_in() -> None:
    world = World(every="2d", late=0, hole=None)
    past = world.past()
    questions = panels.questions(past.panel, FIRST + timedelta(days=18), FIRST + timedelta(days=21))
    answer = history(past, windows=["8d"], weekday=[], lags=[str(shortest_lag(past, "crashes"))]).read(questions, past)
    now = questions["as_of"][0]
    rows = past.table("crashes").rows.filter(
        pl.col("_place") == "a", pl.col("_ended") <= now, pl.col("_ended") > now - timedelta(days=8)
    )
    assert past.panel.every == Step(2, "d")
    assert answer["crashes_mean_8d"][0] == rows.height / 4
