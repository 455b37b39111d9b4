"""History features against the slow oracle: ties, late rows, holes, zones, delays, horizons."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof import lookups
from asof.specs import FeatureSpec
from asof.testing.lookups import World
from asof.testing.oracle import Oracle

DAYS = {"windows": ["2d", "7d", "14d"], "weekday": ["7d", "14d"], "lags": ["14d", "15d"]}
HOURS = {"windows": ["3h", "2d"], "weekday": ["7d"], "hour": [], "lags": ["5d", "50h"]}
BEGINNINGS = {
    "America/New_York": datetime(2018, 10, 20, 4, tzinfo=UTC),  # clocks go back on the 16th day
    "America/Sao_Paulo": datetime(2018, 10, 20, 3, tzinfo=UTC),  # there is no midnight on the 16th day
    "Australia/Lord_Howe": datetime(2019, 3, 19, 13, tzinfo=UTC),  # clocks go back half an hour on the 19th day
    "UTC": datetime(2019, 1, 1, tzinfo=UTC),
}
worlds = st.builds(
    lambda zone, **options: World(zone=zone, first=BEGINNINGS[zone], **options),
    zone=st.sampled_from(sorted(BEGINNINGS)),
    seed=st.integers(0, 10_000),
    horizons=st.sampled_from([("0h",), ("1d", "3d"), ("30m", "36h")]),
    delay=st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=1), timedelta(hours=36)]),
    late=st.sampled_from([0.0, 0.3, 1.0]),
    rows=st.sampled_from([0, 1, 60, 300]),
    hole=st.sampled_from([None, (8, 10), (13, 24)]),
)


def agree(world: World, options: dict[str, object], slot: str, asked: int) -> None:
    past = world.past()
    questions = world.questions(past)
    drawn = np.random.default_rng(world.seed).permutation(questions.height)[:asked]
    questions = questions[drawn]
    history = lookups.make(FeatureSpec(name="history", kind="history", options=options), past.panel)
    answers = lookups.features(questions, [history], past)
    slow = Oracle(past.table("crashes"), past.panel)
    for question, answer in zip(questions.to_dicts(), answers.to_dicts(), strict=True):
        for by, prefix in (("place", ""), ("coarser", "coarser_"), ("neighbours", "neighbours_"), ("all", "all_")):
            for window in options["windows"]:
                near(answer[f"crashes_{prefix}mean_{window}"], *slow.mean(question, by, window))
            if by == "neighbours":
                continue
            for window in options["weekday"]:
                near(answer[f"crashes_{prefix}same_weekday_{window}"], *slow.mean(question, by, window, slot))
            for lag in options["lags"]:
                assert answer[f"crashes_{prefix}lag_{lag}"] == slow.lag(question, by, lag)
        assert answer["crashes_days_since"] == slow.days_since(question)


def near(fast: float | None, slow: float | None, margin: float) -> None:
    if abs(margin) > 1e-9:  # on the edge of half covered, rounding may decide
        assert fast == (None if slow is None else pytest.approx(slow, rel=1e-12))


@given(worlds)
@settings(deadline=None, max_examples=25)
def test_daily_history_is_that_of_the_definition(world: World) -> None:
    agree(world, DAYS, "weekday", 4)


@given(worlds)
@settings(deadline=None, max_examples=10)
def test_hourly_history_is_that_of_the_definition(world: World) -> None:
    from dataclasses import replace

    agree(replace(world, every="1h"), HOURS, "weekday hour", 3)
