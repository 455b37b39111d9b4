"""Every estimator passes the exam; what each learns is stated with values."""

import math
import sys
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from asof import estimators
from asof.data import Table
from asof.errors import DataError
from asof.estimators import ESTIMATORS, Job
from asof.testing import estimators as exam

SMALL: dict[str, dict[str, Any]] = {
    "random_forest": {"trees": 8, "min_samples_leaf": 3},
    "extra_trees": {"trees": 8, "min_samples_leaf": 3},
    "lightgbm": {"rounds": 30, "min_data_in_leaf": 10, "patience": 5},
    "poisson_boosted": {"rounds": 20, "min_data_in_leaf": 10, "patience": 5},
    "linear_boosted": {"rounds": 20, "min_data_in_leaf": 10, "patience": 5},
    "two_part": {"rounds": 20, "min_data_in_leaf": 10, "patience": 5},
    "xgboost": {"rounds": 60, "patience": 5, "eta": 0.3, "lambda": 0.1, "min_child_weight": 1.0},
    "catboost": {"rounds": 20, "patience": 5},
}
FILLED = {"linear", "poisson", "poisson_boosted", "logistic", "linear_boosted", "kernel"}
OF = {name: ESTIMATORS[name]().tasks for name in ESTIMATORS}


@pytest.mark.parametrize("name", [name for name, tasks in OF.items() if tasks & {"count", "number"}])
def test_every_estimator_passes_the_exam(name: str) -> None:
    task = "count" if "count" in OF[name] else "number"
    exam.examine(lambda: estimators.make(name), task=task, params=SMALL.get(name, {}), filled=name in FILLED)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("name", [name for name, tasks in OF.items() if "class" in tasks])
def test_every_estimator_of_classes_passes_the_exam(name: str, classes: int) -> None:
    exam.examine(
        lambda: estimators.make(name),
        task="class",
        params=SMALL.get(name, {}),
        filled=name in FILLED,
        classes=classes,
    )


@pytest.mark.parametrize("name", ["linear", "random_forest", "lightgbm", "xgboost", "catboost"])
def test_numbers_are_learnt_by_squared_loss(name: str) -> None:
    exam.deterministic(exam.Paper(lambda: estimators.make(name), "number", SMALL.get(name, {}), filled=True))


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost"])
@pytest.mark.parametrize("loss", ["tweedie", "absolute"])
def test_boosters_know_other_losses(name: str, loss: str) -> None:
    paper = exam.Paper(lambda: estimators.make(name), "count", SMALL[name])
    table = paper.table()
    fitted = estimators.make(name).fit(table, paper.job(loss=loss), paper.table(seed=9))
    assert np.corrcoef(fitted.predict(table.features), table.features["rate"])[0, 1] > 0.5


def table(**columns: Any) -> Table:
    label = pl.Series("label", columns.pop("label"), dtype=pl.Float64)
    return Table(pl.DataFrame(columns), label)


def fit(name: str, given: Table, **params: Any) -> estimators.Fitted:
    return estimators.make(name).fit(given, Job("count", params=params))


def test_last_and_seasonal_repeat_a_feature_and_fall_back_on_the_mean() -> None:
    given = table(crashes_lag_1d=[1.0, None, 3.0], crashes_lag_7d=[4.0, 5.0, None], label=[2.0, 4.0, 6.0])
    assert fit("last", given).predict(given.features).tolist() == [1.0, 4.0, 3.0]
    assert fit("seasonal", given).predict(given.features).tolist() == [4.0, 5.0, 4.0]
    assert fit("mean", given).predict(given.features).tolist() == [4.0, 4.0, 4.0]
    with pytest.raises(DataError, match="no feature matches"):
        fit("seasonal", table(rate=[1.0], label=[1.0]))


def test_place_calendar_falls_back_on_coarser_places_and_the_whole() -> None:
    given = table(
        place=["a", "a", "b", "b"],
        coarser=["n", "n", "n", "n"],
        weekday=[0.0, 1.0, 0.0, 1.0],
        label=[1.0, 3.0, 5.0, 7.0],
    )
    asked = pl.DataFrame(
        {
            "place": ["a", "b", "new", "new", None],
            "coarser": ["n", "n", "n", "s", None],
            "weekday": [0.0, 5.0, 1.0, 5.0, None],
        }
    )
    # its own cell; b on any day; n on that day; nothing of s, nor of day 5: the whole
    assert fit("place_calendar", given).predict(asked).tolist() == [1.0, 6.0, 5.0, 4.0, 4.0]


def test_place_rhythm_multiplies_the_place_by_the_calendar() -> None:
    given = table(
        place=["a", "a", "b", "b"],
        coarser=["n", "n", "n", "n"],
        weekday=[0.0, 1.0, 0.0, 1.0],
        label=[1.0, 3.0, 2.0, 6.0],
    )
    asked = pl.DataFrame(
        {
            "place": ["a", "b", "new", "new", None],
            "coarser": ["n", "n", "n", "s", None],
            "weekday": [0.0, 1.0, 0.0, 9.0, None],
        }
    )
    # Means 2 and 4 of the places and 3 of all; day 0 has half of it, day 1 one and a half times as much.
    assert fit("place_rhythm", given).predict(asked).tolist() == [1.0, 6.0, 1.5, 3.0, 3.0]


def test_poisson_finds_the_coefficients_that_made_the_counts() -> None:
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(20_000, 2))
    label = draw.poisson(np.exp(0.3 + 0.5 * numbers[:, 0] - 0.2 * numbers[:, 1]))
    given = table(a=numbers[:, 0], b=numbers[:, 1], label=label.astype(np.float64))
    line = estimators.make("poisson").fit(given, Job("count", params={"alpha": 0.0}))
    assert line.intercept == pytest.approx(0.3, abs=0.02)  # type: ignore[attr-defined]
    assert line.coefficients == pytest.approx((0.5, -0.2), abs=0.02)  # type: ignore[attr-defined]
    # the score equation of the intercept: predictions and labels have one mean
    assert line.predict(given.features).mean() == pytest.approx(label.mean(), rel=1e-6)


def test_poisson_refuses_negative_labels_and_ridge_takes_them() -> None:
    given = table(a=[0.0, 1.0, 2.0], label=[-1.0, 1.0, 3.0])
    with pytest.raises(DataError, match="a label is -1"):
        fit("poisson", given)
    assert fit("linear", given, alpha=0.0).predict(given.features) == pytest.approx([-1.0, 1.0, 3.0])


def test_linear_models_refuse_unknown_numbers_by_name() -> None:
    with pytest.raises(DataError, match="gap has unknown values: linear models need the encoder impute"):
        fit("linear", table(full=[1.0, 2.0], gap=[None, 1.0], label=[1.0, 2.0]))


def test_text_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="text in place"):
        fit("lightgbm", table(place=["a", "b"], label=[1.0, 2.0]))


def test_unknown_names_are_refused_with_those_that_are_there() -> None:
    with pytest.raises(DataError, match="no estimator 'lightbgm'; expected one of mean, last"):
        estimators.make("lightbgm")
    with pytest.raises(DataError, match="lightgbm: no parameter leaves; expected some of bagging_fraction"):
        fit("lightgbm", table(a=[1.0, 2.0], label=[1.0, 2.0]), leaves=3)


def test_a_missing_library_is_a_finding_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "find_spec", lambda name: None)
    finding = estimators.available("xgboost")
    assert finding is not None
    assert finding.message == "xgboost is left out: xgboost is not installed; pip install 'asof[boosters]'"
    assert estimators.available("poisson") is None
    with pytest.raises(DataError, match=r"asof\[boosters\]"):
        estimators.make("catboost")


def test_a_wild_row_stays_finite() -> None:
    given = table(a=[0.0, 1.0, 2.0, 3.0], label=[1.0, 2.0, 5.0, 12.0])
    told = fit("poisson", given, alpha=0.0).predict(pl.DataFrame({"a": [1e9]}))
    assert told.tolist() == [math.exp(50.0)]


def test_boosters_fail_by_a_named_error() -> None:
    import lightgbm

    assert "lightgbm.basic" in sys.modules
    assert lightgbm.basic.LightGBMError in estimators.failures()
    assert DataError in estimators.failures()


class Shy:
    """An estimator as a user would write it, with a fault: it remembers nothing."""

    tasks: ClassVar[frozenset[str]] = frozenset({"count"})
    defaults: ClassVar[dict[str, Any]] = {}
    space: ClassVar[dict[str, Any]] = {}
    weighs: ClassVar[bool] = False

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Any:
        return estimators.make("mean").fit(table, Job("count"))

    def read(self, files: Any) -> Any:
        return estimators.make("mean").read({"baseline.json": b'{"mean": 0.0, "column": null, "levels": []}'})


def test_the_exam_finds_an_estimator_that_is_not_what_it_was() -> None:
    with pytest.raises(AssertionError, match="read back, it predicts otherwise"):
        exam.examine(Shy)


def test_two_parts_tell_the_mean_of_events_and_their_sizes() -> None:
    draw = np.random.default_rng(2)
    count = 4000
    rain, place = draw.random(count), draw.integers(0, 4, count)
    happens = draw.random(count) < 0.1 + 0.5 * rain
    size = np.exp(1.0 + 0.5 * place) * draw.gamma(4.0, 0.25, count)
    given = table(rain=rain, place=place.astype(float), label=np.where(happens, size, 0.0))
    fitted = estimators.make("two_part").fit(given, Job("number", rounds=60))
    told = fitted.predict(given.features)
    true = (0.1 + 0.5 * rain) * np.exp(1.0 + 0.5 * place)
    assert told.mean() == pytest.approx(true.mean(), rel=0.05)
    assert np.corrcoef(told, true)[0, 1] > 0.95
    few = table(a=[0.0, 1.0, 2.0], label=[0.0, 0.0, 3.0])
    assert estimators.make("two_part").fit(few, Job("number")).predict(few.features).tolist() == [1.0, 1.0, 1.0]
    with pytest.raises(DataError, match="two_part: a label is -1; expected 0 where nothing happens"):
        estimators.make("two_part").fit(table(a=[0.0, 1.0], label=[-1.0, 1.0]), Job("number"))


def test_the_best_column_is_the_rule_that_a_person_finds() -> None:
    draw = np.random.default_rng(3)
    sex, fare = draw.integers(0, 2, 600), draw.gamma(2.0, 10.0, 600)
    lives = (draw.random(600) < np.where(sex == 0, 0.75, 0.2)).astype(float)
    given = table(
        fare=fare,
        sex=[("female", "male")[one] for one in sex],
        ticket=[f"t{number}" for number in range(600)],
        label=lives,
    )
    rule = estimators.make("best_column").fit(given, Job("class", classes=2))
    assert rule.column == "sex"  # type: ignore[attr-defined]
    asked = pl.DataFrame({"fare": [1.0] * 3, "sex": ["female", "male", "unheard"], "ticket": ["x"] * 3})
    told = rule.predict(asked)[:, 1]
    assert told == pytest.approx([lives[sex == 0].mean(), lives[sex == 1].mean(), lives.mean()], abs=0.01)
    price = table(size=np.arange(600.0), noise=draw.normal(size=600), label=np.arange(600.0) * 2)
    tenths = estimators.make("best_column").fit(price, Job("number"))
    assert tenths.column == "size"  # type: ignore[attr-defined]
    assert tenths.predict(price.features)[[0, 599]] == pytest.approx([59.0, 1139.0], abs=12)
    alone = table(noise=draw.normal(size=100), label=draw.normal(size=100) + 5)
    none = estimators.make("best_column").fit(alone, Job("number"))
    assert none.predict(alone.features) == pytest.approx(alone.label.mean(), abs=0.3)


def test_logistic_regression_finds_the_coefficients_that_made_the_classes() -> None:
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(20_000, 2))
    chance = 1 / (1 + np.exp(-(0.3 + 1.0 * numbers[:, 0] - 0.5 * numbers[:, 1])))
    label = (draw.random(20_000) < chance).astype(float)
    given = table(a=numbers[:, 0], b=numbers[:, 1], label=label)
    line = estimators.make("logistic").fit(given, Job("class", classes=2, params={"alpha": 0.0}))
    assert line.intercepts == pytest.approx((0.3,), abs=0.05)  # type: ignore[attr-defined]
    assert line.coefficients[0] == pytest.approx((1.0, -0.5), abs=0.05)  # type: ignore[attr-defined]
    assert line.predict(given.features)[:, 1].mean() == pytest.approx(label.mean(), abs=1e-4)


def test_a_kernel_follows_what_bends_and_leaves_switches_to_the_line() -> None:
    draw = np.random.default_rng(1)
    bend, switch = draw.uniform(-1.7, 1.7, 300), draw.integers(0, 2, 300).astype(np.float64)
    table = Table(pl.DataFrame({"bend": bend, "switch": switch}), pl.Series(np.sin(2 * bend) + 3 * switch))
    job = Job("number", params={"alpha": 0.01, "width": 0.5})
    found, line = (estimators.make(name).fit(table, use) for name, use in (("kernel", job), ("linear", Job("number"))))
    asked = pl.DataFrame({"bend": [-1.0, 0.0, 1.0, 1.0], "switch": [0.0, 0.0, 0.0, 1.0]})
    assert found.predict(asked) == pytest.approx([-math.sin(2), 0.0, math.sin(2), 3 + math.sin(2)], abs=0.02)
    assert abs(line.predict(asked)[2] - math.sin(2)) > 0.3
    again = estimators.make("kernel").read(found.files())
    assert again.predict(asked).tolist() == found.predict(asked).tolist()
    far = found.predict(pl.DataFrame({"bend": [50.0], "switch": [0.0]}))
    alone = estimators.make("linear").fit(table, Job("number")).predict(pl.DataFrame({"bend": [50.0], "switch": [0.0]}))
    assert far == pytest.approx(alone)  # nothing is near: the line alone
    flags = Table(table.features.select("switch"), table.label)
    assert set(estimators.make("kernel").fit(flags, Job("number")).files()) == {"linear.json"}
