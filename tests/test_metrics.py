"""Metrics: the values of textbook formulas, and what they refuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.errors import DataError
from asof.metrics import METRICS, PREDICTION_FLOOR, find, losses, of_losses, unit_poisson_deviance

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
    for name, metric in METRICS.items():
        repeated = metric(np.repeat(label, times), np.repeat(prediction, times))
        assert metric(label, prediction, weight) == pytest.approx(repeated, rel=1e-9, abs=1e-9, nan_ok=True), name


def test_a_perfect_prediction_has_no_loss() -> None:
    label = np.array([1.0, 2.0, 5.0])
    for name, metric in METRICS.items():
        assert metric(label, label) == (1.0 if name == "r2" else 0.0), name


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
    with pytest.raises(DataError, match=r"no metric 'rsme'; expected one of bias, mae.*rmse"):
        find("rsme")
    assert find("rmse") is METRICS["rmse"]


def test_a_metric_of_ones_own_is_the_mean_of_its_losses() -> None:
    dear = of_losses("dear", lambda label, told: np.where(told < label, 5.0, 1.0) * np.abs(label - told))
    assert dear([1, 2], [2, 1]) == 3.0
    assert dear([1, 2], [2, 1], [1, 3]) == 4.0
    assert find("dear", {"dear": dear}) is dear
    assert find("rmse", {"dear": dear}) is METRICS["rmse"]
    with pytest.raises(DataError, match="one of bias, dear, mae"):
        find("other", {"dear": dear})
    for wrong in (lambda label, told: 1.0, lambda label, told: label / 0.0 * np.inf):
        with np.errstate(divide="ignore"), pytest.raises(DataError, match="odd: expected 2 finite losses, one a row"):
            of_losses("odd", wrong)([1, 2], [2, 1])
