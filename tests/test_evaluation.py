"""Evaluation: figures by hand, intervals that hold what they should, and the ceiling of counts."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from asof.data import UTC_TIME
from asof.errors import DataError
from asof.evaluation import (
    Bootstrap,
    Estimate,
    batches,
    ceiling,
    estimate,
    estimates,
    noise_deviance,
    optimism,
    score,
    scores,
    skill,
)
from asof.metrics import METRICS, unit_poisson_deviance

FEW = Bootstrap(draws=300)


def counts(periods: int, places: int, seed: int, *, shared: float = 0.0, own: float = 0.0) -> pl.DataFrame:
    """Poisson counts about known means; ``shared`` moves whole periods, ``own`` whole places, by a random factor."""
    random = np.random.default_rng(seed)
    mean = np.exp(np.linspace(-1.0, 1.5, places))[None, :] * np.ones((periods, 1))
    moved = mean * np.exp(shared * random.normal(size=(periods, 1)) + own * random.normal(size=(1, places)))
    days = [datetime(2019, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(periods)]
    return pl.DataFrame(
        {
            "start": pl.Series(np.repeat(np.arange(periods), places)).replace_strict(
                list(range(periods)), days, return_dtype=UTC_TIME
            ),
            "place": [f"p{place}" for place in range(places)] * periods,
            "label": random.poisson(moved).astype(float).ravel(),
            "prediction": mean.ravel(),
            "baseline": np.full(mean.size, mean.mean()),
        }
    )


def test_the_value_is_that_of_the_metric() -> None:
    answers = counts(30, 10, 1)
    for name in ("poisson_deviance", "rmse", "mae", "r2", "bias", "rmsle"):
        told = score(answers, name, FEW)
        assert told.value == pytest.approx(METRICS[name](answers["label"], answers["prediction"]), rel=1e-12)
        assert told.low < told.value < told.high


def test_weights_are_kept() -> None:
    answers = counts(20, 5, 1).with_columns(weight=pl.int_range(100) % 3)
    value = METRICS["rmse"](answers["label"], answers["prediction"], answers["weight"])
    assert score(answers, "rmse", FEW).value == pytest.approx(value, rel=1e-12)
    assert scores(answers, ["rmse"])["value"][0] == pytest.approx(value, rel=1e-12)


def test_the_same_seed_gives_the_same_interval() -> None:
    answers = counts(30, 10, 1)
    assert score(answers, "rmse", FEW) == score(answers, "rmse", FEW)
    assert score(answers, "rmse", FEW) != score(answers, "rmse", Bootstrap(draws=300, seed=21))
    shuffled = score(answers.sample(fraction=1, shuffle=True, seed=3), "rmse", FEW)
    assert list(shuffled.plain().values()) == pytest.approx(
        list(score(answers, "rmse", FEW).plain().values()), rel=1e-9
    )


def test_draws_that_are_kept_are_those_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = counts(60, 12, 3)
    first, again = (score(answers, "poisson_deviance", FEW) for _ in range(2))
    monkeypatch.setattr(estimates, "KEPT", 0)
    assert first.draws.tobytes() == again.draws.tobytes() == score(answers, "poisson_deviance", FEW).draws.tobytes()
    assert len(set(first.draws.tolist())) == 300


@pytest.mark.parametrize(("shared", "own"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.3)])
def test_intervals_hold_the_truth_as_often_as_they_say(shared: float, own: float) -> None:
    def answers(seed: int) -> pl.DataFrame:
        return counts(42, 30, seed, shared=shared, own=own)

    truth = np.mean([score(answers(1000 + seed), "poisson_deviance", Bootstrap(draws=2)).value for seed in range(300)])
    told = [score(answers(seed), "poisson_deviance", Bootstrap(draws=200)) for seed in range(100)]
    held = np.mean([each.low <= truth <= each.high for each in told])
    assert 0.86 <= held <= 1.0


def test_pure_noise_is_not_counted_twice() -> None:
    answers = counts(60, 40, 2)
    losses = unit_poisson_deviance(answers["label"].to_numpy(), answers["prediction"].to_numpy())
    told = score(answers, "poisson_deviance")
    independent = 2 * 1.96 * losses.std() / np.sqrt(len(losses))
    assert (told.high - told.low) / independent == pytest.approx(1.0, abs=0.35)


def test_what_moves_whole_periods_widens_the_interval() -> None:
    still, moved = (score(counts(60, 40, 2, shared=shared), "rmse") for shared in (0.0, 0.5))
    assert moved.high - moved.low > 2 * (still.high - still.low)


def test_one_row_has_no_interval_and_rows_without_units_have_one() -> None:
    one = score(pl.DataFrame({"label": [1.0], "prediction": [2.0], "start": [1], "place": ["a"]}), "rmse")
    assert one.value == 1.0
    assert np.isnan(one.low)
    assert np.isnan(one.high)
    random = np.random.default_rng(1)
    rows = pl.DataFrame({"label": random.normal(size=400), "prediction": np.zeros(400)})
    told = score(rows, "bias")
    assert told.high - told.low == pytest.approx(2 * 1.96 / 20, rel=0.2)


def test_a_median_is_scored_without_interval() -> None:
    told = score(pl.DataFrame({"label": [2.0, 4.0, 8.0], "prediction": [1.0, 4.0, 4.0]}), "median_ape")
    assert told.value == 0.5
    assert np.isnan(told.low)


def test_scores_are_tidy_rows_whole_and_by_group() -> None:
    answers = pl.DataFrame(
        {
            "label": [1.0, 2.0, 3.0, 4.0],
            "prediction": [1.0, 2.0, 2.0, 2.0],
            "horizon": ["1d", "1d", "2d", "2d"],
            "start": [datetime(2019, 1, day, tzinfo=UTC) for day in (1, 2, 1, 2)],
        }
    )
    whole = scores(answers, ["mae", "bias"])
    assert whole.rows() == [("mae", "all", "all", 4, 0.75, None, None), ("bias", "all", "all", 4, -0.75, None, None)]
    by = scores(answers, ["mae"], by="horizon")
    assert by.select("by", "group", "rows", "value").rows() == [("horizon", "1d", 2, 0.0), ("horizon", "2d", 2, 1.5)]
    assert scores(answers, ["mae"], by="start")["group"].to_list()[0].startswith("2019-01-01T00:00")
    drawn = scores(answers, ["mae"], bootstrap=FEW)
    assert drawn["low"][0] <= 0.75 <= drawn["high"][0]
    with pytest.raises(DataError, match="no column 'place' to score by"):
        scores(answers, ["mae"], by="place")


def test_skill_is_the_share_of_the_loss_that_is_saved() -> None:
    answers = counts(60, 20, 3)
    told = skill(answers, "poisson_deviance", bootstrap=FEW)
    ours = METRICS["poisson_deviance"](answers["label"], answers["prediction"])
    theirs = METRICS["poisson_deviance"](answers["label"], answers["baseline"])
    assert told.value == pytest.approx(1 - ours / theirs)
    assert 0.2 < told.low < told.value < told.high < 0.8
    same = skill(answers.with_columns(baseline="prediction"), "rmse", bootstrap=FEW)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_skill_of_a_ratio_is_refused_and_against_perfection_unknown() -> None:
    answers = counts(20, 5, 3)
    with pytest.raises(DataError, match="skill: r2 is no mean loss; expected one of mae"):
        skill(answers, "r2")
    none = skill(answers.with_columns(baseline="label"), "mae")
    assert np.isnan([none.value, none.low, none.high]).all()
    assert np.isnan(optimism(none, skill(answers, "mae", bootstrap=FEW)).value)
    with pytest.raises(DataError, match="answers have no column 'other'"):
        skill(answers, "mae", "other")


def test_optimism_is_what_the_folds_promised_more() -> None:
    folds, kept = Estimate(0.3, 0.2, 0.4, np.array([0.2, 0.3, 0.4])), Estimate(0.1, 0.0, 0.2, np.array([0.2, 0.1, 0.0]))
    told = optimism(folds, kept, level=1.0)
    assert told.value == pytest.approx(0.2)
    assert (told.low, told.high) == pytest.approx((0.0, 0.4))
    nothing = optimism(Estimate(0.3, 0.3, 0.3), kept)
    assert nothing.value == pytest.approx(0.2)
    assert np.isnan(nothing.low)


def test_skill_on_the_same_process_has_no_optimism() -> None:
    told = optimism(*(skill(counts(90, 30, seed), "poisson_deviance", bootstrap=FEW) for seed in (1, 2)))
    assert told.low < 0 < told.high
    assert told.plain().keys() == {"value", "low", "high"}


def test_the_true_means_explain_all_that_can_be_explained() -> None:
    random = np.random.default_rng(4)
    mean = random.gamma(2.0, 1.5, 200_000)
    label = random.poisson(mean).astype(float)
    told = ceiling(label, mean)
    assert told.noise == label.mean()
    assert told.variance == pytest.approx(label.var())
    assert told.r2_ceiling == pytest.approx(mean.var() / label.var(), abs=0.01)
    assert told.share == pytest.approx(1.0, abs=0.01)
    assert told.noise_share == pytest.approx(1.0, abs=0.01)
    flat = ceiling(label, np.full(len(label), label.mean()))
    assert flat.share == pytest.approx(0.0, abs=1e-9)
    assert flat.noise_share < 0.6
    assert flat.explainable == told.explainable


def test_nothing_is_explainable_where_counts_only_vary_as_noise_does() -> None:
    told = ceiling(np.array([1.0, 1.0, 1.0, 2.0]), np.full(4, 1.25))
    assert told.explainable == 0.0
    assert np.isnan(told.share)
    with pytest.raises(DataError, match=r"label of row 1 is 0\.5; counts are whole numbers"):
        ceiling(np.array([1.0, 0.5]), np.ones(2))


@pytest.mark.parametrize("mean", [0.01, 0.3, 1.0, 3.7, 40.0, 150.0, 5000.0])
def test_the_deviance_of_noise_is_that_of_drawn_counts(mean: float) -> None:
    drawn = np.random.default_rng(5).poisson(mean, 400_000).astype(float)
    losses = unit_poisson_deviance(drawn, np.full(len(drawn), mean))
    error = 5 * losses.std() / np.sqrt(len(losses))
    assert noise_deviance(np.array([mean]))[0] == pytest.approx(losses.mean(), abs=error)


def test_a_thousand_draws_on_many_rows_are_cheap_in_work_not_only_in_time() -> None:
    # only sums per period and per place are handed to the statistic: once whole, once a unit
    seen: list[int] = []

    def mean(values: np.ndarray) -> np.ndarray:
        seen.append(np.size(values))
        return values

    answers = counts(50, 20, 1)
    estimate(answers, [answers["label"].to_numpy()], mean, Bootstrap(draws=1000))
    assert sorted(seen) == [1, 1, 1, 1000, 1000]


def test_an_unknown_value_is_refused_whatever_the_place() -> None:
    answers = counts(20, 5, 1)
    with pytest.raises(DataError, match="rmse: prediction of row 0 is unknown"):
        score(answers.with_columns(prediction=pl.lit(None, dtype=pl.Float64)), "rmse")


def test_periods_that_are_numbers_and_blocks_as_asked() -> None:
    answers = counts(30, 6, 1).with_columns(start=pl.col("start").rank("dense"))
    free = score(answers, "rmse", FEW)
    assert free.low < free.value < free.high
    asked = score(answers, "rmse", Bootstrap(draws=300, block=5))
    assert asked.value == free.value
    assert asked.low != free.low


def test_r2_of_equal_labels_has_neither_value_nor_interval() -> None:
    told = score(counts(20, 5, 1).with_columns(label=2.0), "r2", FEW)
    assert np.isnan([told.value, told.low, told.high]).all()


def test_places_are_drawn_alike_in_folds_and_holdout_and_periods_are_not() -> None:
    # places differ much in how easy they are, and alike in both stretches: this is no doubt about the optimism
    folds = counts(56, 40, 1).with_columns(baseline=pl.col("prediction") * 3)
    kept = counts(28, 40, 2).with_columns(baseline=pl.col("prediction") * 3, start=pl.col("start") + timedelta(days=56))
    ours, theirs = (skill(answers, "rmse", bootstrap=Bootstrap(draws=2000)) for answers in (folds, kept))
    told = optimism(ours, theirs)
    apart = np.hypot(ours.high - ours.low, theirs.high - theirs.low)
    assert told.high - told.low < 0.8 * apart
    assert abs(np.corrcoef(*(score(each, "bias").draws for each in (folds[:1120], kept))))[0, 1] < 0.15


def test_an_interval_holds_only_what_the_metric_can_be() -> None:
    """Three periods of one odd place: what is resampled spreads wider than any error could."""
    frame = counts(3, 4, 2, shared=3.0)
    for name, low, high in (("rmse", 0.0, np.inf), ("mae", 0.0, np.inf), ("r2", -np.inf, 1.0)):
        told = score(frame, name, FEW)
        assert low <= told.low <= told.value <= told.high <= high
    perfect = frame.with_columns(prediction=pl.col("label"))
    assert score(perfect, "rmse", FEW).plain() == {"value": 0.0, "low": 0.0, "high": 0.0}


def test_classes_have_intervals_skill_and_scores_by_group() -> None:
    random = np.random.default_rng(4)
    chance = random.uniform(0.05, 0.95, 600)
    told = np.stack([1 - chance, chance], axis=1)
    answers = pl.DataFrame(
        {
            "label": (random.random(600) < chance).astype(float),
            "prediction": told,
            "baseline": np.full((600, 2), 0.5),
            "place": np.where(np.arange(600) % 2, "a", "b"),
        }
    )
    for name in ("log_loss", "brier", "accuracy", "auc", "f1"):
        found = score(answers.drop("place"), name, FEW)
        assert found.value == pytest.approx(METRICS[name](answers["label"].to_numpy(), told))
        assert found.low < found.value < found.high
        assert 0.03 < found.high - found.low < 0.2
    saved = skill(answers.drop("place"), "log_loss", bootstrap=FEW)
    assert saved.value == pytest.approx(1 - METRICS["log_loss"](answers["label"].to_numpy(), told) / np.log(2))
    assert 0 < saved.low < saved.value < saved.high < 1
    assert scores(answers, ["auc"], by="place")["rows"].to_list() == [300, 300]
    with pytest.raises(DataError, match="skill: auc is no mean loss; expected one of brier, log_loss"):
        skill(answers, "auc")


def test_stretches_without_any_event_and_two_rows_have_figures_or_unknown_ones() -> None:
    empty = counts(28, 5, 1).with_columns(label=pl.lit(0.0))
    told = score(empty, "poisson_deviance", FEW)
    assert told.value == pytest.approx(2 * empty["prediction"].mean())  # type: ignore[operator]
    assert told.low <= told.value <= told.high
    saved = skill(empty, "poisson_deviance", bootstrap=FEW)
    assert saved.value == pytest.approx(1 - empty["prediction"].mean() / empty["baseline"].mean())  # type: ignore[operator]
    none = ceiling(empty["label"].to_numpy(), empty["prediction"].to_numpy())
    assert (none.variance, none.explainable) == (0.0, 0.0)
    assert np.isnan([none.share, none.r2_ceiling, none.r2]).all()
    two = counts(2, 1, 1)
    for answers in (two, two.drop("start"), two.drop("place"), two.select("label", "prediction", "baseline")):
        few = score(answers, "rmse", FEW)
        assert np.isfinite(few.value)
        assert np.isnan(few.low) or few.low <= few.value <= few.high
        assert np.isfinite(skill(answers, "rmse", bootstrap=FEW).value)
    assert np.isnan(optimism(skill(two, "rmse", bootstrap=FEW), Estimate(0.1, 0.1, 0.1)).low)


def test_batches_are_weeks_and_sum_to_nothing() -> None:
    answers = counts(30, 6, 1)
    label = answers["label"].to_numpy()
    value, moved = batches(answers, (label,), lambda mean: mean)
    assert value == pytest.approx(label.mean())
    assert moved.sum() == pytest.approx(0.0, abs=1e-12)
    assert len(moved) == 4
    week = answers["start"] < datetime(2019, 1, 9, tzinfo=UTC)  # 30 days in 4 batches: 8, 8, 7, 7
    assert moved[0] == pytest.approx(float((label - label.mean())[week.to_numpy()].sum()) / len(label))
    assert len(batches(answers, (label,), lambda mean: mean, Bootstrap(block=3))[1]) == 10
    assert len(batches(answers.drop("start"), (label,), lambda mean: mean)[1]) == 6
    assert len(batches(answers.select("label"), (label,), lambda mean: mean)[1]) == 180
    ratio = batches(answers, (label, answers["prediction"].to_numpy()), lambda one, two: one / two)
    by_hand = (label - answers["prediction"].to_numpy() * ratio[0])[week.to_numpy()].sum()
    assert ratio[1][0] == pytest.approx(by_hand / answers["prediction"].sum(), rel=1e-6)
