"""Recipes learnt against a feature: what it says is taken off the label and put back on what is predicted."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import recipes
from asof.data import Table
from asof.encoders import EncoderPlan
from asof.errors import DataError
from asof.recipes import Recipe

IMPUTED = (EncoderPlan("impute"), EncoderPlan("scale"))
FAST: dict[str, dict[str, Any]] = {
    "linear": {},
    "kernel": {},
    "linear_boosted": {"rounds": 30},
    "lightgbm": {"rounds": 30},
    "xgboost": {"rounds": 30},
    "catboost": {"rounds": 30},
    "random_forest": {"trees": 5},
    "extra_trees": {"trees": 5},
}


def market(level: float, *, rows: int = 400, seed: int = 0, lost: float = 0.0) -> Table:
    """Prices in a market at ``level``: what neighbours tell follows it, and a good house fetches a fifth more."""
    draw = np.random.default_rng(seed)
    good = draw.integers(0, 2, rows).astype(float)
    told = level * np.exp(draw.normal(0, 0.3, rows))
    price = told * np.exp(0.2 * good + draw.normal(0, 0.01, rows))
    known = draw.random(rows) >= lost
    columns = {"good": good, "told": [one if there else None for one, there in zip(told, known, strict=True)]}
    return Table(pl.DataFrame(columns), pl.Series("price", price))


@pytest.mark.parametrize("estimator", FAST)
def test_a_market_that_has_doubled_is_followed_where_trees_alone_know_no_such_price(
    estimator: str, tmp_path: Path
) -> None:
    recipe = Recipe("r", IMPUTED, estimator, FAST[estimator], "log_squared", task="number", against="told")
    later = market(2000.0, seed=1)
    model = recipes.fit(recipe, market(1000.0))
    told = model.predict(later.features)
    error = np.log(told) - np.log(later.label.to_numpy())
    assert np.sqrt((error**2).mean()) < 0.12
    model.save(tmp_path / "model")
    again = recipes.load(tmp_path / "model")
    assert np.array_equal(again.predict(later.features), told)
    assert again.fingerprint() == model.fingerprint()
    alone = np.concatenate([model.predict(later.features[at : at + 1]) for at in range(0, 400, 40)])
    assert np.array_equal(alone, told[::40])


def test_without_logarithms_the_column_itself_is_taken_off() -> None:
    table = market(1000.0)
    shifted = replace(table, label=table.features["told"] + 50 + 10 * table.features["good"])
    recipe = Recipe("r", IMPUTED, "linear", {"alpha": 1e-6}, task="number", against="told")
    later = pl.DataFrame({"good": [0.0, 1.0], "told": [1e6, -300.0]})
    assert recipes.fit(recipe, shifted).predict(later) == pytest.approx([1e6 + 50, -240], abs=1e-3)


def test_a_mean_is_told_without_bias() -> None:
    draw = np.random.default_rng(3)
    told = np.exp(draw.normal(7, 1, 4000))
    price = told * np.exp(draw.normal(0, 0.8, 4000))
    table = Table(pl.DataFrame({"told": told}), pl.Series(price))
    ratio = {}
    for loss in ("log_squared", "log_mean"):
        recipe = Recipe("r", IMPUTED, "linear", loss=loss, task="number", against="told")
        ratio[loss] = recipes.fit(recipe, table).predict(table.features).mean() / price.mean()
    assert ratio["log_mean"] == pytest.approx(1, abs=0.05)
    assert ratio["log_squared"] < 0.8


def test_where_the_column_is_unknown_its_median_stands_for_it() -> None:
    recipe = Recipe("r", IMPUTED, "linear", loss="log_squared", task="number", against="told")
    table = market(1000.0, lost=0.2)
    model = recipes.fit(recipe, table)
    middle = float(np.median(np.log1p(table.features["told"].drop_nulls().to_numpy())))
    assert isinstance(model, recipes.RecipeModel)
    assert model.offset is not None
    assert model.offset.level == middle
    asked = pl.DataFrame({"good": [0.0, 0.0, 0.0, 0.0], "told": [None, float("nan"), -5.0, np.expm1(middle)]})
    told = model.predict(asked)
    assert told[:3] == pytest.approx([told[0]] * 3, rel=0.05)
    assert 600 < told[0] < 1600


def test_what_cannot_be_learnt_against_is_refused_by_name() -> None:
    table = market(1000.0)
    recipe = Recipe("r", IMPUTED, "linear", loss="log_squared", task="number", against="tld")
    with pytest.raises(DataError, match="there is no feature tld"):
        recipes.fit(recipe, table)
    words = Table(table.features.with_columns(told=pl.lit("a")), table.label)
    with pytest.raises(DataError, match="feature told is String"):
        recipes.fit(replace(recipe, against="told"), words)
    never = Table(table.features.with_columns(told=pl.lit(None, pl.Float64)), table.label)
    with pytest.raises(DataError, match="feature told is known of no training question"):
        recipes.fit(replace(recipe, against="told"), never)
    with pytest.raises(DataError, match="a count cannot be learnt against a feature"):
        recipes.fit(replace(recipe, against="told", task="count", loss=""), table)


def test_a_plan_says_so_only_where_it_is_used() -> None:
    plain = Recipe("r", IMPUTED, "linear")
    assert "against" not in recipes.plan_of(plain)
    learnt = replace(plain, against="told")
    assert recipes.plan_of(learnt)["against"] == "told"
    assert recipes.read_plan(recipes.plan_of(learnt)) == learnt
