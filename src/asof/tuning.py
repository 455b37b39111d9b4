"""Choosing a recipe: baselines, a fixed portfolio, then tuning of the best three within a budget.

The budget decides only how far a fixed, seeded sequence of trials is run; what was run is the ``Plan``,
and ``replay`` runs exactly that again, to the bit, without looking at the clock.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof import estimators, metrics, recipes
from asof.data import Finding, Severity, Table
from asof.errors import DataError
from asof.estimators import Choice, Real
from asof.estimators.portfolio import baselines, portfolio
from asof.recipes import Blend, Encoded, Parts, Recipe

ROWS = 60_000
"""Training rows of a fold that candidates are compared on, evenly spaced; the last fit uses all."""
WATCH_SHARE = 0.15
"""Last part of a fold's training rows, on which boosting stops."""
WATCH_LEAST = 200
"""Fewer training rows than this have no stretch to spare: boosting then runs ``FEW_ROUNDS``."""
FEW_ROUNDS = 100
BEST = 3
"""Families that are tuned."""
TOLERANCE = 0.0005
"""A blend must be better than the best recipe by this share of its score, weights found on other folds."""
STOP = 0.003
"""A tuning trial worse than the best by this share on its first fold is not run on the others."""
MEMBERS = 4
STEPS = 12

Fold = tuple[Table, Table]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Trial:
    """One recipe as it was judged."""

    stage: str
    """``baseline``, ``portfolio``, ``search`` or ``blend``."""
    recipe: Recipe | Blend
    scores: tuple[float | None, ...]
    """The metric of each fold; none where it was not run."""
    rounds: tuple[int | None, ...] = ()
    """Boosting rounds found in each fold."""
    why: str = ""
    """Why it is no candidate: what failed, or that it was stopped."""

    @property
    def score(self) -> float:
        """Mean over the folds; NaN for a trial that is no candidate."""
        if self.why or any(score is None for score in self.scores):
            return math.nan
        return float(np.mean([score for score in self.scores if score is not None]))


@dataclass(frozen=True)
class Plan:
    """Every trial that was run, and what was chosen: enough to do it again."""

    task: str
    metric: str
    seed: int
    threads: int
    rows: int
    trials: tuple[Trial, ...]
    chosen: Recipe | Blend
    """With the boosting rounds of the final fit: the median over folds."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        trials = [
            {
                "stage": trial.stage,
                "recipe": recipes.plan_of(trial.recipe),
                "scores": list(trial.scores),
                "rounds": list(trial.rounds),
                "why": trial.why,
            }
            for trial in self.trials
        ]
        return {
            "task": self.task,
            "metric": self.metric,
            "seed": self.seed,
            "threads": self.threads,
            "rows": self.rows,
            "trials": trials,
            "chosen": recipes.plan_of(self.chosen),
        }

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> "Plan":
        """Read back ``to_json``; raises DataError for anything else."""
        try:
            trials = tuple(
                Trial(
                    trial["stage"],
                    recipes.read_plan(trial["recipe"]),
                    tuple(trial["scores"]),
                    tuple(trial["rounds"]),
                    trial["why"],
                )
                for trial in told["trials"]
            )
            chosen = recipes.read_plan(told["chosen"])
            return cls(**{**told, "trials": trials, "chosen": chosen})
        except (KeyError, TypeError) as error:
            raise DataError(f"no plan: {error}; expected a plan.json that a run has written") from error


@dataclass(frozen=True)
class Selection:
    """What was chosen, and by which figures."""

    plan: Plan
    results: pl.DataFrame
    """A row a trial and fold: trial, stage, name, estimator, fold, score, rounds, why."""
    findings: tuple[Finding, ...] = ()
    """Candidates left out, and why."""

    @property
    def chosen(self) -> Recipe | Blend:
        """The recipe to fit on all that is known."""
        return self.plan.chosen


def select(  # noqa: PLR0913 - the settings of a search, each a plain value, all by keyword
    folds: Sequence[Fold],
    *,
    task: str,
    metric: str,
    budget_seconds: float,
    seed: int = 0,
    threads: int = 1,
    candidates: Sequence[str] | Literal["default"] = "default",
    clock: Callable[[], float] = time.monotonic,
    on_trial: Callable[[Trial], None] | None = None,
    rows: int = ROWS,
    plugins: Parts | None = None,
) -> Selection:
    """Choose a recipe by the mean of the metric over the folds.

    Args:
        folds: (training, test) tables, oldest first, rows in the order of time.
        task: ``count`` or ``number``.
        metric: name of a metric of ``asof.metrics``.
        budget_seconds: wall time; baselines and the first candidate are run whatever it is.
        seed: of the sequence of trials and of every fit.
        threads: threads of every fit.
        candidates: names of recipes of the portfolio, or of estimators, plug-ins included.
        clock: seconds; a test gives its own.
        on_trial: told of each trial as it ends.
        rows: training rows of a fold that candidates are compared on.
        plugins: encoders and estimators beside ours.
    """
    bench = _Bench(folds, task, metric, seed, threads, rows, plugins)
    start = clock()
    names, findings = _candidates(task, candidates, plugins)
    run = _Run(bench, lambda: clock() - start < budget_seconds, on_trial)
    for recipe in baselines(task):
        run.judge("baseline", recipe)
    for number, recipe in enumerate(names):
        if number and not run.time_left():
            message = f"{recipe.name} was not tried: the budget of {budget_seconds:g} s was used up"
            findings.append(Finding("candidates", Severity.NOTE, recipe.name, message))
            continue
        run.judge("portfolio", recipe, must=number == 0)
    _search(run)
    return _settle(run, findings)


def replay(
    plan: Plan,
    folds: Sequence[Fold],
    *,
    threads: int | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    plugins: Parts | None = None,
) -> Selection:
    """Run the trials of a plan again, whatever time they take, and choose again."""
    used = plan.threads if threads is None else threads
    bench = _Bench(folds, plan.task, plan.metric, plan.seed, used, plan.rows, plugins)
    run = _Run(bench, lambda: True, on_trial)
    for trial in plan.trials:
        if isinstance(trial.recipe, Recipe):
            run.judge(trial.stage, trial.recipe)
    return _settle(run, [])


class _Bench:
    """Folds made ready: sampled rows, watched stretches, and tables as encoders left them."""

    def __init__(  # noqa: PLR0913, PLR0917 - the settings of a search, as they come
        self,
        folds: Sequence[Fold],
        task: str,
        metric: str,
        seed: int,
        threads: int,
        rows: int,
        plugins: Parts | None,
    ) -> None:
        if not folds:
            raise DataError("no fold to choose by; lower judge.folds or give more history")
        self.folds = folds
        self.task = task
        self.metric = metrics.find(metric)
        self.seed = seed
        self.threads = threads
        self.rows = rows
        self.plugins = plugins
        self.sign = -1.0 if self.metric.greater_is_better else 1.0
        self._encoded: dict[tuple[int, str], tuple[Encoded, pl.DataFrame]] = {}

    def judge(self, recipe: Recipe, fold: int, *, whole: bool) -> tuple[float, int | None, Floats]:
        """(score, rounds, predictions) of a recipe on the test part of a fold."""
        train, test = self.folds[fold]
        if whole:
            model = recipes.fit(recipe, train, threads=self.threads, seed=self.seed, plugins=self.plugins)
        else:
            learn, watch = self._stretches(train)
            fixed = recipe if watch is not None or recipe.rounds is not None else replace(recipe, rounds=FEW_ROUNDS)
            model = recipes.fit(fixed, learn, watch=watch, threads=self.threads, seed=self.seed, plugins=self.plugins)
        told = model.predict(test.features)
        weight = None if test.weight is None else test.weight.to_numpy()
        return self.metric(test.label.to_numpy(), told, weight), model.rounds, told

    def _stretches(self, train: Table) -> tuple[Table, Table | None]:
        count = len(train)
        kept = np.arange(count) if count <= self.rows else np.arange(self.rows) * count // self.rows
        if kept.size < WATCH_LEAST:
            return _take(train, kept), None
        cut = int(kept.size * (1 - WATCH_SHARE))
        return _take(train, kept[:cut]), _take(train, kept[cut:])


def _take(table: Table, rows: NDArray[np.int64]) -> Table:
    weight = None if table.weight is None else table.weight[rows]
    return Table(table.features[rows], table.label[rows], weight)


@dataclass
class _Run:
    """Trials so far."""

    bench: _Bench
    time_left: Callable[[], bool]
    on_trial: Callable[[Trial], None] | None
    trials: list[Trial] = field(default_factory=list)
    predictions: list[tuple[Floats, ...]] = field(default_factory=list)

    def judge(self, stage: str, recipe: Recipe, *, must: bool = False) -> Trial | None:
        """Judge a recipe on all folds, the latest first; none when the time ran out on the way."""
        count = len(self.bench.folds)
        scores: list[float | None] = [None] * count
        rounds: list[int | None] = [None] * count
        told: list[Floats] = [np.zeros(0)] * count
        why = ""
        for fold in reversed(range(count)):
            if not (must or stage == "baseline" or self.time_left()):
                return None
            try:
                score, rounds[fold], told[fold] = self.bench.judge(recipe, fold, whole=stage == "baseline")
            except (DataError, ValueError, ArithmeticError, RuntimeError) as error:
                why = f"failed on fold {fold}: {error}".splitlines()[0]
                break
            if not math.isfinite(score):
                why = f"its score on fold {fold} is {score}"
                break
            scores[fold] = score
            if stage == "search" and self._hopeless(scores, fold):
                why = f"stopped: worse than the best on fold {fold}"
                break
        trial = Trial(stage, recipe, tuple(scores), tuple(rounds), why)
        self.trials.append(trial)
        self.predictions.append(tuple(told))
        if self.on_trial is not None:
            self.on_trial(trial)
        return trial

    def best(self) -> int | None:
        """Number of the best trial so far; the earlier one of equals."""
        ranked = [(self.bench.sign * t.score, number) for number, t in enumerate(self.trials) if math.isfinite(t.score)]
        return min(ranked)[1] if ranked else None

    def loss(self, trial: Trial) -> float:
        """What tuning is told: the mean loss; of a stopped trial the best's plus what it lost where it ran."""
        number = self.best()
        if math.isfinite(trial.score):
            return self.bench.sign * trial.score
        if number is None or all(score is None for score in trial.scores):
            return math.inf
        best = self.trials[number]
        lost = [a - b for a, b in zip(trial.scores, best.scores, strict=True) if a is not None and b is not None]
        return self.bench.sign * (best.score + float(np.mean(lost)))

    def _hopeless(self, scores: Sequence[float | None], fold: int) -> bool:
        number = self.best()
        here = None if number is None else self.trials[number].scores[fold]
        own = scores[fold]
        if here is None or own is None:
            return False
        return self.bench.sign * (own - here) > STOP * abs(here)


def _candidates(
    task: str, wanted: Sequence[str] | Literal["default"], plugins: Parts | None
) -> tuple[list[Recipe], list[Finding]]:
    known = portfolio(task)
    others = {} if plugins is None else plugins.estimators
    if wanted == "default":
        chosen = [*known, *(Recipe(name, known[-1].encoders, name, task=task) for name in others)]
    else:
        chosen = []
        for name in wanted:
            found = [recipe for recipe in known if name in {recipe.name, recipe.estimator}]
            if not found and name in others:
                found = [Recipe(name, known[-1].encoders, name, task=task)]
            if not found and name not in estimators.BASELINES:
                names = ", ".join(dict.fromkeys(recipe.name for recipe in known))
                raise DataError(f"train.candidates: no candidate {name!r} for a {task}; expected some of {names}")
            chosen += [recipe for recipe in found if recipe not in chosen]
    missing = {recipe.name: estimators.available(recipe.estimator) for recipe in chosen}
    return (
        [recipe for recipe in chosen if missing[recipe.name] is None],
        [finding for finding in missing.values() if finding is not None],
    )


def _search(run: _Run) -> None:
    """Tune the best families in turn, each by its own seeded sampler, until the time is used."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    ranked = sorted(
        (trial for trial in run.trials if trial.stage == "portfolio" and math.isfinite(trial.score)), key=run.loss
    )
    others = None if run.bench.plugins is None else run.bench.plugins.estimators
    families: dict[str, Trial] = {}
    for trial in ranked:
        if isinstance(trial.recipe, Recipe) and estimators.make(trial.recipe.estimator, others).space:
            families.setdefault(trial.recipe.estimator, trial)
    starts = list(families.values())[:BEST]
    studies = [
        optuna.create_study(sampler=optuna.samplers.TPESampler(seed=run.bench.seed + number, n_startup_trials=6))
        for number in range(len(starts))
    ]
    turn = 0
    while starts and run.time_left():
        number, turn = turn % len(starts), turn + 1
        recipe = starts[number].recipe
        if not isinstance(recipe, Recipe):
            continue
        space = estimators.make(recipe.estimator, others).space
        asked = studies[number].ask({name: _distribution(kind) for name, kind in space.items()})
        params = {**recipe.params, **asked.params}
        judged = run.judge("search", replace(recipe, name=f"{recipe.name}_{turn}", params=params))
        if judged is None:
            return
        loss = run.loss(judged)
        if math.isfinite(loss):
            studies[number].tell(asked, loss)
        else:
            studies[number].tell(asked, state=optuna.trial.TrialState.FAIL)


def _distribution(kind: Any) -> Any:
    import optuna

    if isinstance(kind, Choice):
        return optuna.distributions.CategoricalDistribution(kind.values)
    if isinstance(kind, Real):
        return optuna.distributions.FloatDistribution(kind.low, kind.high, log=kind.log)
    return optuna.distributions.IntDistribution(kind.low, kind.high, log=kind.log)


def _settle(run: _Run, findings: list[Finding]) -> Selection:
    """Choose the best trial, or a blend of the best where it pays."""
    number = run.best()
    if number is None:
        reasons = "; ".join(f"{trial.recipe.name}: {trial.why}" for trial in run.trials[:3])
        raise DataError(f"no candidate could be judged ({reasons}); look at the labels and features of the folds")
    bench = run.bench
    chosen = _with_rounds(run.trials[number])
    plan = Plan(bench.task, bench.metric.name, bench.seed, bench.threads, bench.rows, tuple(run.trials), chosen)
    return Selection(plan, _tidy(run.trials), tuple(findings))


def _with_rounds(trial: Trial) -> Recipe:
    if not isinstance(trial.recipe, Recipe):
        raise DataError("a blend has no rounds of its own")
    found = [rounds for rounds in trial.rounds if rounds is not None]
    return replace(trial.recipe, rounds=round(median(found))) if found else trial.recipe


def _tidy(trials: Sequence[Trial]) -> pl.DataFrame:
    rows = [
        {
            "trial": number,
            "stage": trial.stage,
            "name": trial.recipe.name,
            "estimator": trial.recipe.estimator if isinstance(trial.recipe, Recipe) else "blend",
            "fold": fold,
            "score": score,
            "rounds": trial.rounds[fold] if trial.rounds else None,
            "why": trial.why,
        }
        for number, trial in enumerate(trials)
        for fold, score in enumerate(trial.scores)
    ]
    return pl.DataFrame(rows, schema_overrides={"score": pl.Float64, "rounds": pl.Int64}, infer_schema_length=None)
