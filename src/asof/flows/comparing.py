"""Champion against challenger, on questions that neither has seen."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import polars as pl

from asof import estimators, probabilities, promotion, recipes, releases
from asof.errors import DataError
from asof.evaluation import Bootstrap
from asof.flows import judging, learning, nesting, preparation
from asof.flows.judging import Judged
from asof.flows.learning import Bench
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.metrics import Metric
from asof.ports import ReleaseRecord
from asof.promotion import Comparison, Decision
from asof.recipes import Blend, Recipe


def decide(workspace: Workspace, prepared: Prepared, bench: Bench, judged: Judged, *, audit_passed: bool) -> Decision:
    """Hold the rules of the project against the holdout, and compare with the champion if there is one."""
    rules = promotion.rules(workspace.spec.promote, workspace.plugins.metrics)
    findings = promotion.judge(rules, figures(judged), audit_passed=audit_passed)
    champion = workspace.registry.find("champion")
    if champion is None:
        return promotion.decide(findings, None)
    comparison, on = against(workspace, prepared, champion, bench, judged)
    return promotion.decide(findings, comparison, on)


def figures(judged: Judged) -> dict[str, float]:
    """Figures of the holdout that a rule may name."""
    found = {name: estimate.value for name, estimate in judged.scores.items()}
    found |= {"skill": judged.skill.value, "optimism": judged.optimism.value}
    if judged.coverage is not None:
        found["coverage"] = judged.coverage
    if judged.explained is not None:
        found["share_explained"] = judged.explained.value
    return found


def against(
    workspace: Workspace, prepared: Prepared, champion: ReleaseRecord, bench: Bench, judged: Judged
) -> tuple[Comparison, str]:
    """Compare on questions asked after the champion's own last cut, else both recipes fitted at the same cut.

    The champion itself can answer only where the project still makes the features that it was made with. Where not even
    its recipe can be fitted on those that there are now, the best baseline stands in its place: nobody could have
    answered with the champion, and the project could otherwise never have another one.
    """
    release = releases.read(champion.folder)
    bootstrap = Bootstrap(seed=bench.wanted.seed)
    asked = judged.asked
    same = release.facts.get("meaning") in {None, preparation.meaning(workspace)}
    model, gone = _opened(workspace, release) if same else (None, "")
    fits = model is not None and set(model.columns) == set(asked.features.columns)
    other = gone or _other(release, prepared.panel.classes, fits)
    fresh, why = _unseen(judged, release.facts.get("cut", ""))
    if model is not None and why == "" and other == "":
        told = _calibrated(release, model.predict(asked.side(np.flatnonzero(fresh.to_numpy())).features))
        answers = judged.answers.filter(fresh).with_columns(
            judging.column("champion", told), challenger=pl.col("prediction")
        )
        on = f"{answers.height:,} questions asked after the champion's last cut {release.facts['cut'][:10]}"
    else:
        recipe = recipes.read_plan(release.json("recipe"))
        why = other or why
        try:
            answers = _anew(workspace, bench, judged, _with_classes(recipe, bench.wanted.classes))
        except estimators.failures() as fault:
            rule = judging.words_of(judged.baseline)
            answers = judged.answers.with_columns(champion=pl.col("baseline"), challenger=pl.col("prediction"))
            on = f"{answers.height:,} questions with the rule {rule} in place of the champion ({why}, "
            on += f"and its recipe cannot be fitted now: {fault})"
            return promotion.compare(answers, measured(judged, bench), bootstrap), on
        where = (
            f"at {judged.cut:%Y-%m-%d} and asked {answers.height:,} later questions"
            if judged.cut
            else (f"on the same folds and asked {answers.height:,} times")
        )
        on = f"both recipes fitted {where} ({why})"
    return promotion.compare(answers, measured(judged, bench), bootstrap), on


def _opened(workspace: Workspace, release: releases.Release) -> tuple[recipes.Model | None, str]:
    """The champion itself, or why it cannot be opened: a package that it was made with may be gone."""
    try:
        return release.model(threads=workspace.threads, plugins=workspace.plugins), ""
    except DataError as fault:
        return None, f"the champion cannot be opened: {fault}"


def _other(release: releases.Release, classes: Sequence[str], fits: bool) -> str:  # noqa: FBT001 - private
    """Why the champion itself cannot answer what is asked now; "" where it can."""
    if tuple(json.loads(release.facts.get("classes", "[]"))) != tuple(classes):
        return "the champion was made for other classes"
    return "" if fits else "the champion was made with other features"


def _with_classes(recipe: Recipe | Blend, classes: int) -> Recipe | Blend:
    """The recipe for as many classes as there are now."""
    if isinstance(recipe, Blend):
        return replace(recipe, recipes=tuple(_told_classes(member, classes) for member in recipe.recipes))
    return _told_classes(recipe, classes)


def _told_classes(recipe: Recipe, classes: int) -> Recipe:
    if recipe.classes == classes:
        return recipe
    steps = []
    for plan in recipe.encoders:
        options = {name: value for name, value in plan.options.items() if name != "classes"}
        several = plan.name == "target_mean" and classes > 2
        steps.append(replace(plan, options={**options, "classes": classes} if several else options))
    return replace(recipe, encoders=tuple(steps), classes=classes)


def measured(judged: Judged, bench: Bench) -> Metric:
    """The metric that decides; where it judges decisions of classes, by the rule of the challenger for both."""
    return judging.measures(bench.wanted, judged.calibration)[bench.wanted.metric]


def _unseen(judged: Judged, champion_cut: str) -> tuple[pl.Series, str]:
    """Which judged questions the champion cannot have learnt, and why they are not enough ("" where they are)."""
    questions = judged.asked.questions
    if judged.cut is None or not champion_cut:
        nothing = pl.repeat(value=False, n=questions.height, dtype=pl.Boolean, eager=True)
        held = "the champion has met the places that are held out here" if questions["start"].null_count() == 0 else ""
        return nothing, held or "without a time nobody knows what the champion has met"
    fresh = questions["as_of"] >= max(datetime.fromisoformat(champion_cut), judged.cut)
    periods = questions.filter(fresh)["start"].n_unique()
    few = f"only {periods} periods lie after the champion's own last cut"
    return fresh, "" if periods >= promotion.LEAST_PERIODS else few


def _calibrated(release: releases.Release, told: np.ndarray) -> np.ndarray:
    """Probabilities of classes as the champion tells them; numbers stay as they are."""
    kept = release.json("intervals")
    return probabilities.read(kept).apply(told) if kept.get("kind") == "class" else told


def _anew(workspace: Workspace, bench: Bench, judged: Judged, recipe: Recipe | Blend) -> pl.DataFrame:
    """Judged questions with what both recipes tell when they are fitted alike; probabilities as they come, of both."""
    if bench.split.test.size:
        champion = learning.fit(workspace, bench, bench.split.train, recipe).predict(judged.asked.features)
        challenger = judged.model.predict(judged.asked.features)
    else:
        champion, challenger = (nesting.again(workspace, bench, one) for one in (recipe, judged.model.recipe))
    return judged.answers.with_columns(judging.column("champion", champion), judging.column("challenger", challenger))
