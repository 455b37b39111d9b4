"""Selection: baselines first, a budget that only decides how far, and a plan that gives the same again."""

from itertools import count
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import polars as pl
import pytest

from asof import estimators, recipes, tuning
from asof.data import Severity, Table
from asof.errors import DataError
from asof.estimators import Job
from asof.recipes import Blend, Recipe
from asof.tuning import Plan, Selection, Trial, blends
from asof.tuning.benches import stretches
from asof.tuning.blends import with_rounds

QUICK = ("poisson", "extra_trees")
COUNT: dict[str, Any] = {"task": "count", "metric": "poisson_deviance", "seed": 3}


def table(rows: int, seed: int) -> Table:
    """Counts at places with a rate of their own, more of them on day 5."""
    draw = np.random.default_rng(seed)
    place = draw.integers(0, 8, rows)
    day = draw.integers(0, 7, rows).astype(np.float64)
    rate = (0.2 + place / 4) * (1 + 0.5 * (day == 5))
    features = pl.DataFrame(
        {
            "place": [f"zone {number}" for number in place],
            "weekday": day,
            "crashes_mean_28d": (0.2 + place / 4) * draw.gamma(30.0, 1 / 30, rows),
            "crashes_lag_7d": draw.poisson(rate).astype(np.float64),
        }
    )
    return Table(features, pl.Series("label", draw.poisson(rate).astype(np.float64)))


FOLDS = [(table(400 + 100 * number, number), table(200, 10 + number)) for number in range(3)]


def ticking(step: float = 1.0) -> Any:
    """A clock that is asked, not watched: each look costs ``step`` seconds."""
    ticks = count()
    return lambda: next(ticks) * step


def select(budget: float, **changes: Any) -> Selection:
    given: dict[str, Any] = {**COUNT, "candidates": QUICK, "clock": ticking(), **changes}
    return tuning.select(FOLDS, budget_seconds=budget, **given)


def names(selection: Selection, stage: str) -> list[str]:
    return [trial.recipe.name for trial in selection.plan.trials if trial.stage == stage]


def test_baselines_come_first_and_without_a_budget_two_kinds_are_tried() -> None:
    chosen = select(0, candidates=("poisson", "poisson_firm", "extra_trees"))
    assert [trial.recipe.name for trial in chosen.plan.trials] == [
        "mean", "last", "seasonal", "place_calendar", "place_rhythm", "poisson", "extra_trees", "blend",
    ]  # fmt: skip
    assert [finding.message for finding in chosen.findings] == [
        "poisson_firm was not tried: the budget of 0 s was used up"
    ]


def test_a_larger_budget_runs_the_same_sequence_further() -> None:
    short, long = select(40), select(80)
    assert names(short, "portfolio") == names(long, "portfolio") == list(QUICK)
    tried = names(short, "search")
    assert 0 < len(tried) < len(names(long, "search"))
    assert names(long, "search")[: len(tried)] == tried
    alone = [trial for trial in short.plan.trials if trial.stage != "blend"]
    assert list(long.plan.trials[: len(alone)]) == alone


def test_the_plan_survives_json_and_its_replay_is_equal_to_the_bit() -> None:
    first = select(60)
    plan = Plan.read(first.plan.write())
    assert plan == first.plan
    shares: list[float] = []
    again = tuning.replay(plan, FOLDS, on_trial=shares.append)
    assert again.plan == first.plan
    assert again.results.equals(first.results)
    assert shares[-1] == 1.0
    model, other = (recipes.fit(one.chosen, FOLDS[-1][0], seed=3) for one in (first, again))
    assert model.fingerprint() == other.fingerprint()


def test_progress_is_told_as_a_share_of_the_budget() -> None:
    shares: list[float] = []
    select(30, on_trial=shares.append)
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] == 1.0


def test_the_choice_beats_the_baselines_and_results_are_tidy() -> None:
    chosen = select(30)
    means = chosen.results.filter(pl.col("why") == "").group_by("name").agg(pl.col("score").mean())
    scores = dict(means.iter_rows())
    assert scores["poisson"] < scores["place_calendar"] < scores["mean"]
    assert chosen.results.columns == ["trial", "stage", "name", "estimator", "fold", "score", "rounds", "why"]
    assert chosen.results.height == len(chosen.plan.trials) * len(FOLDS)


def test_rounds_of_the_final_fit_are_the_median_of_the_folds() -> None:
    chosen = select(0, candidates=("lightgbm",))
    trial = next(trial for trial in chosen.plan.trials if trial.recipe.name == "lightgbm")
    assert with_rounds(trial).rounds == sorted(trial.rounds)[1]  # type: ignore[type-var]


class Broken:
    """A user's estimator that fails or answers nothing of use."""

    tasks = frozenset({"count"})
    defaults: ClassVar[dict[str, Any]] = {}
    space: ClassVar[dict[str, Any]] = {}
    weighs = False
    answer: ClassVar[float | None] = None

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Any:
        if self.answer is None:
            raise ValueError("it will not learn")
        return SimpleNamespace(rounds=None, predict=lambda features, threads=1: np.full(features.height, self.answer))


class Blank(Broken):
    answer = float("nan")


class Keyless(Broken):
    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Any:
        return {}["nothing"]  # type: ignore[index]


class Answering(Broken):
    """It answers by a function of the label's mean and the features."""

    told: ClassVar[Any]

    def fit(self, table: Table, job: Job, watch: Table | None = None) -> Any:
        answer = type(self).told
        return SimpleNamespace(rounds=None, predict=lambda features, threads=1: answer(features["crashes_lag_7d"]))


class Infinite(Answering):
    told = staticmethod(lambda rate: np.where(np.arange(len(rate)) == 7, np.inf, 1.0))


class Short(Answering):
    told = staticmethod(lambda rate: np.ones(len(rate) - 1))


class Sorted(Answering):
    told = staticmethod(lambda rate: rate.sort().to_numpy())


class Wide(Answering):
    told = staticmethod(lambda rate: np.ones((len(rate), 2)) / 2)


class Dropping:
    """A user's encoder that leaves out rows."""

    def fit(self, table: Table) -> dict[str, Any]:
        return {}

    def encode(self, features: pl.DataFrame, state: dict[str, Any]) -> pl.DataFrame:
        return features[1:]


WRONG = {
    "keyless": (Keyless, "failed on fold 2: 'nothing'"),
    "infinite": (Infinite, "failed on fold 2: infinite: prediction of row 7 is inf; 1 such rows"),
    "short": (Short, "failed on fold 2: short: 200 rows got predictions of shape (199,); expected (200,)"),
    "sorted": (Sorted, "failed on fold 2: sorted: the answer to a row depends on the order of rows, or on the others"),
    "wide": (Wide, "failed on fold 2: wide: 200 rows got predictions of shape (200, 2); expected (200,)"),
}


def test_a_plug_in_that_answers_wrongly_is_a_failed_candidate() -> None:
    plugins = SimpleNamespace(encoders={}, estimators={name: made for name, (made, _) in WRONG.items()}, metrics={})
    chosen = select(2000, candidates=(*WRONG, "poisson"), plugins=plugins, clock=ticking(30))
    why = {trial.recipe.name: trial.why for trial in chosen.plan.trials}
    assert {name: why[name] for name in WRONG} == {name: said for name, (_, said) in WRONG.items()}
    told = {one.subject: one.message for one in chosen.findings if one.severity == Severity.WARNING}
    assert told == {name: f"{name} is no candidate: {said}" for name, (_, said) in WRONG.items()}
    assert isinstance(chosen.chosen, Recipe)
    assert chosen.chosen.estimator == "poisson"


def test_an_encoder_that_loses_rows_is_a_failed_candidate() -> None:
    plugins = SimpleNamespace(encoders={"dropping": Dropping}, estimators={}, metrics={})
    chosen = select(0, candidates=("poisson",), encoders=("dropping",), plugins=plugins)
    why = {trial.recipe.name: trial.why for trial in chosen.plan.trials}
    assert why["poisson"].startswith("failed on fold 2: encoder dropping: 600 rows became 599; expected one for each")


def test_a_candidate_that_fails_is_recorded_and_not_fatal() -> None:
    plugins = SimpleNamespace(encoders={}, estimators={"broken": Broken, "blank": Blank}, metrics={})
    chosen = select(1000, candidates=("broken", "blank", "poisson"), plugins=plugins, clock=ticking(30))
    why = {trial.recipe.name: trial.why for trial in chosen.plan.trials}
    assert why["broken"] == "failed on fold 2: it will not learn"
    assert why["blank"] == "failed on fold 2: blank: prediction of row 0 is nan; 200 such rows"
    assert isinstance(chosen.chosen, Recipe)
    assert chosen.chosen.estimator == "poisson"


class Halved:
    """A user's encoder."""

    def fit(self, table: Table) -> dict[str, Any]:
        return {"by": 0.5}

    def encode(self, features: pl.DataFrame, state: dict[str, Any]) -> pl.DataFrame:
        return features.with_columns(pl.col("crashes_lag_7d") * state["by"])


def test_a_named_encoder_stands_before_those_of_every_candidate() -> None:
    plugins = SimpleNamespace(encoders={"halved": Halved}, estimators={}, metrics={})
    chosen = select(0, encoders=("halved",), plugins=plugins)
    tried = [trial.recipe for trial in chosen.plan.trials if trial.stage == "portfolio"]
    assert [recipe.encoders[0].name for recipe in tried if isinstance(recipe, Recipe)] == ["halved"] * 2
    assert all(trial.why == "" for trial in chosen.plan.trials if trial.stage == "portfolio")


def test_when_no_candidate_is_better_a_baseline_is_chosen() -> None:
    plugins = SimpleNamespace(encoders={}, estimators={"broken": Broken}, metrics={})
    chosen = select(0, candidates=("broken",), plugins=plugins)
    assert chosen.chosen.name == "place_rhythm"


def test_a_wrong_name_is_refused_with_the_right_ones() -> None:
    with pytest.raises(DataError, match=r"no candidate 'boost' for a count; expected some of poisson, poisson_firm"):
        select(0, candidates=("boost",))
    with pytest.raises(DataError, match="no metric"):
        select(0, metric="deviance")
    with pytest.raises(DataError, match="no fold to choose by"):
        tuning.select([], budget_seconds=0, **COUNT)
    with pytest.raises(DataError, match="no task 'classes'; expected count, number or class"):
        select(0, task="classes")
    with pytest.raises(DataError, match="0 classes; expected two or more"):
        select(0, task="class", metric="log_loss")
    with pytest.raises(DataError, match="metric log_loss does not judge a count; expected one of auc_event, bias, mae"):
        select(0, metric="log_loss")
    with pytest.raises(DataError, match="no plan"):
        Plan.read("{}")
    with pytest.raises(DataError, match="no plan"):
        Plan.read("plan")


def test_labels_that_no_metric_can_judge_are_said() -> None:
    folds = [(table(50, 1), Table(test.features, test.label * np.nan)) for _, test in FOLDS]
    with pytest.raises(DataError, match="no candidate could be judged"):
        tuning.select(folds, budget_seconds=0, candidates=QUICK, **COUNT)


def test_a_label_that_is_constant_in_a_fold_is_no_trouble() -> None:
    folds = [(Table(train.features, train.label * 0), test) for train, test in FOLDS]
    chosen = tuning.select(folds, budget_seconds=0, candidates=("lightgbm",), **COUNT)
    assert all(trial.why == "" for trial in chosen.plan.trials if trial.stage == "portfolio")


def test_a_missing_library_leaves_its_candidates_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimators, "find_spec", lambda name: None if name == "xgboost" else name)
    chosen = select(0, candidates=("poisson", "xgboost"))
    assert names(chosen, "portfolio") == ["poisson"]
    assert "asof[boosters]" in chosen.findings[0].message


def test_a_blend_is_kept_only_where_it_pays() -> None:
    """Two estimators that err in opposite directions: their mean is right, on folds that did not choose it."""

    class High(Broken):
        def fit(self, table: Table, job: Job, watch: Table | None = None) -> Any:
            return SimpleNamespace(rounds=None, predict=lambda features, threads=1: np.full(features.height, 3.0))

    class Low(Broken):
        def fit(self, table: Table, job: Job, watch: Table | None = None) -> Any:
            return SimpleNamespace(rounds=None, predict=lambda features, threads=1: np.full(features.height, 1.0))

    draw = np.random.default_rng(0)
    folds = []
    for _ in range(2):
        features = pl.DataFrame({"a": np.zeros(300)})
        train = Table(features, pl.Series(draw.poisson(9.0, 300).astype(float)))
        folds.append((train, Table(features, pl.Series(draw.poisson(2.0, 300).astype(float)))))
    plugins = SimpleNamespace(encoders={}, estimators={"high": High, "low": Low}, metrics={})
    told: dict[str, Any] = {**COUNT, "metric": "rmse", "plugins": plugins, "budget_seconds": 1000}
    both = tuning.select(folds, candidates=("high", "low"), clock=ticking(100), **told)
    assert isinstance(both.chosen, Blend)
    assert [recipe.name for recipe in both.chosen.recipes] == ["low", "high"]
    assert both.chosen.weights == pytest.approx((0.5, 0.5), abs=0.11)
    last: Trial = both.plan.trials[-1]
    assert (last.stage, last.why) == ("blend", "")
    offer = both.offer
    assert offer is not None
    assert (offer.members, offer.pays) == (2, True)
    assert offer.gain == pytest.approx(offer.single - offer.blend)
    assert offer.single == min(t.score for t in both.plan.trials if t.stage == "portfolio")
    assert offer.why.startswith("it pays: 2 recipes gain")
    assert min(*offer.single_seconds, *offer.blend_seconds) > 0
    assert offer.blend_seconds[0] > offer.single_seconds[0]
    single = tuning.select(folds, candidates=("low",), clock=ticking(100), **told)
    assert single.chosen.name == "low"
    assert all(trial.stage != "blend" for trial in single.plan.trials)


def test_without_time_the_watched_rows_are_spread_over_the_labels() -> None:
    label = np.repeat([0.0, 1.0], [900, 100])  # sorted, as files are
    learn, watch = stretches(Table(pl.DataFrame({"a": np.arange(1000.0)}), pl.Series(label)), 5000, timed=False)
    assert watch is not None
    assert (len(learn) + len(watch), len(watch)) == (1000, 143)
    assert watch.label.sum() == 14
    assert sorted([*learn.features["a"], *watch.features["a"]]) == list(range(1000))


def test_a_blend_that_hardly_gains_is_offered_and_left() -> None:
    chosen = select(1000, candidates=("poisson", "poisson_firm"), clock=ticking(300))
    offer = chosen.offer
    assert offer is not None
    assert not offer.pays
    assert offer.gain <= offer.limit
    assert chosen.plan.trials[-1].why == offer.why
    assert offer.why.startswith("it does not pay: ")
    worse = blends.Mixed(chosen.plan.trials[-1], (5, 6), 5, 1.0, -0.1, 0.0)
    assert " a blend scores " in blends.priced(worse, chosen.seconds).why
    alone = blends.Mixed(chosen.plan.trials[-1], (5,), 5, 1.0, 0.1, 0.0)
    assert (alone.pays, "nothing that is mixed in" in blends.priced(alone, chosen.seconds).why) == (False, True)
    assert isinstance(chosen.chosen, Recipe)


def test_candidates_are_compared_on_evenly_spaced_rows_and_watch_the_last() -> None:
    given = Table(pl.DataFrame({"a": np.arange(1000.0)}), pl.Series(np.zeros(1000)))
    learn, watch = stretches(given, 500)
    assert watch is not None
    assert (len(learn), len(watch)) == (425, 75)
    assert learn.features["a"][:3].to_list() == [0.0, 2.0, 4.0]
    assert watch.features["a"][-1] == 998.0
    few, none = stretches(Table(given.features[:150], given.label[:150]), 500)
    assert (len(few), none) == (150, None)


def test_numbers_are_chosen_by_any_metric_greater_or_smaller() -> None:
    draw = np.random.default_rng(5)
    values = draw.normal(size=(600, 2))
    features = pl.DataFrame({"a": values[:, 0], "b": values[:, 1]})
    label = pl.Series(values @ np.array([1.0, -2.0]) + 0.1 * draw.normal(size=600))
    whole = Table(features, label)
    folds = [(Table(features[:400], label[:400]), Table(features[400:], label[400:])), (whole, whole)]
    for metric in ("rmse", "r2"):
        chosen = tuning.select(
            folds,
            task="number",
            metric=metric,
            budget_seconds=60,
            candidates=("linear", "extra_trees"),
            clock=ticking(),
        )
        best = chosen.chosen.recipes[0] if isinstance(chosen.chosen, Blend) else chosen.chosen
        assert best.estimator == "linear"


def rows_of_classes(count: int, seed: int, classes: int = 2) -> Table:
    """People who live by sex and deck, and a number that says little."""
    draw = np.random.default_rng(seed)
    sex, deck = draw.integers(0, 2, count), draw.integers(0, 5, count)
    score = 1.6 * sex + 0.4 * deck + draw.logistic(size=count)
    features = pl.DataFrame(
        {
            "sex": [("female", "male")[one] for one in sex],
            "deck": [None if one == 4 else "ABCD"[one] for one in deck],
            "fare": draw.gamma(2.0, 10.0, count),
            "ticket": [f"t{one}" for one in draw.integers(0, count, count)],
        }
    )
    codes = np.searchsorted(np.quantile(score, np.arange(1, classes) / classes), score)
    return Table(features, pl.Series("label", codes.astype(np.float64)))


@pytest.mark.parametrize("classes", [2, 3])
def test_classes_are_chosen_by_their_probabilities(classes: int) -> None:
    folds = [(rows_of_classes(500, n, classes), rows_of_classes(250, 10 + n, classes)) for n in range(3)]
    terms: dict[str, Any] = {"task": "class", "classes": classes, "metric": "log_loss", "seed": 3}
    chosen = tuning.select(folds, budget_seconds=30, candidates=("logistic", "xgboost"), clock=ticking(), **terms)
    why = {trial.recipe.name: trial.why for trial in chosen.plan.trials}
    assert "no feature tells place" in why["place_calendar"]
    scores = {trial.recipe.name: trial.score for trial in chosen.plan.trials}
    assert scores["mean"] == pytest.approx(np.log(classes), abs=0.01)
    assert scores["logistic"] < scores["best_column"] - 0.02 < scores["mean"] - 0.06
    assert Plan.read(chosen.plan.write()) == chosen.plan
    assert tuning.replay(chosen.plan, folds).plan == chosen.plan
    model = recipes.fit(chosen.chosen, folds[0][0], seed=3)
    told = model.predict(folds[0][1].features)
    assert told.shape == (250, classes)
    assert told.sum(axis=1) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "auc", "brier"])
def test_classes_are_chosen_by_any_metric_of_theirs(metric: str) -> None:
    folds = [(rows_of_classes(400, n), rows_of_classes(200, 10 + n)) for n in range(3)]
    terms: dict[str, Any] = {"task": "class", "classes": 2, "metric": metric, "timed": False}
    chosen = tuning.select(folds, budget_seconds=25, candidates=("logistic", "extra_trees"), clock=ticking(), **terms)
    scores = {trial.recipe.name: trial.score for trial in chosen.plan.trials}
    worse = scores["mean"] if metric != "brier" else -scores["mean"]
    assert (scores["logistic"] if metric != "brier" else -scores["logistic"]) > worse
    assert Plan.read(chosen.plan.write()).timed is False
    assert tuning.replay(chosen.plan, folds).plan == chosen.plan
