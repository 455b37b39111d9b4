"""Features that lookups add to a row's own columns are used where forward folds say that they pay."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from asof import metrics, recipes, tuning
from asof.data import Table
from asof.estimators.portfolio import Facts, portfolio
from asof.tuning import Plan, Selection
from asof.tuning.forms import Forms, opposed, probes

FAMILIES = {"calendar": ("month", "day_of_year"), "history": ("sales_covered_182d",), "around": ("around_price",)}
DAY, LAST = 300, 240
PER_DAY = 6


def world() -> tuple[np.ndarray, Table]:
    """Prices of 300 days: by size and by a hidden quality of the spot, of which the neighbours tell a little.

    Time does nothing, but less than a year of it is known: the calendar and what fills up can only mislead.
    """
    draw = np.random.default_rng(4)
    day = np.repeat(np.arange(DAY), PER_DAY)
    spot, size = draw.normal(size=day.size), draw.normal(size=day.size)
    wave = 0.15 * np.sin(day / 20.0)  # a passing mood
    price = np.exp(12 + 0.3 * size + 0.4 * spot + wave + 0.1 * draw.normal(size=day.size))
    features = pl.DataFrame(
        {
            "size": size,
            "month": 1.0 + day // 30,
            "day_of_year": 1.0 + day,
            "sales_covered_182d": np.minimum(day / 182, 1.0),
            "around_price": np.exp(12 + 0.4 * spot + 0.1 * draw.normal(size=day.size)),
        }
    )
    return day, Table(features, pl.Series("label", price))


def part(day: np.ndarray, table: Table, first: int, until: int) -> Table:
    rows = np.flatnonzero((day >= first) & (day < until))
    return Table(table.features[rows], table.label[rows])


@pytest.fixture(scope="module")
def chosen() -> Selection:
    return select(families=FAMILIES)


def select(**more: Any) -> Selection:
    day, table = world()
    folds = [(part(day, table, 0, cut), part(day, table, cut, cut + 20)) for cut in (180, 200, 220)]
    given: dict[str, Any] = {"candidates": ("linear_log", "extra_trees_log"), "clock": iter(range(10_000)).__next__}
    return tuning.select(folds, task="number", metric="rmsle", budget_seconds=60, **given, **more)


def test_what_pays_is_kept_and_what_tells_the_time_is_left_out(chosen: Selection) -> None:
    best = min((t for t in chosen.plan.trials if t.stage == "portfolio"), key=lambda trial: trial.score)
    assert best.recipe.name.endswith("without calendar, history")


def test_it_is_not_worse_than_the_own_columns_alone_on_what_follows(chosen: Selection) -> None:
    day, table = world()
    learn, after = part(day, table, 0, LAST), part(day, table, LAST, DAY)
    told = recipes.fit(chosen.chosen, learn).predict(after.features)
    alone = recipes.fit(
        next(t.recipe for t in chosen.plan.trials if t.recipe.name == "linear_log without calendar, history, around"),
        learn,
    ).predict(after.features)
    rmsle = metrics.find("rmsle")
    assert rmsle(after.label, told) < 0.6 * rmsle(after.label, alone)


def test_the_plan_of_what_was_left_out_is_replayed_to_the_bit(chosen: Selection) -> None:
    day, table = world()
    folds = [(part(day, table, 0, cut), part(day, table, cut, cut + 20)) for cut in (180, 200, 220)]
    again = tuning.replay(Plan.read(chosen.plan.write()), folds)
    assert again.plan == chosen.plan


def test_without_time_for_a_look_everything_is_used_that_does_not_tell_when() -> None:
    _, table = world()
    forms = Forms.of(FAMILIES, table)
    assert forms.moving == {"month", "day_of_year", "sales_covered_182d"}
    recipe = recipes.Recipe("mean", (), "mean")
    assert forms.found([recipe], lambda _: None) == {"calendar", "history", "around"}
    used = forms.applied(recipe, frozenset(FAMILIES))
    assert recipes.encode(used.encoders, table).table.features.columns == ["size", "around_price"]
    assert forms.applied(recipe, frozenset({"around"})).name == "mean without calendar, history"


def test_recipes_stay_as_they_are_where_no_family_is_named_or_nothing_moves() -> None:
    _, table = world()
    recipe = recipes.Recipe("mean", (), "mean")
    assert Forms.of({}, table).applied(recipe, frozenset()) == recipe
    steady = Forms.of({"around": ("around_price",)}, table)
    assert steady.applied(recipe, frozenset({"around"})) == recipe


def test_forms_are_told_apart_by_a_line_and_by_trees() -> None:
    for skew in (0.0, 5.0):
        many = portfolio("number", metric="rmse", label=Facts(1.0, 0.0, skew))
        assert [recipe.estimator for recipe in probes(many)] == ["linear", "lightgbm"]
    assert probes(()) == ()


def rising() -> tuple[np.ndarray, Table]:
    """A market that rises ever faster after day 180; what neighbours tell rises with it, and it is told apart too."""
    day, table = world()
    level = np.exp(0.00004 * np.maximum(day - 180, 0) ** 2)
    around = table.features["around_price"].to_numpy() * np.exp(0.3 * table.features["size"].to_numpy())
    told = table.features.with_columns(around_price=around * level)
    return day, Table(told, pl.Series("label", table.label.to_numpy() * level))


def test_candidates_are_also_learnt_against_what_a_lookup_says_and_judged_beside_the_others() -> None:
    day, table = rising()
    folds = [(part(day, table, 0, cut), part(day, table, cut, cut + 20)) for cut in (240, 280)]
    terms: dict[str, Any] = {"task": "number", "metric": "rmsle", "against": ("around_price", "month", "no_such")}
    terms["families"] = {"calendar": ("month", "day_of_year", "sales_covered_182d"), "around": ("around_price",)}
    wanted, clock = ("catboost_log",), iter(range(10_000)).__next__
    found = tuning.select(folds, candidates=wanted, clock=clock, budget_seconds=34, **terms)
    scores = {t.recipe.name: t.score for t in found.plan.trials if t.stage == "portfolio"}
    plain = "catboost_log without calendar"
    assert [name for name in scores if "against" in name] == [f"{plain} against around_price"]  # month does not pay
    assert scores[f"{plain} against around_price"] < 0.95 * scores[plain]
    assert tuning.replay(Plan.read(found.plan.write()), folds).plan == found.plan
    named = tuning.select(folds, model="catboost_log", budget_seconds=0, **terms)
    assert not any("against" in trial.recipe.name for trial in named.plan.trials)


def test_what_lost_by_it_is_not_learnt_against_anything() -> None:
    forest, kernel = recipes.Recipe("forest", (), "random_forest"), recipes.Recipe("kernel", (), "kernel")
    assert opposed(forest, ["around_price"]) == (forest,)
    assert opposed(kernel, []) == (kernel,)
    assert opposed(kernel, ["around_price"])[1].against == "around_price"
