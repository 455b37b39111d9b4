"""Recipes: plain data both ways, models kept to the bit, fingerprints, and what is refused."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import recipes
from asof.data import Table
from asof.encoders import EncoderPlan, State
from asof.errors import DataError
from asof.estimators.portfolio import RATES, baselines, facts, names, portfolio
from asof.metrics import METRICS
from asof.recipes import Blend, Recipe
from asof.testing.encoders import sample

FAST: dict[str, dict[str, Any]] = {
    "lightgbm": {"rounds": 20, "min_data_in_leaf": 10},
    "poisson_boosted": {"rounds": 20, "min_data_in_leaf": 10},
    "linear_boosted": {"rounds": 20, "min_data_in_leaf": 10},
    "two_part": {"rounds": 20, "min_data_in_leaf": 10},
    "xgboost": {"rounds": 20},
    "catboost": {"rounds": 20},
    "random_forest": {"trees": 5},
    "extra_trees": {"trees": 5},
}


def panel(rows: int = 240, seed: int = 7) -> Table:
    given = sample(rows, seed)
    lag = given.features["rate"].round().alias("crashes_lag_7d")
    return Table(given.features.with_columns(lag), given.label)


def fast(recipe: Recipe) -> Recipe:
    params = FAST.get(recipe.estimator, {})
    return replace(recipe, params=params)


ALL = [fast(recipe) for task in ("count", "number") for recipe in (*baselines(task), *portfolio(task))]
ALL += [fast(recipe) for recipe in portfolio("number", metric="rmse", label=facts(panel().label))[:6]]
OF_CLASSES = [fast(recipe) for k in (2, 3) for recipe in (*baselines("class", k)[:2], *portfolio("class", classes=k))]


@pytest.mark.parametrize("recipe", OF_CLASSES, ids=lambda recipe: f"{recipe.name}-{recipe.classes}")
def test_every_recipe_of_classes_is_kept_to_the_bit(recipe: Recipe, tmp_path: Path) -> None:
    table = panel()
    codes = np.minimum(table.label.to_numpy(), recipe.classes - 1)
    model = recipes.fit(recipe, Table(table.features, pl.Series("label", codes)), seed=1)
    later = panel(seed=8).features
    told = model.predict(later)
    assert told.shape == (240, recipe.classes)
    assert told.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert told.min() > 0
    model.save(tmp_path / "model")
    again = recipes.load(tmp_path / "model")
    assert np.array_equal(again.predict(later), told)
    assert (again.fingerprint(), again.recipe, again.rounds) == (model.fingerprint(), recipe, model.rounds)
    assert np.array_equal(np.concatenate([again.predict(later[row : row + 1]) for row in range(9)]), told[:9])
    assert recipes.read_plan(json.loads(json.dumps(recipes.plan_of(recipe)))) == recipe
    assert {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()} <= {
        ".json",
        ".npy",
        ".txt",
        ".ubj",
    }


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: f"{recipe.name}-{recipe.task}")
def test_every_recipe_of_the_portfolio_is_kept_to_the_bit(recipe: Recipe, tmp_path: Path) -> None:
    model = recipes.fit(recipe, panel(), seed=1)
    later = panel(seed=8).features
    told = model.predict(later)
    model.save(tmp_path / "model")
    again = recipes.load(tmp_path / "model")
    assert np.array_equal(again.predict(later), told)
    assert again.fingerprint() == model.fingerprint() == recipes.fit(recipe, panel(), seed=1).fingerprint()
    assert again.recipe == recipe
    assert again.rounds == model.rounds
    assert np.array_equal(np.concatenate([again.predict(later[row : row + 1]) for row in range(9)]), told[:9])
    assert recipe.task == "number" or told.min() >= 0
    kinds = {path.suffix for path in (tmp_path / "model").rglob("*") if path.is_file()}
    assert kinds <= {".json", ".npy", ".txt", ".ubj"}, "only plain files are kept"


@pytest.mark.parametrize("recipe", ALL, ids=lambda recipe: f"{recipe.name}-{recipe.task}")
def test_a_recipe_survives_json(recipe: Recipe) -> None:
    assert recipes.read_plan(json.loads(json.dumps(recipes.plan_of(recipe)))) == recipe


def test_what_is_no_recipe_is_refused() -> None:
    wrong: list[dict[str, Any]] = [
        {},
        {"name": "x", "encoders": [], "estimater": "mean"},
        {"recipes": [], "weights": []},
    ]
    for told in wrong:
        with pytest.raises(DataError, match="no recipe"):
            recipes.read_plan(told)


def test_a_fingerprint_tells_contents_apart() -> None:
    one = recipes.fit(Recipe("poisson", RATES, "poisson", task="count"), panel())
    changed = Recipe("poisson", RATES, "poisson", {"alpha": 0.5}, task="count")
    other = Table(panel().features, panel().label * 2)
    prints = {
        one.fingerprint(),
        recipes.fit(changed, panel()).fingerprint(),
        recipes.fit(Recipe("poisson", RATES, "poisson", task="count"), other).fingerprint(),
    }
    assert len(prints) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", text) for text in prints)


def test_a_blend_is_the_weighted_mean_and_is_kept_like_a_recipe(tmp_path: Path) -> None:
    first = fast(Recipe("lightgbm", (EncoderPlan("categories"),), "lightgbm", task="count"))
    second = Recipe("poisson", RATES, "poisson", task="count")
    blend = Blend("blend", (first, second), (0.25, 0.75))
    assert recipes.read_plan(json.loads(json.dumps(recipes.plan_of(blend)))) == blend
    model = recipes.fit(blend, panel(), seed=2)
    later = panel(seed=8).features
    parts = [recipes.fit(recipe, panel(), seed=2).predict(later) for recipe in (first, second)]
    assert np.array_equal(model.predict(later), 0.25 * parts[0] + 0.75 * parts[1])
    model.save(tmp_path)
    again = recipes.load(tmp_path)
    assert np.array_equal(again.predict(later), model.predict(later))
    assert again.fingerprint() == model.fingerprint()
    assert (again.recipe, again.rounds, dict(again.columns)) == (blend, None, dict(model.columns))


def test_features_that_do_not_fit_are_named() -> None:
    model = recipes.fit(Recipe("poisson", RATES, "poisson", task="count"), panel())
    features = panel().features
    with pytest.raises(DataError, match="missing rate, gaps; unknown speed"):
        model.predict(features.drop("rate", "gaps").with_columns(speed=1.0))
    with pytest.raises(DataError, match="feature rate is String; the model was made with number"):
        model.predict(features.with_columns(pl.col("rate").cast(pl.String)))
    shuffled = features.select(reversed(features.columns))
    assert np.array_equal(model.predict(shuffled), model.predict(features)), "the order of columns does not matter"
    empty = features.with_columns(pl.lit(None).alias("gaps"))
    assert np.isfinite(model.predict(empty)).all(), "a column of which nothing is known has no type"


def test_whole_numbers_and_infinities_are_read_as_numbers_and_unknowns() -> None:
    table = Table(pl.DataFrame({"a": [1, 2, 3, 4]}), pl.Series([1.0, 2.0, 3.0, 4.0]))
    plans = (EncoderPlan("impute"),)
    model = recipes.fit(Recipe("linear", plans, "linear", {"alpha": 0.0}), table)
    told = model.predict(pl.DataFrame({"a": [4.0, float("inf"), float("nan")]}))
    assert told == pytest.approx([4.0, 2.5, 2.5])  # the median stands in


def test_features_of_another_kind_are_refused() -> None:
    table = Table(pl.DataFrame({"a": [[1], [2]]}), pl.Series([1.0, 2.0]))
    with pytest.raises(DataError, match=r"feature a is List.*; expected numbers or text"):
        recipes.fit(Recipe("mean"), table)


@pytest.mark.parametrize(
    ("label", "message"),
    [([], "no training question"), ([1.0, None], "unknown or not finite"), ([1.0], "1 labels for 2 questions")],
)
def test_labels_that_cannot_be_learnt_are_refused(label: list[float | None], message: str) -> None:
    features = pl.DataFrame({"a": [1.0, 2.0][: max(len(label), 2) if label else 0]})
    with pytest.raises(DataError, match=message):
        recipes.fit(Recipe("mean"), Table(features, pl.Series(label, dtype=pl.Float64)))


def test_counts_are_never_negative_in_labels_or_predictions() -> None:
    table = Table(pl.DataFrame({"a": [0.0, 1.0, 2.0]}), pl.Series([0.0, 0.0, 3.0]))
    model = recipes.fit(Recipe("linear", (), "linear", {"alpha": 0.0}, task="count"), table)
    assert model.predict(pl.DataFrame({"a": [-5.0]})).tolist() == [0.0]
    with pytest.raises(DataError, match="a label is -1; counts are 0 or more"):
        recipes.fit(Recipe("mean", task="count"), Table(table.features, table.label - 1))


def test_a_task_that_the_estimator_does_not_know_is_refused() -> None:
    with pytest.raises(DataError, match="poisson does not predict a number"):
        recipes.fit(Recipe("poisson", RATES, "poisson", task="number"), panel())


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"model.json: no such file"):
        recipes.load(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(DataError, match="written by a later version"):
        recipes.load(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(DataError, match=r"model.json: .* damaged"):
        recipes.load(tmp_path)


def test_boosting_stops_on_the_watched_stretch() -> None:
    recipe = Recipe("lightgbm", (EncoderPlan("categories"),), "lightgbm", {"rounds": 400, "patience": 5}, task="count")
    model = recipes.fit(recipe, panel(), watch=panel(seed=9))
    assert model.rounds is not None
    assert 1 <= model.rounds < 400


class Shift:
    """A user's encoder: it adds a number to rates."""

    def __init__(self, by: float = 1.0) -> None:
        self.by = by

    def fit(self, table: Table) -> State:
        return {"by": self.by}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        return features.with_columns(pl.col("rate") + state["by"])


def test_parts_of_plug_ins_are_used_and_found_again(tmp_path: Path) -> None:
    plugins = SimpleNamespace(encoders={"shift": Shift}, estimators={})
    plans = (EncoderPlan("shift", {"by": 2.0}), EncoderPlan("target_mean"), EncoderPlan("impute"))
    model = recipes.fit(Recipe("mine", plans, "linear", task="count"), panel(), plugins=plugins)
    model.save(tmp_path)
    again = recipes.load(tmp_path, plugins=plugins)
    assert np.array_equal(again.predict(panel().features), model.predict(panel().features))
    with pytest.raises(DataError, match="no encoder 'shift'"):
        recipes.load(tmp_path)


def skewed(rows: int = 4000, seed: int = 5) -> Table:
    """Prices whose logarithm is a line with an error of 0.6."""
    draw = np.random.default_rng(seed)
    size = draw.normal(size=rows)
    price = np.exp(3.0 + 0.5 * size + 0.6 * draw.normal(size=rows))
    return Table(pl.DataFrame({"size": size}), pl.Series("label", price))


@pytest.mark.parametrize("estimator", ["linear", "lightgbm"])
def test_a_logarithm_is_told_as_its_middle_or_as_its_mean(estimator: str, tmp_path: Path) -> None:
    table, later = skewed(), skewed(seed=6)
    rounds = 60 if estimator == "lightgbm" else None
    middle, mean, plain = (
        recipes.fit(Recipe("r", (), estimator, loss=loss, rounds=rounds), table)
        for loss in ("log_squared", "log_mean", "")
    )
    label = later.label.to_numpy()
    told = [model.predict(later.features) for model in (middle, mean, plain)]
    assert METRICS["rmsle"](label, told[0]) < METRICS["rmsle"](label, told[2]) - 0.01
    assert np.median(label / told[0]) == pytest.approx(1, abs=0.04)
    assert abs(METRICS["bias"](label, told[1])) / label.mean() < 0.03
    assert METRICS["bias"](label, told[0]) / label.mean() < -0.1  # a middle is no mean
    assert told[1] + 1 == pytest.approx((told[0] + 1) * np.exp(0.6**2 / 2), rel=0.05)
    for model, expected in ((middle, told[0]), (mean, told[1])):
        model.save(tmp_path / model.fingerprint())
        again = recipes.load(tmp_path / model.fingerprint())
        assert np.array_equal(again.predict(later.features), expected)
        assert again.fingerprint() == model.fingerprint()


def test_a_logarithm_of_negative_labels_is_refused() -> None:
    table = skewed(10)
    with pytest.raises(DataError, match="a label is -3; the loss log_squared needs labels of 0 or more"):
        recipes.fit(Recipe("r", (), "linear", loss="log_squared"), Table(table.features, table.label * 0 - 3))


def test_a_class_that_training_lacks_is_told_to_be_improbable(tmp_path: Path) -> None:
    table = sample()
    codes = pl.Series("label", np.where(np.arange(len(table)) % 3, 0.0, 2.0))
    recipe = fast(portfolio("class", classes=4)[1])
    model = recipes.fit(recipe, Table(table.features, codes), seed=1)
    told = model.predict(table.features)
    assert told.shape == (240, 4)
    assert told[:, [1, 3]] == pytest.approx(1 / 244, rel=0.01)
    model.save(tmp_path)
    assert np.array_equal(recipes.load(tmp_path).predict(table.features), told)
    alone = recipes.fit(recipe, Table(table.features, codes * 0 + 2))
    assert alone.predict(table.features)[0] == pytest.approx(np.array([1, 1, 244, 1]) / 247)
    alone.save(tmp_path / "alone")
    assert np.array_equal(recipes.load(tmp_path / "alone").predict(table.features), alone.predict(table.features))
    with pytest.raises(DataError, match="a label is 4; expected codes 0 to 3"):
        recipes.fit(recipe, Table(table.features, codes * 2))


def test_where_ratios_are_judged_the_mean_to_beat_is_that_of_logarithms() -> None:
    label = [0.0, 0.0, 0.0, np.expm1(8.0)] * 10
    table = Table(pl.DataFrame({"a": [float(number % 3) for number in range(40)]}), pl.Series(label))
    told = {
        metric: recipes.fit(next(one for one in baselines("number", 0, metric) if one.name == "mean"), table)
        for metric in ("rmsle", "rmse")
    }
    assert told["rmsle"].predict(table.features)[0] == pytest.approx(np.expm1(2.0))
    assert told["rmse"].predict(table.features)[0] == pytest.approx(np.expm1(8.0) / 4)
    logs = [one.name for one in baselines("number", 0, "rmsle") if one.loss]
    assert logs == ["mean", "place_calendar", "best_column"]


@pytest.mark.parametrize(
    ("label", "metric", "expected"),
    [
        ([1.0, 2.0, 3.0], "rmse", ["linear", "kernel", "linear_boosted"]),
        ([1.0, 1.0, 1.0, 90.0], "rmse", ["linear_log", "linear", "kernel_log", "kernel", "linear_boosted_log"]),
        ([-1.0, 1.0, 1.0, 90.0], "rmse", ["linear", "kernel", "linear_boosted"]),
        ([1.0, 2.0, 3.0], "rmsle", ["linear_log", "kernel_log", "linear_boosted_log"]),
        ([0.0, 0.0, 1.0, 90.0], "rmse", ["linear_log", "linear", "lightgbm_tweedie", "two_part", "kernel_log"]),
        ([0.0, 0.0, 1.0, 90.0], "rmsle", ["linear_firm_log", "random_forest_firm_log", "two_part_log", "linear_log"]),
    ],
)
def test_labels_of_numbers_say_which_scales_are_tried(label: list[float], metric: str, expected: list[str]) -> None:
    made = portfolio("number", metric=metric, label=facts(pl.Series(label)))
    assert [recipe.name for recipe in made][: len(expected)] == expected
    losses = {recipe.loss for recipe in made if recipe.name.endswith("_log")}
    assert losses <= ({"log_squared"} if metric == "rmsle" else {"log_mean"})
    assert {recipe.name for recipe in made} <= set(names())
    assert {recipe.name for task in ("count", "number") for recipe in portfolio(task)} <= set(names())
