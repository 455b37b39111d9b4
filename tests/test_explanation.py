"""Reasons: additive for every recipe, exact where all subsets can be tried, the same alone and among others."""

from collections.abc import Callable, Mapping
from itertools import combinations
from math import factorial

import numpy as np
import polars as pl
import pytest

from asof import explanation, recipes
from asof.data import Table
from asof.errors import DataError
from asof.estimators.portfolio import baselines, portfolio
from asof.explanation import Explanation
from asof.recipes import Blend, Recipe
from asof.testing.encoders import sample

FAST = {
    "lightgbm": {"rounds": 20, "min_data_in_leaf": 10},
    "poisson_boosted": {"rounds": 20, "min_data_in_leaf": 10},
    "xgboost": {"rounds": 20},
    "catboost": {"rounds": 20},
    "random_forest": {"trees": 5},
    "extra_trees": {"trees": 5},
}


def table(seed: int = 7) -> Table:
    given = sample(240, seed)
    return Table(given.features.with_columns(given.features["rate"].round().alias("crashes_lag_7d")), given.label)


def fast(recipe: Recipe) -> Recipe:
    params = FAST.get(recipe.estimator, {})
    return Recipe(recipe.name, recipe.encoders, recipe.estimator, params, recipe.loss, task=recipe.task)


ALL = [fast(recipe) for task in ("count", "number") for recipe in (*baselines(task), *portfolio(task))]
BLEND = Blend("both", (ALL[-1], ALL[-2]), (0.75, 0.25))


class Formula:
    """A model that is a function of its columns, as a plug-in may be."""

    def __init__(self, function: Callable[..., pl.Expr], columns: Mapping[str, str]) -> None:
        self.columns, self._function = columns, function
        self.asked = 0

    def predict(self, features: pl.DataFrame) -> np.ndarray:
        self.asked += features.height
        return features.select(self._function(*map(pl.col, self.columns)).cast(pl.Float64)).to_series().to_numpy()


def exact(model: Formula, question: pl.DataFrame, background: pl.DataFrame) -> list[float]:
    """Shapley values by all subsets of the features (Shapley 1953): slow, and nothing but the definition."""
    names = list(model.columns)

    def worth(kept: tuple[str, ...]) -> float:
        mixed = background.with_columns(pl.lit(question[name][0], question[name].dtype).alias(name) for name in kept)
        return float(model.predict(mixed).mean())

    values = []
    for name in names:
        others = [other for other in names if other != name]
        value = 0.0
        for size in range(len(others) + 1):
            weight = factorial(size) * factorial(len(others) - size) / factorial(len(names))
            value += weight * sum(worth((*kept, name)) - worth(kept) for kept in combinations(others, size))
        values.append(value)
    return values


@pytest.mark.parametrize("recipe", [*ALL, BLEND], ids=lambda recipe: recipe.name)
def test_base_and_reasons_sum_to_the_prediction(recipe: Recipe | Blend) -> None:
    model = recipes.fit(recipe, table(), seed=1)
    asked, background = table(seed=8).features.head(20), explanation.usual(model, table().features, 6)
    told = explanation.explain(model, asked, background)
    assert told.reasons.columns == list(model.columns)
    assert told.reasons.schema == dict.fromkeys(model.columns, pl.Float64)
    assert told.base == pytest.approx(model.predict(background).mean())
    sums = told.base + told.reasons.sum_horizontal().to_numpy()
    np.testing.assert_allclose(sums, model.predict(asked), rtol=1e-9, atol=1e-9)
    grouped = explanation.grouped(told, explanation.families(told.reasons.columns, ["crashes"]))
    np.testing.assert_allclose(grouped.reasons.sum_horizontal(), told.reasons.sum_horizontal(), atol=1e-12)


FRAME = pl.DataFrame(
    {
        "a": [1.0, 2.0, None, 4.0, 0.5, 3.0],
        "b": [0.0, 1.0, 5.0, None, 2.0, 2.0],
        "c": ["x", "y", "x", None, "z", "y"],
        "d": [3.0, 1.0, 4.0, 1.0, 5.0, 9.0],
    }
)
KINDS = {"a": "number", "b": "number", "c": "text", "d": "number"}


def pairwise(a: pl.Expr, b: pl.Expr, c: pl.Expr, d: pl.Expr) -> pl.Expr:
    known = a.fill_null(-1.0)
    return known * b.fill_null(7.0) + d * (c == "x").fill_null(value=False) - 2 * known + d**2


def threefold(a: pl.Expr, b: pl.Expr, c: pl.Expr, d: pl.Expr) -> pl.Expr:
    return a.fill_null(-1.0) * b.fill_null(7.0) * d + (c == "x").fill_null(value=True) * d


def test_pairwise_interactions_are_shared_out_exactly() -> None:
    model = Formula(pairwise, KINDS)
    told = explanation.explain(model, FRAME.head(4), FRAME.tail(2), seed=3)
    for row in range(4):
        expected = exact(model, FRAME[row : row + 1], FRAME.tail(2))
        assert list(told.reasons.row(row)) == pytest.approx(expected, abs=1e-9)


def test_more_walks_come_nearer_to_what_all_subsets_say() -> None:
    model = Formula(threefold, KINDS)
    expected = np.array([exact(model, FRAME[row : row + 1], FRAME.tail(2)) for row in range(4)])

    def miss(walks: int) -> float:
        told = explanation.explain(model, FRAME.head(4), FRAME.tail(2), walks=walks)
        return float(np.abs(told.reasons.to_numpy() - expected).max())

    assert np.abs(expected).max() > 20
    assert miss(400) < 1.0
    assert miss(400) < miss(1) / 4


def test_what_changes_nothing_has_no_reason_and_costs_nothing() -> None:
    model = Formula(lambda a, b: a * 2 + b * 0, {"a": "number", "b": "number"})
    asked, same = FRAME.select("a", "b").head(1), FRAME.select("a", "b").head(1)
    told = explanation.explain(model, asked, same)
    assert told.reasons.row(0) == (0.0, 0.0)
    assert model.asked == 2, "equal rows are asked once each and never mixed"
    other = explanation.explain(model, asked, FRAME.select("a", "b")[1:2])
    assert other.reasons.row(0) == pytest.approx((-2.0, 0.0))


def test_a_question_has_the_same_reasons_alone_and_among_others() -> None:
    model = recipes.fit(fast(next(r for r in portfolio("count") if r.name == "lightgbm")), table(), seed=1)
    asked, background = table(seed=8).features.head(30), table().features.head(5)
    among = explanation.explain(model, asked, background, seed=2)
    for row in (0, 7, 29):
        alone = explanation.explain(model, asked[row : row + 1], background, seed=2)
        assert alone.reasons.row(0) == among.reasons.row(row)
    assert not explanation.explain(model, asked, background, seed=3).reasons.equals(among.reasons)


class Chances:
    """Probabilities of three classes, from one number."""

    columns: Mapping[str, str] = {"a": "number"}

    def predict(self, features: pl.DataFrame) -> np.ndarray:
        grown = np.exp(features["a"].to_numpy()[:, None] * np.array([0.0, 0.5, 1.0]))
        return np.asarray(grown / grown.sum(axis=1, keepdims=True))


def test_of_classes_the_probability_of_one_is_explained() -> None:
    asked, background = pl.DataFrame({"a": [2.0, -1.0]}), pl.DataFrame({"a": [0.0, 0.5]})
    chances = Chances().predict(asked)
    for label in range(3):
        told = explanation.explain(Chances(), asked, background, label=label)
        np.testing.assert_allclose(told.predictions, chances[:, label])
        np.testing.assert_allclose(told.base + told.reasons["a"].to_numpy(), chances[:, label], atol=1e-12)
    for wrong in (None, 3, -1):
        with pytest.raises(DataError, match="probabilities of 3 classes"):
            explanation.explain(Chances(), asked, background, label=wrong)
    with pytest.raises(DataError, match="the model gives numbers, asked was for label 1"):
        explanation.explain(Formula(lambda a: a, {"a": "number"}), asked, background, label=1)


def test_what_cannot_be_explained_is_named() -> None:
    model = Formula(lambda a, b: a + b, {"a": "number", "b": "number"})
    with pytest.raises(DataError, match="without b;"):
        explanation.explain(model, FRAME.select("a"), FRAME)
    with pytest.raises(DataError, match="of no rows"):
        explanation.explain(model, FRAME, FRAME.clear())


def test_the_usual_rows_are_spread_over_the_predictions() -> None:
    model = Formula(lambda a: a, {"a": "number"})
    frame = pl.DataFrame({"a": np.random.default_rng(1).permutation(1000.0 * np.arange(100) / 100)})
    chosen = explanation.usual(model, frame, 4)
    assert sorted(chosen["a"].to_list()) == [120.0, 370.0, 620.0, 870.0]
    assert explanation.usual(model, frame.head(3), 4).equals(frame.head(3))
    assert explanation.affordable(71) == 58
    assert explanation.affordable(2) == 200
    assert explanation.affordable(5000) == 8


def test_importance_is_the_mean_size_of_reasons() -> None:
    told = Explanation(1.0, pl.DataFrame({"x": [1.0, -3.0], "y": [-1.0, 1.0], "z": [1.0, -1.0]}), np.array([2.0, -2.0]))
    assert explanation.importance(told).rows() == [("x", 2.0, 0.5), ("y", 1.0, 0.25), ("z", 1.0, 0.25)]
    both = explanation.grouped(told, {"y": "yz", "z": "yz"})
    assert both.reasons.columns == ["x", "yz"]
    assert explanation.importance(both).rows() == [("x", 2.0, 1.0), ("yz", 0.0, 0.0)]
    nothing = Explanation(1.0, pl.DataFrame({"x": [0.0]}), np.array([1.0]))
    assert explanation.importance(nothing).rows() == [("x", 0.0, 0.0)]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("crashes_mean_28d", "past crashes here"),
        ("crashes_coarser_same_weekday_91d", "past crashes in its area"),
        ("crashes_neighbours_ratio_7d_91d", "past crashes next to it"),
        ("crashes_all_lag_7d", "past crashes everywhere"),
        ("crashes_injured_sum_28d", "past crashes here"),
        ("crashes_days_since", "past crashes here"),
        ("crashes_reports_open", "crashes reports"),
        ("weather_age_hours", "weather"),
        ("day_of_year_sin", "time of the year"),
        ("coarser", "the place itself"),
        ("own.lot_area", "lot_area"),
        ("busy_index", "busy_index"),
    ],
)
def test_features_of_one_origin_belong_together(name: str, family: str) -> None:
    assert explanation.families([name], ["crashes", "crashes_reports", "weather"]) == {name: family}
