"""Outlook: the interval holds the score of the stretch that follows, and says what it has not seen."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from asof.errors import DataError
from asof.evaluation import Bootstrap, Outlook, ahead, score
from asof.metrics import METRICS

FEW = Bootstrap(draws=100)
NONE = Bootstrap(draws=2)
STRETCH = 28


def errors(stretches: int, seed: int, *, moves: float, memory: float = 0.9, places: int = 5) -> pl.DataFrame:
    """Labels about predictions of 0: their spread moves by ``moves`` (a standard deviation of its log, day by day)."""
    random = np.random.default_rng(seed)
    days = stretches * STRETCH
    level = np.empty(days)
    level[0] = random.normal()
    for day in range(1, days):
        level[day] = memory * level[day - 1] + math.sqrt(1 - memory**2) * random.normal()
    label = np.exp(moves * level)[:, None] * random.normal(size=(days, places))
    start = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(days) for _ in range(places)]
    place = [f"p{place}" for place in range(places)] * days
    return pl.DataFrame({"start": start, "place": place, "label": label.ravel(), "prediction": np.zeros(label.size)})


def stretch(answers: pl.DataFrame, first: int, until: int) -> pl.DataFrame:
    day = (pl.col("start") - pl.col("start").min()).dt.total_days()
    return answers.filter((day >= first * STRETCH) & (day < until * STRETCH))


def looked(answers: pl.DataFrame, metric: str = "rmse", level: float = 0.95) -> Outlook:
    return ahead(stretch(answers, 4, 5), stretch(answers, 0, 4), metric, level=level, bootstrap=FEW)


@pytest.mark.parametrize(("moves", "memory"), [(0.0, 0.9), (0.6, 0.9), (0.6, 0.99)])
def test_the_next_stretch_lies_within_as_often_as_said(moves: float, memory: float) -> None:
    held, before, blamed = [], [], []
    for seed in range(100):
        answers = errors(6, seed, moves=moves, memory=memory)
        told, follows = looked(answers, level=0.9), score(stretch(answers, 5, 6), "rmse", NONE).value
        held.append(told.expected.low <= follows <= told.expected.high)
        blamed.append("season or level" in told.why)
        own = score(stretch(answers, 4, 5), "rmse", FEW)
        before.append(own.low <= follows <= own.high)
    assert 0.85 <= np.mean(held) <= 0.99
    if moves:
        assert np.mean(before) < 0.8  # which is why the holdout's own interval is not enough
        assert np.mean(blamed) > 0.3
    else:
        assert np.mean(blamed) < 0.12


def test_the_value_is_the_score_of_the_holdout_and_lies_within() -> None:
    answers = errors(5, 1, moves=0.6)
    for name in ("rmse", "mae", "r2", "bias"):
        told = looked(answers, name).expected
        assert told.value == score(stretch(answers, 4, 5), name, FEW).value
        assert told.low < told.value < told.high
        assert METRICS[name].bounds[0] <= told.low
        assert told.high <= METRICS[name].bounds[1]
    assert looked(answers).expected.low > 0


def test_losses_move_by_ratios_shares_by_odds_and_the_rest_by_differences() -> None:
    answers = errors(5, 1, moves=0.3)
    assert [looked(answers, name).scale for name in ("rmse", "r2", "bias")] == ["ratio", "ratio", "difference"]
    both = answers.with_columns(
        label=(pl.col("label") > 0).cast(pl.Float64),
        prediction=pl.Series(np.tile([0.4, 0.6], (answers.height, 1)), dtype=pl.Array(pl.Float64, 2)),
    )
    told = looked(both, "accuracy")
    assert told.scale == "odds"
    assert 0 < told.expected.low < told.expected.value < told.expected.high < 1
    assert "by a factor of 1." in told.why
    late = pl.col("start") >= datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=4 * STRETCH)
    never = looked(both.with_columns(label=pl.when(late).then(0.0).otherwise("label")), "f1")
    assert (never.scale, never.expected.value, never.expected.low) == ("difference", 0.0, 0.0)
    assert never.expected.high > 0
    perfect = looked(answers.with_columns(label=pl.lit(0.0)))
    assert (perfect.scale, perfect.expected.plain()) == ("difference", {"value": 0.0, "low": 0.0, "high": 0.0})


def test_what_moved_the_score_is_said() -> None:
    still, moved = looked(errors(5, 2, moves=0.0)), looked(errors(5, 2, moves=1.2, memory=0.99))
    assert "not told apart from chance; seen were 139 days, so the rest of the year is not in it" in still.why
    assert "season or level move it" in moved.why
    assert moved.moved > 2.25 * moved.chance
    year = errors(14, 2, moves=0.0)
    told = ahead(stretch(year, 13, 14), stretch(year, 0, 13), "rmse", bootstrap=FEW)
    assert told.why.endswith("not told apart from chance")


def test_more_stretches_make_a_narrower_interval() -> None:
    answers = errors(14, 3, moves=0.0)
    held = stretch(answers, 13, 14)
    few, many = (ahead(held, stretch(answers, first, 13), "rmse", bootstrap=FEW).expected for first in (12, 0))
    assert many.high - many.low < 0.5 * (few.high - few.low)


def test_without_earlier_stretches_there_is_chance_only() -> None:
    held = stretch(errors(5, 1, moves=0.3), 4, 5)
    told = ahead(held, None, "rmse", bootstrap=FEW)
    assert math.isnan(told.moved)
    assert told.why.startswith("chance alone moves the score by")
    assert told.why.endswith("no stretch came before, so season and level are not in it")
    own = score(held, "rmse", FEW)
    ratio = math.log(told.expected.high / told.expected.low) / math.log(own.high / own.low)
    assert ratio == pytest.approx(math.sqrt(2), rel=0.25)  # the next stretch has as much chance as this one


def test_rows_without_time_are_followed_by_another_sample_of_as_many() -> None:
    random = np.random.default_rng(4)
    held = []
    for _ in range(100):
        one, two = (pl.DataFrame({"label": random.normal(size=80), "prediction": np.zeros(80)}) for _ in range(2))
        told = ahead(one, one, "rmse", level=0.9, bootstrap=FEW).expected
        held.append(told.low <= METRICS["rmse"](two["label"], two["prediction"]) <= told.high)
    assert 0.82 <= np.mean(held) <= 0.97
    empty = one.with_columns(start=pl.lit(None, dtype=pl.Datetime("us", "UTC")))
    assert math.isnan(ahead(empty, empty, "rmse", bootstrap=FEW).moved)


def test_folds_shorter_than_the_holdout_still_say_how_the_score_moves() -> None:
    answers = errors(2, 5, moves=0.5)
    day = (pl.col("start") - pl.col("start").min()).dt.total_days()
    told = ahead(answers.filter(day >= 20), answers.filter(day < 20), "rmse", bootstrap=FEW)
    assert told.moved > 0
    assert told.expected.low < told.expected.value < told.expected.high
    for days in range(1, 30):  # of any length, two stretches alike are neighbours
        held = answers.filter((day >= days) & (day < 2 * days))
        assert ahead(held, answers.filter(day < days), "rmse", bootstrap=NONE).moved > 0


def test_after_two_stretches_that_differ_by_powers_of_ten_anything_may_follow() -> None:
    answers = errors(2, 5, moves=0.0)
    still = pl.when(pl.col("start") >= datetime(2019, 1, 29, tzinfo=UTC)).then(1e-15).otherwise(1e15)
    apart = answers.with_columns(label=pl.col("label") * still)
    told = ahead(stretch(apart, 1, 2), stretch(apart, 0, 1), "rmse", bootstrap=FEW)
    assert told.expected.low >= 0.0
    assert told.expected.high == math.inf
    assert "moved by a factor of " in told.why


def test_weights_are_kept() -> None:
    answers = errors(5, 1, moves=0.3).with_columns(weight=(pl.col("place") == "p0").cast(pl.Float64))
    alone = looked(answers.filter(pl.col("place") == "p0").drop("weight"))
    assert looked(answers).expected.plain() == pytest.approx(alone.expected.plain(), rel=1e-9)
    plain = answers.drop("weight")
    half = ahead(stretch(answers, 4, 5), stretch(plain, 0, 4), "rmse", bootstrap=FEW)
    assert half.moved == looked(plain).moved  # weights that the folds lack are left out of how scores move
    assert half.expected.value == alone.expected.value


def test_two_rows_or_equal_labels_give_no_interval_and_no_rows_are_refused() -> None:
    two = pl.DataFrame({"label": [1.0, 2.0], "prediction": [1.5, 1.0], "start": [1, 2]})
    told = ahead(two[1:], two[:1], "mae", bootstrap=FEW)
    assert told.expected.value == 1.0
    assert told.expected.low < 1.0 < told.expected.high  # one change, one degree of freedom
    alone = ahead(two[1:], None, "mae", bootstrap=FEW)
    assert math.isnan(alone.expected.low)
    assert alone.why == "there was one stretch only, and nothing to resample in it"
    equal = looked(errors(5, 1, moves=0.3).with_columns(label=pl.lit(2.0)), "r2")
    assert math.isnan(equal.expected.value)
    assert math.isnan(equal.expected.low)
    with pytest.raises(DataError, match="rmse: no rows"):
        ahead(two[:0], two, "rmse")
