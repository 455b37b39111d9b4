"""Metrics: the values of textbook formulas, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.errors import DataError
from asof.metrics import (
    METRICS,
    PREDICTION_FLOOR,
    deciding,
    find,
    fitting,
    losses,
    names,
    of_losses,
    unit_poisson_deviance,
)

LABEL = np.array([0.0, 1.0, 3.0, 2.0])
PREDICTION = np.array([0.5, 1.2, 2.0, 2.5])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("poisson_deviance", 0.3938933324510595),
        ("rmse", np.sqrt(1.54 / 4)),
        ("mae", 0.55),
        ("r2", 1 - 1.54 / 5),
        ("rmsle", np.sqrt(np.mean((np.log1p(LABEL) - np.log1p(PREDICTION)) ** 2))),
        ("bias", 0.05),
    ],
)
def test_values_by_hand(name: str, value: float) -> None:
    assert METRICS[name](LABEL, PREDICTION) == pytest.approx(value, abs=1e-12)


def test_relative_errors_are_shares() -> None:
    assert METRICS["mape"]([2, 4, -5], [1, 5, -5]) == pytest.approx((0.5 + 0.25 + 0) / 3)
    assert METRICS["median_ape"]([2, 4, -5], [1, 5, -5]) == 0.25
    assert METRICS["median_ape"]([2, 4], [1, 5]) == 0.375


def test_they_agree_with_scikit_learn() -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(3)
    label = random.poisson(2.0, 500).astype(float)
    prediction, weight = random.gamma(2.0, 1.0, 500), random.random(500)
    for name, theirs in {
        "poisson_deviance": sklearn.mean_poisson_deviance,
        "rmse": sklearn.root_mean_squared_error,
        "mae": sklearn.mean_absolute_error,
        "r2": sklearn.r2_score,
        "rmsle": sklearn.root_mean_squared_log_error,
    }.items():
        assert METRICS[name](label, prediction, weight) == pytest.approx(
            theirs(label, prediction, sample_weight=weight), rel=1e-12
        )


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.floats(0.1, 9), st.integers(0, 3)), min_size=1, max_size=20))
def test_a_weight_of_k_counts_a_row_k_times(rows: list[tuple[int, float, int]]) -> None:
    label, prediction, weight = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    if not weight.sum():
        return
    times = weight.astype(int)
    for name in names("number"):
        metric = METRICS[name]
        repeated = metric(np.repeat(label, times), np.repeat(prediction, times))
        assert metric(label, prediction, weight) == pytest.approx(repeated, rel=1e-9, abs=1e-9, nan_ok=True), name


def test_a_perfect_prediction_has_no_loss() -> None:
    label = np.array([1.0, 2.0, 5.0])
    for name in names("number"):
        if name != "auc_event":
            assert METRICS[name](label, label) == (1.0 if name == "r2" else 0.0), name


def test_the_area_of_an_event_ranks_labels_above_0_against_those_of_0() -> None:
    metric = METRICS["auc_event"]
    assert metric([0, 3, 0, 9], [1, 2, 2, 5]) == pytest.approx((1 + 0.5 + 1 + 1) / 4)
    assert metric([0, 7], [1, 2]) == metric([0, 0.1], [1, 2]) == 1.0
    assert np.isnan(metric([1, 2], [1, 2]))
    parts, finish = metric.resampled(np.array([0.0, 3, 0, 9]), np.array([1.0, 2, 2, 5]))
    assert finish(parts[0].mean()) == pytest.approx(3.5 / 4)


def test_a_prediction_of_nothing_costs_much_but_not_everything() -> None:
    none = METRICS["poisson_deviance"]([1], [0])
    assert none == METRICS["poisson_deviance"]([1], [-3]) == 2 * (-np.log(PREDICTION_FLOOR) - (1 - PREDICTION_FLOOR))
    assert METRICS["poisson_deviance"]([0], [0]) == pytest.approx(2 * PREDICTION_FLOOR)


def test_r2_of_equal_labels_is_not_a_number() -> None:
    assert np.isnan(METRICS["r2"]([2, 2], [1, 3]))


def test_losses_of_rows_average_to_the_metric() -> None:
    assert losses("poisson_deviance", LABEL, PREDICTION).mean() == METRICS["poisson_deviance"](LABEL, PREDICTION)
    assert losses("rmse", LABEL, PREDICTION).tolist() == pytest.approx([0.25, 0.04, 1.0, 0.25])
    assert losses("r2", LABEL, PREDICTION).tolist() == pytest.approx([0.25, 0.04, 1.0, 0.25])
    assert unit_poisson_deviance(np.array([0.0]), np.array([0.5])).tolist() == [1.0]


@pytest.mark.parametrize(
    ("name", "label", "prediction", "said"),
    [
        ("poisson_deviance", [1, -2], [1, 1], "label of row 1 is -2; this metric needs labels of 0 or more"),
        ("rmsle", [-1], [1], "label of row 0 is -1"),
        ("mape", [1, 0], [1, 1], "label of row 1 is 0; a relative error needs labels other than 0"),
        ("median_ape", [0], [1], "label of row 0 is 0"),
        ("rmse", [1, np.nan], [1, 1], "label of row 1 is unknown"),
        ("rmse", [1, 1], [np.inf, 1], "prediction of row 0 is unknown"),
        ("rmse", [], [], "no rows to judge"),
        ("rmse", [1, 2], [1], "expected one each per row"),
    ],
)
def test_what_cannot_be_judged_is_refused(name: str, label: list[float], prediction: list[float], said: str) -> None:
    with pytest.raises(DataError, match=said):
        METRICS[name](label, prediction)


@pytest.mark.parametrize("weight", [[0, 0], [-1, 2], [np.nan, 1]])
def test_weights_that_mean_nothing_are_refused(weight: list[float]) -> None:
    with pytest.raises(DataError, match="weights must be finite, not negative, and not all zero"):
        METRICS["rmse"]([1, 2], [1, 2], weight)


def test_an_unknown_metric_names_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"no metric 'rsme'; expected one of accuracy, auc, auc_event, bias.*rmse"):
        find("rsme")
    assert find("rmse") is METRICS["rmse"]


def test_a_metric_of_ones_own_is_the_mean_of_its_losses() -> None:
    dear = of_losses("dear", lambda label, told: np.where(told < label, 5.0, 1.0) * np.abs(label - told))
    assert dear([1, 2], [2, 1]) == 3.0
    assert dear([1, 2], [2, 1], [1, 3]) == 4.0
    assert find("dear", {"dear": dear}) is dear
    assert find("rmse", {"dear": dear}) is METRICS["rmse"]
    with pytest.raises(DataError, match="one of accuracy, auc, auc_event, bias, brier, dear"):
        find("other", {"dear": dear})
    for wrong in (lambda label, told: 1.0, lambda label, told: label / 0.0 * np.inf):
        with np.errstate(divide="ignore"), pytest.raises(DataError, match="odd: expected 2 finite losses, one a row"):
            of_losses("odd", wrong)([1, 2], [2, 1])


CODES = np.array([0.0, 1.0, 1.0, 0.0])
CHANCES = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.3, 0.7]])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("log_loss", -np.log([0.9, 0.6, 0.3, 0.3]).mean()),
        ("brier", (0.01 + 0.16 + 0.49 + 0.49) / 4),
        ("accuracy", 0.5),
        ("f1", 0.5),  # one hit, two told, two true
        ("auc", 0.5),  # of four pairs two are in order
    ],
)
def test_classes_by_hand(name: str, value: float) -> None:
    assert METRICS[name](CODES, CHANCES) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("count", [2, 4])
def test_classes_agree_with_scikit_learn(count: int) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    random = np.random.default_rng(5)
    label = random.integers(0, count, 400).astype(float)
    told = random.dirichlet(np.ones(count), 400).round(2) + 1e-3  # rounded, so that there are ties
    told /= told.sum(axis=1, keepdims=True)
    weight = random.random(400)
    decided = told.argmax(axis=1)
    average = "binary" if count == 2 else "macro"
    chance = told[:, 1] if count == 2 else told
    theirs = {
        "log_loss": sklearn.log_loss(label, told, sample_weight=weight),
        "brier": sklearn.brier_score_loss(label, chance, sample_weight=weight),
        "accuracy": sklearn.accuracy_score(label, decided, sample_weight=weight),
        "f1": sklearn.f1_score(label, decided, sample_weight=weight, average=average),
    }
    for name, value in theirs.items():
        assert METRICS[name](label, told, weight) == pytest.approx(value, rel=1e-12), name
    more = {} if count == 2 else {"multi_class": "ovr", "average": "macro"}
    assert METRICS["auc"](label, told) == pytest.approx(sklearn.roc_auc_score(label, chance, **more), rel=1e-12)
    assert names("class") == ("accuracy", "auc", "brier", "f1", "log_loss")


def test_a_class_that_never_occurs_has_no_say() -> None:
    told = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1]])
    assert METRICS["f1"]([0, 1], told) == 1.0
    assert METRICS["auc"]([0, 1], told) == 1.0
    assert np.isnan(METRICS["auc"]([1, 1], told))
    assert METRICS["log_loss"]([2, 2], np.array([[1.0, 0.0, 0.0]] * 2)) == pytest.approx(-np.log(1e-6))


def test_another_rule_of_decision_changes_what_judges_decisions_only() -> None:
    bold = lambda told: (told[:, 1] >= 0.3).astype(np.int64)  # noqa: E731
    assert deciding(METRICS["f1"], bold)(CODES, CHANCES) == pytest.approx(2 * 2 / (3 + 2))
    assert deciding(METRICS["accuracy"], bold)(CODES, CHANCES) == 0.75
    assert deciding(METRICS["log_loss"], bold) is METRICS["log_loss"]


@pytest.mark.parametrize(
    ("name", "label", "told", "said"),
    [
        ("log_loss", [0, 2], [[0.5, 0.5]] * 2, "label of row 1 is 2; expected the code of one of 2"),
        ("brier", [0, 0.5], [[0.5, 0.5]] * 2, "label of row 1 is 0.5; expected the code"),
        ("accuracy", [0, 1], [[0.5, 0.5], [0.5, 0.6]], "prediction of row 1 .* expected probabilities that sum to 1"),
        ("auc", [0, 1], [[0.5, 0.5], [np.nan, 0.6]], "prediction of row 1 is unknown"),
        ("f1", [0, 1], [0.5, 0.6], "f1: judges probabilities of classes .*, and these are numbers"),
        ("rmse", [0, 1], [[0.5, 0.5]] * 2, "rmse: judges numbers, and these are probabilities of 2 classes"),
    ],
)
def test_what_is_no_class_is_refused(name: str, label: list[float], told: object, said: str) -> None:
    with pytest.raises(DataError, match=said):
        METRICS[name](label, told)  # type: ignore[arg-type]


def test_a_metric_that_does_not_fit_the_task_names_those_that_do() -> None:
    assert fitting("log_loss", "class") is METRICS["log_loss"]
    with pytest.raises(DataError, match="metric rmse does not judge a class; expected one of accuracy, auc, brier, f1"):
        fitting("rmse", "class")
    with pytest.raises(DataError, match="no metric 'acuracy'; expected one of accuracy"):
        fitting("acuracy", "class")
    dear = of_losses("dear", lambda label, told: np.abs(label))
    assert fitting("dear", "class", {"dear": dear}) is dear


@pytest.mark.parametrize("count", [2, 3])
def test_what_rows_add_to_the_area_has_its_mean_and_its_spread(count: int) -> None:
    random = np.random.default_rng(8)
    label = random.integers(0, count, 300).astype(float)
    told = random.dirichlet(np.ones(count), 300)
    told[np.arange(300), label.astype(int)] += 0.4
    told = (told / told.sum(axis=1, keepdims=True)).round(3)
    told[:, 0] += 1 - told.sum(axis=1)
    weight = random.integers(1, 4, 300).astype(float)
    auc = METRICS["auc"]
    assert auc.influence is not None
    for weights in (None, weight):
        moved = auc.influence(label, told, weights)
        assert np.average(moved, weights=weights) == pytest.approx(auc(label, told, weights), abs=1e-12)
    drawn = [random.integers(0, 300, 300) for _ in range(400)]
    spread = np.std([auc(label[rows], told[rows]) for rows in drawn])
    assert auc.influence(label, told, None).std() / np.sqrt(300) == pytest.approx(spread, rel=0.12)
