"""Distinct values as a label: a value counts once a place and period, from the row on that told it first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof import labels, lookups, panels
from asof.ledgers import Past
from asof.specs import FeatureSpec
from asof.testing.lookups import World, exam
from asof.testing.oracle import Oracle, Row, period_of, rows_of, window

worlds = st.builds(
    World,
    seed=st.integers(0, 10_000),
    zone=st.sampled_from(["America/New_York", "UTC"]),
    first=st.just(datetime(2018, 10, 20, 4, tzinfo=UTC)),
    horizons=st.sampled_from([("0h",), ("1d", "3d")]),
    delay=st.sampled_from([timedelta(0), timedelta(hours=1), timedelta(days=1)]),
    late=st.sampled_from([0.0, 0.3, 1.0]),
    rows=st.sampled_from([1, 60, 400]),
    hole=st.sampled_from([None, (8, 10)]),
)
DAYS = {"windows": ["2d", "7d"], "weekday": ["14d"], "lags": ["14d"], "since": False}
HOURS = {"windows": ["3h", "2d"], "weekday": ["7d"], "hour": [], "lags": ["5d"], "since": False}


def past_of(world: World, column: str = "injured") -> Past:
    past = world.past()
    return Past(past.sources, replace(past.panel, measure="distinct", column=column))


def lookup(past: Past, **options: Any) -> lookups.Lookup:
    return lookups.make(FeatureSpec(name="history", kind="history", options=options), past.panel)


def told(past: Past) -> list[tuple[Row, Any]]:
    table = past.table("crashes")
    return list(zip(rows_of(table), table.rows[past.panel.column or ""], strict=True))


class Slow(Oracle):
    """The oracle, on the rows that told a value first in their place and period, found one by one."""

    def __init__(self, past: Past) -> None:
        super().__init__(past.table("crashes"), past.panel)
        first: dict[tuple[Any, ...], Row] = {}
        for row, value in told(past):
            if row.place is None or value is None:
                continue
            period = period_of(row.ended - timedelta(microseconds=1), past.panel.every, self.zone)
            known = first.get((value, row.place, period))
            if known is None or row.available < known.available:
                first[value, row.place, period] = row
        kept = first.values()
        self.rows = [row for row in kept if any(low < row.ended <= high for low, high in self.stretches)]


@given(world=worlds, hours=st.booleans())
@settings(max_examples=25, deadline=None)
def test_histories_of_distinct_values_agree_with_the_slow_oracle(world: World, hours: bool) -> None:  # noqa: FBT001
    past = past_of(replace(world, every="6h") if hours else world)
    options: dict[str, Any] = HOURS if hours else DAYS
    questions = world.questions(past)
    questions = questions[np.random.default_rng(world.seed).permutation(questions.height)[:6]]
    answers = lookups.features(questions, [lookup(past, **options)], past)
    slow, slot = Slow(past), "weekday hour" if hours else "weekday"
    for question, answer in zip(questions.to_dicts(), answers.to_dicts(), strict=True):
        for by, prefix in (("place", ""), ("coarser", "coarser_"), ("neighbours", "neighbours_"), ("all", "all_")):
            for length in options["windows"]:
                same(answer[f"crashes_{prefix}mean_{length}"], *slow.mean(question, by, length))
            if by == "neighbours":
                continue
            for length in options["weekday"]:
                same(answer[f"crashes_{prefix}same_weekday_{length}"], *slow.mean(question, by, length, slot))
            for length in options["lags"]:
                assert answer[f"crashes_{prefix}lag_{length}"] == slow.lag(question, by, length)


def same(fast: float | None, slow: float | None, margin: float) -> None:
    if abs(margin) > 1e-9:  # on the edge of half covered, rounding may decide
        assert fast == (None if slow is None else pytest.approx(slow, rel=1e-12))


@given(world=worlds)
@settings(max_examples=20, deadline=None)
def test_labels_are_the_values_of_the_period_known_when_the_last_was_first_seen(world: World) -> None:
    past = past_of(world, column="kind")
    questions = world.questions(past)[:36]  # the last day ends an hour after the coverage where clocks went back
    found = questions.hstack(labels.labels(questions, past))
    rows = told(past)
    for question in found.to_dicts():
        seen: dict[str, datetime] = {}
        for row, value in rows:
            if row.place == question["place"] and question["start"] < row.ended <= question["end"]:
                seen[value] = min(row.available, seen.get(value, row.available))
        assert question["label"] == len(seen)
        assert question["known_at"] >= max(seen.values(), default=question["end"])


def test_a_value_without_a_name_is_not_counted_and_text_counts_as_numbers_do() -> None:
    past = past_of(World(late=0, hole=None), column="kind")
    rows = past.table("crashes").rows
    emptied = rows.with_columns(kind=pl.when(pl.col("kind") != "bike").then("kind"))
    other = Past({"crashes": replace(past.table("crashes"), rows=emptied)}, past.panel)
    questions = World().questions(past)
    both, one = (labels.labels(questions, each)["label"] for each in (past, other))
    assert both.max() == 2
    assert one.max() == 1
    day = questions["start"][0]
    mine = rows.filter(
        pl.col("_place") == "a", pl.col("_ended").is_between(day, day + timedelta(days=1), closed="right")
    )
    assert both[0] == mine["kind"].n_unique()


def test_lags_are_the_labels_as_they_were_known() -> None:
    world = World(late=0, hole=None, rows=2000)
    past = past_of(world)
    questions = panels.questions(past.panel, world.first + timedelta(days=5), world.first + timedelta(days=20))
    truth = questions.select("place", seen=pl.col("start") + pl.duration(days=3)).hstack(labels.labels(questions, past))
    lagged = questions.hstack(lookup(past, lags=["3d"]).read(questions, past).select("crashes_lag_3d"))
    both = lagged.join(truth, left_on=["place", "start"], right_on=["place", "seen"])
    assert both["crashes_lag_3d"].equals(both["label"], check_names=False)
    assert both["label"].mean() == pytest.approx(3.9, abs=0.1)  # 13 rows a day and place: 4 * (1 - 0.75**13)


@pytest.mark.parametrize("every", ["1d", "6h"])
@pytest.mark.parametrize("own", [True, False])
def test_it_passes_the_exam_of_a_lookup(every: str, own: bool) -> None:  # noqa: FBT001
    world = World(every=every, horizons=("0h", "1d"), delay=timedelta(hours=1), late=0.4)
    past = past_of(world)
    exam(lookup(past, own=own), world.questions(past), past)


@given(world=worlds, measure=st.sampled_from(["count", "distinct"]))
@settings(max_examples=15, deadline=None)
def test_without_its_own_rows_a_place_is_told_of_by_the_others_alone(world: World, measure: str) -> None:
    past = past_of(world)
    past = Past(past.sources, replace(past.panel, measure=measure, column="injured" if measure == "distinct" else None))
    questions = world.questions(past)
    questions = questions[np.random.default_rng(world.seed).permutation(questions.height)[:6]]
    options: dict[str, Any] = {"windows": ["7d"], "weekday": ["14d"], "lags": ["14d"]}
    apart = lookups.features(questions, [lookup(past, own=False, **options)], past)
    assert not {"crashes_mean_7d", "crashes_days_since", "crashes_lag_14d"} & set(apart.columns)
    slow = Slow(past) if measure == "distinct" else Oracle(past.table("crashes"), past.panel)
    for question, answer in zip(questions.to_dicts(), apart.to_dicts(), strict=True):
        others = [row for row in slow.rows if row.place != question["place"]]
        alone = Slow(past) if measure == "distinct" else Oracle(past.table("crashes"), past.panel)
        alone.rows = others
        for by in ("coarser", "all"):
            same(answer[f"crashes_{by}_mean_7d"], *alone.mean(question, by, "7d"))
            same(answer[f"crashes_{by}_same_weekday_14d"], *alone.mean(question, by, "14d", "weekday"))
            assert answer[f"crashes_{by}_lag_14d"] == alone.lag(question, by, "14d")


def test_the_oracle_itself_counts_by_hand() -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [Row("a", moment, moment), Row("b", moment, moment)]
    assert window(rows, ["a"], moment - timedelta(1), moment, moment).count == 1
