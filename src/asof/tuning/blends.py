"""A weighted mean of several recipes, found greedily on what they predicted out of fold, kept only where it pays."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from asof.errors import DataError
from asof.recipes import Blend, Recipe, mix
from asof.tuning.benches import Bench, Floats
from asof.tuning.plans import Trial

TOLERANCE = 0.00005
"""A blend must be better than the best recipe by this share of its score, weights found on other folds."""
CANDIDATES = 8
ALIKE = 2
"""Candidates of one estimator."""
MEMBERS = 3
STEPS = 10


def blend(bench: Bench, trials: Sequence[Trial], told: Sequence[Sequence[Floats]]) -> tuple[Trial, bool] | None:
    """(the blend as a trial, whether it pays), or none where there is nothing to blend.

    Its score on each fold is that of weights found on the other folds: a weight never sees the labels that judge it.

    Args:
        bench: the folds.
        trials: all trials.
        told: predictions of each trial on each fold.

    Source: Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """
    chosen = _candidates(bench, trials)
    folds = range(len(bench.folds))
    if len(chosen) < 2 or len(folds) < 2:
        return None
    library = [told[number] for number in chosen]
    mixed = []
    for fold in folds:
        weights = _greedy(bench, library, [other for other in folds if other != fold])
        mixed.append(mix([member[fold] for member in library], weights))
    weights = _greedy(bench, library, list(folds))
    members = [(with_rounds(trials[n]), weight) for n, weight in zip(chosen, weights, strict=True) if weight > 0]
    found = Blend("blend", tuple(recipe for recipe, _ in members), tuple(weight for _, weight in members))
    trial = Trial("blend", found, bench.scores(mixed))
    best = trials[chosen[0]].score
    gain = bench.sign * (best - trial.score)
    return trial, len(members) > 1 and gain > TOLERANCE * abs(best)


def with_rounds(trial: Trial) -> Recipe:
    """Return the recipe of a trial with the median of the rounds found in its folds."""
    if not isinstance(trial.recipe, Recipe):
        raise DataError("a blend has no rounds of its own")
    found = [rounds for rounds in trial.rounds if rounds is not None]
    return replace(trial.recipe, rounds=round(median(found))) if found else trial.recipe


def _candidates(bench: Bench, trials: Sequence[Trial]) -> list[int]:
    """Numbers of the best trials, best first, no more than ``ALIKE`` of one estimator."""
    ranked = sorted(
        (bench.sign * trial.score, number)
        for number, trial in enumerate(trials)
        if trial.stage != "baseline" and math.isfinite(trial.score)
    )
    kept: list[int] = []
    alike: Counter[str] = Counter()
    for _, number in ranked:
        recipe = trials[number].recipe
        if isinstance(recipe, Recipe) and alike[recipe.estimator] < ALIKE and len(kept) < CANDIDATES:
            alike[recipe.estimator] += 1
            kept.append(number)
    return kept


def _greedy(bench: Bench, library: Sequence[Sequence[Floats]], folds: Sequence[int]) -> list[float]:
    """Weights of the members of ``library``: the best one, then again and again whichever helps most."""
    picks: list[int] = []
    sums = {fold: np.zeros_like(library[0][fold]) for fold in folds}
    for step in range(1, STEPS + 1):
        allowed = range(len(library)) if len(set(picks)) < MEMBERS else sorted(set(picks))
        losses = []
        for number in allowed:
            each = [bench.loss(fold, (sums[fold] + library[number][fold]) / step) for fold in folds]
            losses.append((float(np.mean(each)), number))
        best = min(losses)[1]
        picks.append(best)
        for fold in folds:
            sums[fold] += library[best][fold]
    counts = Counter(picks)
    return [counts[number] / STEPS for number in range(len(library))]
