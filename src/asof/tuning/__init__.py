"""Choosing a recipe: baselines, a fixed portfolio, then tuning of the best three within a budget.

The budget decides only how far a fixed, seeded sequence of trials is run; what was run is the ``Plan``,
and ``replay`` runs exactly that again, to the bit, without looking at the clock.
"""

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from asof import estimators
from asof.data import Finding, Severity
from asof.errors import DataError
from asof.estimators import Choice, Real, Space
from asof.estimators.given import misfits
from asof.estimators.portfolio import baselines, facts, portfolio
from asof.plugins import blamed
from asof.recipes import Blend, EncoderPlan, Parts, Recipe
from asof.tuning.benches import Bench, Floats, Fold, Terms, foreign
from asof.tuning.blends import blend, priced, with_rounds
from asof.tuning.forms import Forms, opposed, probes
from asof.tuning.plans import Offer, Plan, Selection, Trial, fallen, tidy

__all__ = ["Fold", "Offer", "Plan", "Selection", "Trial", "replay", "select"]

ROWS = 60_000
"""Training rows of a fold that candidates are compared on, evenly spaced; the last fit uses all."""
BEST = 3
"""Families that are tuned."""
STOP = 0.002
"""A tuning trial worse than the best by this share of its score on its first folds is not run on the others."""
SURE = 2
"""Kinds of candidates of which one is judged however short the budget: a slow machine must not choose by its clock."""
STARTUP = 5
"""Trials of a family drawn at random before the sampler models them."""


def select(  # noqa: PLR0913 - the settings of a search, each a plain value, all by keyword
    folds: Sequence[Fold],
    *,
    task: str,
    metric: str,
    budget_seconds: float,
    seed: int = 0,
    threads: int = 1,
    candidates: Sequence[str] | Literal["default"] = "default",
    encoders: Sequence[str] = (),
    clock: Callable[[], float] = time.monotonic,
    on_trial: Callable[[float], None] | None = None,
    rows: int = ROWS,
    plugins: Parts | None = None,
    classes: int = 0,
    timed: bool = True,
    families: Mapping[str, Sequence[str]] | None = None,
    model: str = "",
    params: Mapping[str, Any] | None = None,
    against: Sequence[str] = (),
) -> Selection:
    """Choose a recipe by the mean of the metric over the folds.

    Args:
        folds: (training, test) tables, oldest first, rows in the order of time.
        task: ``count``, ``number`` or ``class``.
        metric: name of a metric of ``asof.metrics``.
        budget_seconds: wall time; baselines and one candidate of two kinds are run whatever it is.
        seed: of the sequence of trials and of every fit.
        threads: threads of every fit.
        candidates: names of recipes of the portfolio, or of estimators, plug-ins included.
        encoders: names of encoders, such as a plug-in's, put before those of every candidate.
        clock: seconds; a test gives its own.
        on_trial: told the share of the budget used, 0 to 1, after each trial.
        rows: training rows of a fold that candidates are compared on.
        plugins: encoders and estimators beside ours.
        classes: number of classes, for the task ``class``.
        timed: whether rows come in the order of time.
        model: name of a recipe or an estimator: nothing else is chosen, whatever would do better.
        params: parameters of the model, or of the candidates; they are not tuned.
        families: names of the features that each lookup adds to a row's own columns: what does not pay is left out.
        against: features that say by themselves what a number should be: some candidates are also learnt against them.

    Raises:
        DataError: no fold, an unknown or unfitting metric or candidate, or nothing that could be judged.
    """
    start = clock()
    known = portfolio(task, classes=classes, metric=metric, label=facts(folds[-1][0].label) if folds else None)
    names, findings = _candidates(known, [model] if model else candidates, plugins)
    if model and not names:
        raise DataError("; ".join(f.message for f in findings) or f"{model} is a baseline: those are judged always")
    given = dict(params or {})
    _refuse_misfits(names, given, plugins)
    names = [replace(recipe, params={**recipe.params, **given}) for recipe in names]
    first = tuple(EncoderPlan(name) for name in encoders)
    names = [replace(recipe, encoders=(*first, *recipe.encoders)) for recipe in names]
    run = _Run(
        Bench(folds, Terms(task, metric, seed, threads, rows, plugins, classes, timed, model, given)),
        lambda: clock() - start < budget_seconds,
    )

    def tell() -> None:
        if on_trial is not None:
            on_trial(min(1.0, (clock() - start) / budget_seconds) if budget_seconds > 0 else 1.0)

    for recipe in baselines(task, classes, metric):
        run.judge("baseline", recipe, must=True)
        tell()
    kinds: set[str] = set()
    formed = _formed(run, names, families if timed and families else {}, () if model or task != "number" else against)
    for recipe in formed:
        sure = recipe.estimator not in kinds and len(kinds) < SURE
        kinds.add(recipe.estimator)
        done = any(trial.recipe == recipe for trial in run.trials)
        if not done and run.judge("portfolio", recipe, must=sure) is None:
            message = f"{recipe.name} was not tried: the budget of {budget_seconds:g} s was used up"
            findings.append(Finding("candidates", Severity.NOTE, recipe.name, message))
        tell()
    _search(run, tell)
    selection = _settle(run, findings)
    if on_trial is not None:
        on_trial(1.0)
    return selection


def replay(
    plan: Plan,
    folds: Sequence[Fold],
    *,
    threads: int | None = None,
    on_trial: Callable[[float], None] | None = None,
    plugins: Parts | None = None,
) -> Selection:
    """Run the trials of a plan again, whatever time they take, and choose again.

    With the same folds, threads and platform every score is equal to the bit. ``on_trial`` is told the share done.
    """
    used = plan.threads if threads is None else threads
    terms = Terms(
        plan.task, plan.metric, plan.seed, used, plan.rows, plugins, plan.classes, plan.timed, model=plan.model
    )
    run = _Run(Bench(folds, terms), lambda: True)
    for number, trial in enumerate(plan.trials, 1):
        if isinstance(trial.recipe, Recipe):
            run.judge(trial.stage, trial.recipe, must=True)
        if on_trial is not None:
            on_trial(number / len(plan.trials))
    return _settle(run, [])


def _formed(
    run: "_Run", names: Sequence[Recipe], families: Mapping[str, Sequence[str]], against: Sequence[str]
) -> list[Recipe]:
    """Return the recipes with the families that pay, and beside some the same one learnt against a feature."""
    table = run.bench.folds[-1][0]
    forms = Forms.of(families, table)

    def judged(recipe: Recipe) -> float | None:
        known = next((trial for trial in run.trials if trial.recipe == recipe), None)
        trial = known or run.judge("portfolio", recipe)
        return None if trial is None else run.loss(trial)

    form = forms.found(probes(names), judged)
    out = {column for family, columns in families.items() if family not in form for column in columns}
    kept = [column for column in against if column in table.features.columns and column not in out]
    return [each for recipe in names for each in opposed(forms.applied(recipe, form), kept)]


@dataclass
class _Run:
    """Trials so far."""

    bench: Bench
    time_left: Callable[[], bool]
    trials: list[Trial] = field(default_factory=list)
    told: list[tuple[Floats, ...]] = field(default_factory=list)
    seconds: list[tuple[float, float]] = field(default_factory=list)
    """Of each trial: to fit and to predict, the mean over the folds that were run."""

    def judge(self, stage: str, recipe: Recipe, *, must: bool = False) -> Trial | None:
        """Judge a recipe on all folds, the latest first; none, and no trace, when the time ran out on the way."""
        count = len(self.bench.folds)
        scores: list[float | None] = [None] * count
        rounds: list[int | None] = [None] * count
        told: list[Floats] = [np.zeros(0)] * count
        took: list[tuple[float, float]] = []
        why = ""
        for fold in reversed(range(count)):
            if not (must or self.time_left()):
                return None
            try:
                answered = self.bench.judge(recipe, fold, whole=stage == "baseline")
            except self._failures(recipe) as error:
                said = str(blamed(error, whole=False) or error) or type(error).__name__
                why = f"failed on fold {fold}: {said}".splitlines()[0]
                break
            if not math.isfinite(answered.score):
                why = f"its score on fold {fold} is {answered.score}"
                break
            scores[fold], rounds[fold], told[fold] = answered.score, answered.rounds, answered.told
            took.append((answered.fit_seconds, answered.predict_seconds))
            if stage == "search" and not self.bench.metric.decides and self._hopeless(scores):
                why = f"stopped at fold {fold}: worse than the best by more than {STOP:.1%}"
                break
        judged = tuple(scores) if why else self.bench.scores(told)
        trial = Trial(stage, recipe, judged, tuple(rounds), why)
        self.trials.append(trial)
        self.told.append(tuple(told))
        self.seconds.append((_mean(fit for fit, _ in took), _mean(predict for _, predict in took)))
        return trial

    def _failures(self, recipe: Recipe) -> tuple[type[Exception], ...]:
        """Errors by which a candidate may fail without the others: any where a plug-in's code is run."""
        return (Exception,) if foreign(recipe) else estimators.failures()

    def best(self) -> int | None:
        """Number of the best trial so far, no baseline where a model was named; the earlier one of equals."""
        named = bool(self.bench.terms.model)
        ranked = [
            (self.bench.sign * trial.score, number)
            for number, trial in enumerate(self.trials)
            if math.isfinite(trial.score) and not (named and trial.stage == "baseline")
        ]
        return min(ranked)[1] if ranked else None

    def loss(self, trial: Trial) -> float:
        """What tuning is told: the mean loss; of a stopped trial the best's plus what it lost where it ran."""
        if math.isfinite(trial.score):
            return self.bench.sign * trial.score
        number = self.best()
        lost = self._lost(trial.scores)
        if number is None or lost is None:
            return math.inf
        return self.bench.sign * self.trials[number].score + lost

    def _lost(self, scores: Sequence[float | None]) -> float | None:
        """Mean loss beyond the best's over the folds that were run."""
        number = self.best()
        if number is None:
            return None
        pairs = zip(scores, self.trials[number].scores, strict=True)
        lost = [a - b for a, b in pairs if a is not None and b is not None]
        return self.bench.sign * float(np.mean(lost)) if lost else None

    def _hopeless(self, scores: Sequence[float | None]) -> bool:
        number, lost = self.best(), self._lost(scores)
        return number is not None and lost is not None and lost > STOP * abs(self.trials[number].score)


def _candidates(
    recipes: Sequence[Recipe], wanted: Sequence[str] | Literal["default"], plugins: Parts | None
) -> tuple[list[Recipe], list[Finding]]:
    """Recipes to try, and what is left out because its library is missing."""
    known = list(recipes)
    task, classes = known[-1].task, known[-1].classes
    others: Mapping[str, Any] = {} if plugins is None else plugins.estimators
    known += [Recipe(name, known[-1].encoders, name, task=task, classes=classes) for name in others]
    chosen = known if wanted == "default" else []
    for name in () if wanted == "default" else wanted:
        named = [recipe for recipe in known if recipe.name == name]
        found = named or [recipe for recipe in known if recipe.estimator == name]
        if not found and name not in estimators.BASELINES:
            names = ", ".join(recipe.name for recipe in known)
            raise DataError(f"train.candidates: no candidate {name!r} for a {task}; expected some of {names}")
        chosen += [recipe for recipe in found if recipe not in chosen]
    missing = {recipe.name: estimators.available(recipe.estimator) for recipe in chosen}
    kept = [recipe for recipe in chosen if missing[recipe.name] is None]
    return kept, [finding for finding in missing.values() if finding is not None]


def _search(run: _Run, tell: Callable[[], None]) -> None:
    """Tune the best families in turn, each by its own seeded sampler, until the time is used."""
    if not run.time_left():
        return
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    families = _families(run)
    studies = []
    for number, (recipe, space, loss) in enumerate(families):
        sampler = optuna.samplers.TPESampler(seed=run.bench.terms.seed + number, n_startup_trials=STARTUP)
        study = optuna.create_study(sampler=sampler)
        _start(study, recipe, space, loss, run.bench.terms.plugins)
        studies.append(study)
    turn = 0
    while families and run.time_left():
        number = turn % len(families)
        turn += 1
        recipe, space, _ = families[number]
        asked = studies[number].ask({name: _distribution(kind) for name, kind in space.items()})
        params = {**recipe.params, **asked.params}
        trial = run.judge("search", replace(recipe, name=f"{recipe.name}_{turn}", params=params))
        if trial is None:
            return
        loss = run.loss(trial)
        state = None if math.isfinite(loss) else optuna.trial.TrialState.FAIL
        studies[number].tell(asked, loss if state is None else None, state=state)
        tell()


def _families(run: _Run) -> list[tuple[Recipe, Space, float]]:
    """Best recipe of each of the best estimators that have something to tune, with its loss."""
    others = None if run.bench.terms.plugins is None else run.bench.terms.plugins.estimators
    found: dict[str, tuple[Recipe, Space, float]] = {}
    ranked = sorted((t for t in run.trials if t.stage == "portfolio" and math.isfinite(t.score)), key=run.loss)
    for trial in ranked:
        if isinstance(trial.recipe, Recipe):
            space = estimators.make(trial.recipe.estimator, others).space
            space = {name: kind for name, kind in space.items() if name not in run.bench.terms.given}
            if space:
                found.setdefault(trial.recipe.estimator, (trial.recipe, space, run.loss(trial)))
    return list(found.values())[:BEST]


def _start(study: Any, recipe: Recipe, space: Space, loss: float, plugins: Parts | None) -> None:
    """Tell a study how the defaults did, so that it starts from them."""
    import optuna

    estimator = estimators.make(recipe.estimator, None if plugins is None else plugins.estimators)
    params = {name: {**estimator.defaults, **recipe.params}[name] for name in space}
    inside = all(
        params[name] in kind.values if isinstance(kind, Choice) else kind.low <= params[name] <= kind.high
        for name, kind in space.items()
    )
    if inside:
        distributions = {name: _distribution(kind) for name, kind in space.items()}
        study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=loss))


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
        raise DataError(f"no candidate could be judged ({reasons}): look at the labels and features of the folds")
    chosen: Recipe | Blend = with_rounds(run.trials[number])
    trials = list(run.trials)
    alone = run.bench.terms.model or trials[number].stage == "baseline"
    mixed = None if alone else blend(run.bench, trials, run.told)
    findings = [*findings, *fallen(trials), *_outdone(run, trials[number])]
    offer = None
    if mixed is not None:
        offer = priced(mixed, run.seconds)
        trials.append(mixed.trial if mixed.pays else replace(mixed.trial, why=offer.why))
        chosen = mixed.trial.recipe if mixed.pays else chosen
    terms = run.bench.terms
    plan = Plan(
        terms.task,
        run.bench.metric.name,
        terms.seed,
        terms.threads,
        terms.rows,
        tuple(trials),
        chosen,
        classes=terms.classes,
        timed=terms.timed,
        model=terms.model,
    )
    return Selection(plan, tidy(trials), tuple(findings), offer, tuple(run.seconds))


def _outdone(run: _Run, chosen: Trial) -> list[Finding]:
    """Say that a baseline does better than the model that was asked for by name."""
    plain = [trial for trial in run.trials if trial.stage == "baseline" and math.isfinite(trial.score)]
    sign = run.bench.sign
    best = min(plain, key=lambda trial: sign * trial.score, default=None)
    if not run.bench.terms.model or best is None or sign * best.score >= sign * chosen.score:
        return []
    name = run.bench.metric.name
    message = (
        f"{chosen.recipe.name} was asked for by name; on the folds the baseline {best.recipe.name} does better: "
        f"{name} {best.score:.4g} against {chosen.score:.4g}"
    )
    return [Finding("choice", Severity.WARNING, chosen.recipe.name, message)]


def _refuse_misfits(names: Sequence[Recipe], given: Mapping[str, Any], plugins: Parts | None) -> None:
    """Raise DataError for given parameters that the candidates cannot take, all at once."""
    others = None if plugins is None else plugins.estimators
    kinds = dict.fromkeys(recipe.estimator for recipe in names) if given else {}
    wrong = [fault for kind in kinds for fault in misfits(kind, estimators.make(kind, others), given).values()]
    if wrong:
        raise DataError("; ".join(f"train.params: {fault}" for fault in wrong))


def _mean(values: Iterable[float]) -> float:
    kept = list(values)
    return float(np.mean(kept)) if kept else 0.0
