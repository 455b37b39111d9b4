"""A weighted mean of several recipes, found greedily on what they predicted out of fold, kept only where it pays."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

import numpy as np

from asof.errors import DataError
from asof.recipes import Blend, Recipe, mix
from asof.tuning.benches import Bench, Floats
from asof.tuning.plans import Offer, Trial

LEAST_GAIN = 0.001
"""Each member beyond the first must bring this share of what the best recipe saves over the best baseline."""
CANDIDATES = 8
ALIKE = 2
"""Candidates of one estimator that are learnt alike: of the label, or against the same feature."""
MEMBERS = 4
STEPS = 10


@dataclass(frozen=True)
class Mixed:
    """A blend as a trial, and what it is held against."""

    trial: Trial
    members: tuple[int, ...]
    """Numbers of the trials that it is made of, the best single one first where it is among them."""
    single: int
    """Number of the best single trial."""
    single_score: float
    gain: float
    limit: float

    @property
    def pays(self) -> bool:
        """Whether it gains more than its further members must bring."""
        return len(self.members) > 1 and self.gain > self.limit


def blend(bench: Bench, trials: Sequence[Trial], told: Sequence[Sequence[Floats]]) -> Mixed | None:
    """Mix the best trials, or none where there is nothing to mix.

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
    pairs = [(number, weight) for number, weight in zip(chosen, weights, strict=True) if weight > 0]
    recipes = tuple(with_rounds(trials[number]) for number, _ in pairs)
    found = Blend("blend", recipes, tuple(weight for _, weight in pairs))
    trial = Trial("blend", found, bench.scores(mixed))
    best = trials[chosen[0]].score
    plain = [bench.sign * t.score for t in trials if t.stage == "baseline" and math.isfinite(t.score)]
    saved = max(0.0, min(plain) - bench.sign * best) if plain else 0.0
    limit = LEAST_GAIN * saved * (len(pairs) - 1)
    members = tuple(number for number, _ in pairs)
    return Mixed(trial, members, chosen[0], best, bench.sign * (best - trial.score), limit)


def priced(mixed: Mixed, seconds: Sequence[tuple[float, float]]) -> Offer:
    """Say what a blend gains and costs; ``seconds`` of each trial, to fit and to predict."""
    single = seconds[mixed.single]
    both = (sum(seconds[number][0] for number in mixed.members), sum(seconds[number][1] for number in mixed.members))
    verdict = "it pays" if mixed.pays else "it does not pay"
    why = (
        f"{verdict}: {len(mixed.members)} recipes gain {mixed.gain:.3g} on a score of {mixed.single_score:.4g} "
        f"(at least {mixed.limit:.3g} is asked)"
    )
    if len(mixed.members) == 1:
        why = "it does not pay: nothing that is mixed in makes the best single recipe better"
    elif mixed.gain <= 0:
        score = f"{mixed.trial.score:.4g}, no better than the best single recipe with {mixed.single_score:.4g}"
        why = f"it does not pay: by weights found on other folds a blend scores {score}"
    return Offer(
        members=len(mixed.members),
        single=mixed.single_score,
        blend=mixed.trial.score,
        gain=mixed.gain,
        limit=mixed.limit,
        pays=mixed.pays,
        single_seconds=single,
        blend_seconds=both,
        why=why,
    )


def with_rounds(trial: Trial) -> Recipe:
    """Return the recipe of a trial with the median of the rounds found in its folds."""
    if not isinstance(trial.recipe, Recipe):
        raise DataError("a blend has no rounds of its own")
    found = [rounds for rounds in trial.rounds if rounds is not None]
    return replace(trial.recipe, rounds=round(median(found))) if found else trial.recipe


def _candidates(bench: Bench, trials: Sequence[Trial]) -> list[int]:
    """Numbers of the best trials, best first, no more than ``ALIKE`` of one estimator that are learnt alike."""
    ranked = sorted(
        (bench.sign * trial.score, number)
        for number, trial in enumerate(trials)
        if trial.stage != "baseline" and math.isfinite(trial.score)
    )
    kept: list[int] = []
    alike: Counter[tuple[str, str]] = Counter()
    for _, number in ranked:
        recipe = trials[number].recipe
        if not isinstance(recipe, Recipe) or len(kept) == CANDIDATES:
            continue
        way = (recipe.estimator, recipe.against)
        if alike[way] < ALIKE:
            alike[way] += 1
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
