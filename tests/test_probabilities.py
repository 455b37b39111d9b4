"""Probabilities: corrected only where that surely helps, decided on by a threshold, and checked."""

import json
from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import probabilities
from asof.errors import DataError
from asof.metrics import METRICS, deciding
from asof.probabilities import Calibrated


def world(
    rows: int, sharpness: float = 1.0, classes: int = 2, *, shift: float = 0.0, rarity: float = 0.5, seed: int = 0
) -> pl.DataFrame:
    """Labels drawn from probabilities whose logarithms are then told ``sharpness`` times as sharp, and shifted."""
    draw = np.random.default_rng(seed)
    scores = draw.normal(size=(rows, classes)) * 1.2
    scores[:, 0] += rarity
    true = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    label = (true.cumsum(axis=1) < draw.random(rows)[:, None]).sum(axis=1)
    told = true**sharpness
    told[:, -1] *= np.exp(shift)
    return answers(label, told / told.sum(axis=1, keepdims=True))


def answers(label: Any, told: Any) -> pl.DataFrame:
    return pl.DataFrame(
        {"label": np.asarray(label, dtype=np.float64), "prediction": np.asarray(told, dtype=np.float64)}
    )


def loss(given: pl.DataFrame, by: Calibrated | None = None) -> float:
    told = given["prediction"].to_numpy()
    return METRICS["log_loss"](given["label"].to_numpy(), told if by is None else by.apply(told))


@pytest.mark.parametrize("classes", [2, 3])
def test_too_sure_probabilities_are_drawn_together(classes: int) -> None:
    made = probabilities.calibrate(world(800, 2.5, classes), classes)
    assert made.method == "temperature"
    assert made.temperature == pytest.approx(2.5, rel=0.2)
    later = world(4000, 2.5, classes, seed=1)
    assert loss(later, made) < loss(later) - 0.1
    assert loss(later, made) == pytest.approx(loss(world(4000, 1.0, classes, seed=1)), abs=0.003)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_class_told_too_often_is_shifted_back(classes: int) -> None:
    made = probabilities.calibrate(world(800, 1.0, classes, shift=1.5), classes)
    assert made.method == "shift"
    assert made.shifts[0] == 0
    assert made.shifts[-1] == pytest.approx(-1.5, abs=0.3)
    later = world(4000, 1.0, classes, shift=1.5, seed=1)
    assert loss(later, made) < loss(later) - 0.1


def test_good_probabilities_and_few_rows_are_left_alone() -> None:
    kept = [probabilities.calibrate(world(rows, seed=seed), 2).method for rows in (30, 400) for seed in range(20)]
    assert kept.count("none") >= 36, "one standard error is passed by chance in about one of six, seldom twice"


def test_any_rising_shape_is_followed_where_rows_are_many() -> None:
    given = world(6000)
    told = given["prediction"].to_numpy()[:, 1]
    bent = np.where(told < 0.5, told**3, 0.95 + 0.05 * told)
    odd = answers(given["label"], np.stack([1 - bent, bent], axis=1))
    made = probabilities.calibrate(odd, 2)
    assert made.method == "steps"
    assert loss(odd, made) == pytest.approx(loss(given), abs=0.01)
    assert loss(odd) > loss(odd, made) + 0.1


def test_a_calibration_is_plain_data_and_one_row_is_as_many() -> None:
    many = world(3000, 2.5)
    for given in (world(50), many, world(800, 2.5, 3, shift=2.0)):
        classes = given["prediction"].to_numpy().shape[1]
        made = probabilities.calibrate(given, classes, metric="f1")
        assert probabilities.read(json.loads(json.dumps(made.plain()))) == made
        told = given["prediction"].to_numpy()
        whole = made.apply(told)
        assert whole.sum(axis=1) == pytest.approx(1, abs=1e-12)
        assert np.array_equal(np.concatenate([made.apply(told[row : row + 1]) for row in range(20)]), whole[:20])
        assert np.array_equal(made.apply(told[::-1])[::-1], whole)
        assert made.plain()["kind"] == "class"
        assert made.rows == given.height


def test_a_rare_class_is_decided_on_below_one_half() -> None:
    given, later = world(1500, rarity=2.5, seed=3), world(1500, rarity=2.5, seed=4)
    made = probabilities.calibrate(given, 2, metric="f1")
    assert 0.15 < made.threshold < 0.45
    label, told = later["label"].to_numpy(), made.apply(later["prediction"].to_numpy())
    assert label.mean() < 0.2
    assert deciding(METRICS["f1"], made.decide)(label, told) > METRICS["f1"](label, told) + 0.05
    assert probabilities.calibrate(given, 2, metric="log_loss").threshold == 0.5
    assert made.decide(np.array([[1 - made.threshold, made.threshold]])).tolist() == [1]


def test_the_threshold_of_accuracy_stays_where_it_gains_nothing() -> None:
    made = [probabilities.calibrate(world(300, seed=seed), 2, metric="accuracy") for seed in range(10)]
    assert sum(one.threshold == 0.5 for one in made) >= 7


def test_answers_to_one_row_are_never_on_both_sides() -> None:
    given = world(40)
    repeated = pl.concat([given.with_columns(unit=pl.int_range(40))] * 50)
    assert repeated.height == 2000
    # what the forty rows seem to say is believed no more because they are repeated
    by_unit = probabilities.calibrate(repeated, 2)
    assert by_unit.method == "none"


def test_several_classes_are_decided_by_the_most_probable() -> None:
    made = Calibrated(3)
    assert made.decide(np.array([[0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])).tolist() == [1, 0]


def test_reliability_by_hand() -> None:
    told = np.array([0.1, 0.1, 0.3, 0.3, 0.8, 0.8, 0.8, 0.8])
    given = answers([0, 0, 1, 0, 1, 1, 1, 0], np.stack([1 - told, told], axis=1))
    table = probabilities.reliability(given, bins=3).filter(pl.col("class") == 1)
    assert table["predicted"].to_list() == pytest.approx([0.2, 0.8])  # equal values stay together
    assert table["observed"].to_list() == [0.25, 0.75]
    assert table["rows"].to_list() == [4, 4]
    assert table["low"][1] == pytest.approx(0.3006, abs=1e-4)
    assert table["high"][1] == pytest.approx(0.9544, abs=1e-4)
    # of the likeliest class: 0.7 is right in 1 of 2, 0.8 in 3 of 4, 0.9 in 2 of 2
    expected = (2 * 0.2 + 4 * 0.05 + 2 * 0.1) / 8
    assert probabilities.calibration_error(given, bins=3) == pytest.approx(expected)
    assert probabilities.wilson(0, 0) == (0.0, 1.0)


def test_calibration_lessens_the_calibration_error() -> None:
    given = world(3000, 3.0)
    made = probabilities.calibrate(given, 2)
    better = given.with_columns(prediction=pl.Series(made.apply(given["prediction"].to_numpy())))
    assert probabilities.calibration_error(given) > 0.1
    assert probabilities.calibration_error(better) < 0.03


def test_what_is_no_answer_of_classes_is_refused() -> None:
    with pytest.raises(DataError, match="expected a row of 3 for each question"):
        probabilities.calibrate(world(30), 3)
    with pytest.raises(DataError, match="label of row 0 is 5"):
        probabilities.calibrate(answers([5.0], [[0.5, 0.5]]), 2)
    with pytest.raises(DataError, match="no rows to judge"):
        probabilities.calibrate(world(30)[:0], 2)
    with pytest.raises(DataError, match="not a stored calibration"):
        probabilities.read({"kind": "class"})
    plain = Calibrated(2).plain()
    with pytest.raises(DataError, match="has parts of heights"):
        probabilities.read({**plain, "shifts": [0.0, 1.0, 2.0]})
    assert probabilities.calibrate(world(1), 2).method == "none"
