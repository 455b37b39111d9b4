"""Intervals: they hold as many labels as they say, on data that they have not seen."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np
import polars as pl
import pytest

from asof import counts as counted
from asof.errors import DataError
from asof.intervals import Calibration, calibrate, coverage, coverages, pit, read


def counts(rows: int, seed: int, *, dispersion: float = 0.0, tilt: float = 1.0) -> pl.DataFrame:
    """Counts about known means; the predictions are ``tilt`` times the means."""
    random = np.random.default_rng(seed)
    mean = np.exp(random.normal(0.0, 1.2, rows))
    moved = mean * (random.gamma(1 / dispersion, dispersion, rows) if dispersion else 1.0)
    return pl.DataFrame({"label": random.poisson(moved).astype(float), "prediction": mean * tilt})


def held(calibration: Calibration, answers: pl.DataFrame, by: str | None = None) -> pl.DataFrame:
    low, high = calibration.interval(answers["prediction"])
    return coverage(answers.with_columns(low=low, high=high), by)


@pytest.mark.parametrize(("dispersion", "tilt"), [(0.0, 1.0), (0.4, 1.0), (0.0, 1.3)])
@pytest.mark.parametrize("level", [0.8, 0.9])
def test_intervals_of_counts_cover_as_said_at_every_level_of_prediction(
    dispersion: float, tilt: float, level: float
) -> None:
    made = calibrate(counts(6000, 1, dispersion=dispersion, tilt=tilt), "count", level=level)
    fresh = counts(20_000, 2, dispersion=dispersion, tilt=tilt)
    told = held(made, fresh.with_columns(busy=pl.col("prediction") > 1), "busy")
    assert told["coverage"].to_list() == pytest.approx([level] * 2, abs=0.025)
    assert told["rows"].sum() == 20_000


def test_ends_of_counts_are_whole_and_in_order() -> None:
    made = calibrate(counts(2000, 1), "count")
    told = np.array([0.0, 0.01, 0.3, 1.0, 2.5, 40.0, 1000.0])
    low, high = made.interval(told)
    assert low.tolist() == np.round(low).tolist()
    assert high.tolist() == np.round(high).tolist()
    assert (low >= 0).all()
    assert (low <= high).all()
    assert (high[-1] > 1000.0 > low[-1]).all()
    assert high[:2].tolist() == [0.0, 0.0]


def test_a_very_high_level_reaches_far_into_a_long_tail() -> None:
    wild = counts(300, 1, dispersion=9.0)
    made = calibrate(wild, "count", level=0.5)
    far = replace(made, low=(0.0,) * len(made.low), high=(1 - 1e-13,) * len(made.high))
    low, high = far.interval([1.0])
    assert low.tolist() == [0.0]
    assert (
        counted.chance([1.0], high, made.dispersion)[0]
        >= 1 - 1e-13
        > counted.chance([1.0], high - 1, made.dispersion)[0]
    )


def test_intervals_of_numbers_cover_as_said_where_errors_grow_with_the_prediction() -> None:
    def numbers(seed: int) -> pl.DataFrame:
        random = np.random.default_rng(seed)
        told = random.uniform(1, 10, 8000)
        return pl.DataFrame({"prediction": told, "label": told + told * random.standard_t(4, 8000)})

    told = held(calibrate(numbers(1), "number"), numbers(2).with_columns(big=pl.col("prediction") > 5), "big")
    assert told["coverage"].to_list() == pytest.approx([0.9, 0.9], abs=0.02)
    widths = dict(told.select("group", "width").rows())
    assert widths["true"] > 2 * widths["false"]


def test_both_tails_of_numbers_are_missed_alike_even_by_a_biased_model() -> None:
    random = np.random.default_rng(1)
    biased = pl.DataFrame({"prediction": np.zeros(5000), "label": random.normal(3.0, 1.0, 5000)})
    told = held(calibrate(biased, "number"), biased)
    assert told["below"][0] == pytest.approx(0.05, abs=0.01)
    assert told["above"][0] == pytest.approx(0.05, abs=0.01)


def test_later_errors_weigh_more() -> None:
    random = np.random.default_rng(2)
    days = pl.Series([datetime(2018, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(720)])
    wide = pl.DataFrame({"start": days, "prediction": np.zeros(720), "label": random.normal(0, 10, 720)})
    narrow = wide.with_columns(label=pl.Series(random.normal(0, 1, 720)))
    mixed = pl.concat([wide[:360], narrow[360:]])
    even = calibrate(mixed.drop("start"), "number").interval([0.0])
    late = calibrate(mixed, "number", half_life_days=30).interval([0.0])
    assert (late[1] - late[0])[0] < 0.6 * (even[1] - even[0])[0]
    assert (late[1] - late[0])[0] == pytest.approx(2 * 1.645, rel=0.5)


def test_few_answers_still_give_an_interval_that_holds_them_nearly_all() -> None:
    few = counts(5, 3)
    assert held(calibrate(few, "count"), few)["coverage"][0] == 1.0
    one = pl.DataFrame({"label": [3.0], "prediction": [2.0]})
    low, high = calibrate(one, "number").interval([2.0])
    assert low.tolist() == high.tolist() == [3.0]


def test_a_place_never_seen_gets_a_wider_interval() -> None:
    made = calibrate(counts(3000, 1), "count")
    low, high = made.interval([4.0, 4.0], wider=[1.0, 2.0])
    assert low[1] < low[0] <= 4 <= high[0] < high[1]
    number = calibrate(pl.DataFrame({"prediction": np.zeros(500), "label": np.linspace(-1, 1, 500)}), "number")
    plain, wide = number.interval([0.0]), number.interval([0.0], wider=3.0)
    assert wide[1][0] == pytest.approx(3 * plain[1][0])


def test_no_interval_reaches_beyond_what_a_label_can_be() -> None:
    """A sum of outages is not negative; what is predicted there all the same lies within."""
    errors = pl.DataFrame({"prediction": np.full(500, 5.0), "label": np.linspace(-5, 15, 500)})
    bound = calibrate(errors, "number", bounds=(0.0, 12.0))
    assert read(json.loads(json.dumps(bound.plain()))) == bound
    told = [5.0, 8.0, 11.0, -1.0, 13.0]
    low, high = calibrate(errors, "number").interval(told)
    assert (low[0] < 0, high[1] > 12) == (True, True)
    for wider in (None, 1.0):
        least, most = bound.interval(told, wider)
        assert least.tolist() == pytest.approx([0.0, 0.0, low[2], -1.0, low[4]])
        assert most.tolist() == pytest.approx([12.0, 12.0, 12.0, high[3], 13.0])


def test_plain_data_give_back_the_same_calibration() -> None:
    for made in (calibrate(counts(2500, 1, dispersion=0.3), "count"), calibrate(counts(900, 1), "number")):
        assert read(json.loads(json.dumps(made.plain()))) == made
    with pytest.raises(DataError, match="not a stored calibration"):
        read({"kind": "count"})
    with pytest.raises(DataError, match="parts of heights"):
        read(made.plain() | {"low": []})


def test_the_chance_is_a_distribution() -> None:
    made = calibrate(counts(4000, 1, dispersion=0.3), "count")
    upto = np.arange(-1, 60)
    chance = made.chance(np.full(61, 3.0), upto)
    assert chance[0] == 0.0
    assert (np.diff(chance) >= 0).all()
    assert chance[-1] == pytest.approx(1.0, abs=1e-6)
    number = calibrate(pl.DataFrame({"prediction": np.zeros(999), "label": np.linspace(-1, 1, 999)}), "number")
    assert number.chance([0.0, 0.0, 0.0], [-9.0, 0.0, 9.0]).tolist() == pytest.approx([0.0, 0.5, 1.0], abs=0.01)


def test_counts_about_a_mean_have_the_chances_of_the_textbook() -> None:
    assert counted.chance([2.0, 2.0, 2.0], [-1, 0, 1]).tolist() == pytest.approx([0.0, np.exp(-2), 3 * np.exp(-2)])
    # negative binomial of size 1 is geometric: chance of 0 is 1 / (1 + mean)
    assert counted.chance([3.0, 3.0], [0, 1], dispersion=1.0).tolist() == pytest.approx([1 / 4, 1 / 4 + 3 / 16])
    assert counted.chance([0.0], [0.0]).tolist() == pytest.approx([1.0], abs=1e-5)


def test_the_transform_is_even_where_the_distribution_is_right_and_says_where_it_is_not() -> None:
    right, dispersed = counts(20_000, 1), counts(20_000, 2, dispersion=0.5)
    told = pit(right["label"], right["prediction"])
    assert told.distance < 0.015
    assert told.mean == pytest.approx(0.5, abs=0.01)
    assert told.spread == pytest.approx(1.0, abs=0.02)
    narrow = pit(dispersed["label"], dispersed["prediction"])
    assert narrow.spread > 1.1
    calibrated = pit(dispersed["label"], dispersed["prediction"], calibrate(counts(8000, 3, dispersion=0.5), "count"))
    assert calibrated.distance < 0.03
    high = pit(right["label"], right["prediction"] * 1.5)
    assert high.mean < 0.45
    assert pit([1.0], [1.0]).values.shape == (1,)


def test_the_transform_of_numbers() -> None:
    random = np.random.default_rng(1)
    answers = pl.DataFrame({"prediction": np.zeros(4000), "label": random.normal(size=4000)})
    told = pit(answers["label"][:2000], np.zeros(2000), calibrate(answers[2000:], "number"))
    assert told.distance < 0.04


def test_coverage_says_which_side_was_missed() -> None:
    answers = pl.DataFrame(
        {"label": [1.0, 5.0, -5.0, None], "low": [0.0] * 4, "high": [2.0] * 4, "horizon": ["1d", "2d", "1d", "1d"]}
    )
    assert coverage(answers).row(0) == ("all", 3, pytest.approx(1 / 3), pytest.approx(1 / 3), pytest.approx(1 / 3), 2.0)
    assert coverage(answers, "horizon").select("group", "coverage").rows() == [("1d", 0.5), ("2d", 0.0)]


@pytest.mark.parametrize(
    ("label", "level", "said"),
    [
        ([], 0.9, "at least one answer"),
        ([None], 0.9, "a known label"),
        ([-1.0], 0.9, "a count of -1"),
        ([1.0], 90.0, "level 90.0 is not between 0 and 1"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(label: list[float | None], level: float, said: str) -> None:
    answers = pl.DataFrame({"label": label, "prediction": [1.0] * len(label)}, schema_overrides={"label": pl.Float64})
    with pytest.raises(DataError, match=said):
        calibrate(answers, "count", level=level)


def test_a_transform_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="expected one each per row, and some"):
        pit([], [])


def moving(seed: int, *, moves: float, days: int = 140, rows: int = 4) -> pl.DataFrame:
    """Errors whose spread is another every 28 days, by a factor of usually e to the power of ``moves``."""
    random = np.random.default_rng(seed)
    spread = np.exp(moves * random.normal(size=-(-days // 28)))[np.arange(days) // 28]
    start = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(days) for _ in range(rows)]
    label = (spread[:, None] * random.normal(size=(days, rows))).ravel()
    return pl.DataFrame({"start": start, "prediction": np.zeros(label.size), "label": label})


def test_where_earlier_errors_did_not_hold_later_ones_intervals_are_widened() -> None:
    held: dict[str, list[float]] = {"moving": [], "untimed": [], "still": []}
    for seed in range(60):
        for name, moves in (("moving", 0.6), ("untimed", 0.6), ("still", 0.0)):
            answers = moving(seed, moves=moves)
            folds = answers[: 112 * 4].drop("start") if name == "untimed" else answers[: 112 * 4]
            low, high = calibrate(folds, "number").interval(np.zeros(112))
            label = answers["label"].to_numpy()[112 * 4 :]
            held[name].append(float(np.mean((low <= label) & (label <= high))))
    assert np.mean(held["moving"]) > np.mean(held["untimed"]) + 0.01
    assert 0.86 <= np.mean(held["moving"]) <= 0.93
    assert 0.89 <= np.mean(held["still"]) <= 0.925


def test_widened_intervals_keep_the_level_that_was_asked_for() -> None:
    growing = moving(1, moves=0.0, days=112).with_columns(
        label=pl.col("label") * pl.Series(np.repeat([1, 2, 4, 8], 112))
    )
    made = calibrate(growing, "number")
    shuffled = calibrate(growing.with_columns(start=pl.col("start").shuffle(seed=3)), "number")
    assert made.level == shuffled.level == 0.9
    assert made.interval([0.0])[1][0] > 1.2 * shuffled.interval([0.0])[1][0]
    low, high = made.interval(growing["prediction"])
    share = held(made, growing[336:])["coverage"][0]
    assert share > 0.85
    assert (low < high).all()


def test_coverage_is_told_by_all_that_it_may_depend_on() -> None:
    days = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(8)]
    rows = [(day, f"p{place}", float(place), "1d") for day in days for place in range(4)]
    answers = pl.DataFrame(rows, schema=["start", "place", "prediction", "horizon"], orient="row").with_columns(
        label=pl.col("prediction"), low=pl.col("prediction") - 1, high=pl.col("prediction") + 1
    )
    told = coverages(answers.with_columns(label=pl.when(pl.col("place") == "p3").then(9.0).otherwise("label")))
    assert told.columns == ["by", "group", "rows", "coverage", "below", "above", "width"]
    assert told["by"].unique(maintain_order=True).to_list() == ["all", "place", "period", "prediction"]
    assert told.filter(by="all")["coverage"].to_list() == [0.75]
    assert told.filter(by="place").select("group", "rows", "coverage").rows() == [
        ("1", 8, 1.0),
        ("2", 8, 1.0),
        ("3", 8, 1.0),
        ("4", 8, 0.0),
    ]
    assert told.filter(by="period")["coverage"].to_list() == [0.75] * 4
    assert told.filter(by="place")["above"].to_list() == [0.0, 0.0, 0.0, 1.0]
    both = coverages(answers.with_columns(horizon=pl.Series(["1d", "2d"] * 16)))
    assert both.filter(by="horizon").select("group", "rows").rows() == [("1d", 16), ("2d", 16)]
    bare = coverages(answers.select("label", "prediction", "low", "high")[:3])
    assert bare.select("by", "group", "rows").rows() == [("all", "all", 3)]


@pytest.mark.parametrize("kind", ["count", "number"])
def test_two_rows_and_equal_labels_are_calibrated_without_a_fault(kind: Literal["count", "number"]) -> None:
    two = moving(1, moves=0.0)[:2].with_columns(label=pl.lit(3.0), prediction=pl.lit(3.0))
    for answers in (two, pl.concat([two] * 200).with_columns(start=moving(1, moves=0.0)["start"][:400])):
        low, high = calibrate(answers, kind).interval([3.0])
        assert low[0] <= 3.0 <= high[0]
        assert np.isfinite([low[0], high[0]]).all()
    none = two.with_columns(label=pl.lit(0.0), prediction=pl.lit(0.0))
    assert calibrate(none, kind).interval([0.0])[1].tolist() == [0.0]
