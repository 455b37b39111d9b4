"""Columns: how well one alone tells a label."""

import numpy as np
import polars as pl
import pytest

from asof.audit import columns
from asof.audit.columns import Target


def measured(column: pl.Series, label: np.ndarray, classes: int = 0) -> float:
    part = columns.parts(len(label), seed=1, blocks=False)
    return columns.told(column, Target.of(pl.Series(label, dtype=pl.Float64), classes), part)


X = np.random.default_rng(0).normal(size=4000)


@pytest.mark.parametrize(
    ("label", "share"),
    [
        (X, 1.0),
        (np.exp(3 * X), 1.0),
        (-X, 1.0),
        (X**2, 1.0),
        (np.sin(3 * X), 1.0),
        (np.random.default_rng(1).normal(size=4000), 0.0),
    ],
)
def test_a_relation_of_any_shape_is_seen(label: np.ndarray, share: float) -> None:
    assert measured(pl.Series(X), label) == pytest.approx(share, abs=4e-3 if share else 0.1)


def test_noise_leaves_its_share_untold() -> None:
    """Ranks of two normal values of correlation r correlate with 6 / pi asin(r / 2)."""
    noisy = X + np.random.default_rng(2).normal(size=4000)
    spearman = 6 / np.pi * np.arcsin(np.sqrt(0.5) / 2)
    assert measured(pl.Series(X), noisy) == pytest.approx(spearman**2, abs=0.03)


def test_text_tells_by_its_values_and_by_the_number_written_in_it() -> None:
    kinds = np.random.default_rng(3).integers(4, size=4000)
    assert measured(pl.Series(np.array(list("abcd"))[kinds]), kinds.astype(float)) == pytest.approx(1.0, abs=1e-3)
    prices = np.round(np.exp(X) * 100_000)
    assert measured(pl.Series([f"${price:,.0f}" for price in prices]), prices) > 0.999


def test_unknown_values_are_a_value_of_their_own() -> None:
    known = X > 0
    column = pl.Series(np.where(known, 1.0, np.nan)).fill_nan(None)
    assert measured(column, known.astype(float), classes=2) == 1.0


def test_equal_values_are_never_divided() -> None:
    """Rows sorted by label and equal in x tell nothing, in whatever order they stand."""
    assert measured(pl.Series(np.ones(1000)), np.arange(1000.0)) == pytest.approx(0.0, abs=0.02)
    halves = np.repeat([0.0, 1.0], 500)
    assert measured(pl.Series(halves), np.arange(1000.0)) == pytest.approx(0.75, abs=0.01)


def test_the_area_is_that_of_the_ranks() -> None:
    positive = np.array([False, False, True, True])
    assert columns.auc(positive, np.array([0.1, 0.4, 0.35, 0.8])) == 0.75
    assert columns.auc(positive, np.zeros(4)) == 0.5
    assert columns.auc(np.zeros(4, dtype=bool), np.arange(4.0)) == 0.5


def test_three_classes_are_told_by_their_mean_area() -> None:
    codes = np.repeat([0.0, 1.0, 2.0], 300)
    assert measured(pl.Series(codes), codes, classes=3) == 1.0
    assert measured(pl.Series((codes == 0).astype(float)), codes, classes=3) == pytest.approx(
        (1 + 0.75 + 0.75) / 3, abs=0.02
    )
