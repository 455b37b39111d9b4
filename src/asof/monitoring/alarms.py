"""Alarms: many tests of one look, judged together at one rate of false alarms.

Each test has a weight, and all weights sum to 1: a test alarms where its p-value lies below the rate times its weight
(Genovese, Roeder and Wasserman 2006), so that a column that the model hardly goes by hardly alarms. A p-value says
where the figure of today lies among those of earlier looks (Student's t, with as many degrees of freedom as there are
looks that do not overlap). Tails are seldom those of the book: the same question is put to every earlier look, and
where these would have alarmed more often than asked, the limit is raised until they would not. That is done for each
kind of test by itself, at its part of the rate: what moves wildly every Christmas raises no limit but its own. What an
earlier look has reached is no alarm, however odd it is; but see below.

Of some figures theory tells the chance. These are not held against their mean and spread; their limit is raised where
earlier looks were stranger than theory has it, and what an earlier look has reached may alarm again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_LOOKS = 4
"""Fewer earlier looks that do not overlap say nothing."""
LEAST_FAMILY = 4
"""A family of fewer tests lends nothing."""
MOST_LENT = 3.0
"""A family lends at most so many times the degrees of freedom of a single test: its tests are not independent."""
SUDDEN = frozenset({"missing", "new", "stuck", "clock"})
"""Kinds of tests that no season moves. What moves them in what was learnt, such as the start of its history, is no
chance either, so their limits are raised by the usual looks alone."""
MOST_FREEDOM = 8.0
"""Degrees of freedom are taken to be no more: what moves with holidays and weather has heavier tails than a normal
distribution, and no history is long enough to see how heavy."""
EXACT = 0.5
"""Share of the earlier looks from whose excesses the tail is drawn."""


@dataclass(frozen=True)
class Test:
    """A figure of today and of each earlier look."""

    __test__ = False  # no test of pytest
    name: str
    weight: float
    figures: Floats
    """1 + k figures, that of today first; not a number where there was nothing to compare."""
    least: float
    """The usual spread of the figure is taken to be no smaller."""
    both: bool = False
    """Whether a small figure is as strange as a large one."""
    family: str = ""
    """Tests of one family, such as the places, lend one another strength in saying how far figures usually move."""
    chances: Floats | None = None
    """1 + k logarithms of the chance of a figure as large, where theory tells it."""
    steep: float = 1.0
    """By so much the logarithm of the chance falls where the figure of today is larger by 1."""

    def at(self, looks: NDArray[np.int64]) -> "Test":
        """Keep these of its looks; today is 0."""
        return replace(self, figures=self.figures[looks], chances=None if self.chances is None else self.chances[looks])

    @property
    def kind(self) -> str:
        """What it tests: the first word of its name."""
        return self.name.partition(" ")[0]


@dataclass(frozen=True)
class Alarm:
    """What a test says."""

    name: str
    figure: float
    usual: float
    """Mean of the earlier looks."""
    limit: float
    """Beyond this it alarms."""
    p: float
    alarm: bool


@dataclass(frozen=True)
class Judged:
    """What all tests say together."""

    tests: tuple[Alarm, ...]
    """Strangest first."""
    strength: float
    """``-log`` of the smallest p-value over its weight."""
    needed: float
    """From this strength on a test alarms; infinite where too little came before."""
    looks: float
    """Earlier looks that do not overlap."""

    @property
    def alarms(self) -> tuple[Alarm, ...]:
        """Those that alarm."""
        return tuple(one for one in self.tests if one.alarm)


def judge(tests: Sequence[Test], at: Sequence[int], length: int, rate: float, unseen: float = 1.0) -> Judged:
    """Judge the first of 1 + k looks by the k others, all tests together.

    Args:
        tests: their weights are made to sum to 1.
        at: positions of the 1 + k looks, in steps.
        length: looks less than so many steps apart overlap.
        rate: of false alarms, of all tests together.
        unseen: how many times wider figures are taken to move than they were seen to.
    """
    known = [one for one in tests if one.weight > 0 and np.isfinite(one.figures[0])]
    # Windows of `length` steps, one a step: a variance has so many degrees of freedom (as in ``evaluation.ahead``).
    shared = sum((1 - step / length) ** 2 for step in range(1, length))
    independent = max(len(at) - 1, 0) / (1 + 2 * shared)
    if not known or independent < LEAST_LOOKS:
        return Judged((), 0.0, np.inf, float(independent))
    far = _far(np.asarray(at), length)
    total = sum(one.weight for one in known)
    found = []
    for kind in dict.fromkeys(one.kind for one in known):
        mine = [one for one in known if one.kind == kind]
        part = sum(one.weight for one in mine) / total
        if mine[0].chances is None:
            found.append(_judge(mine, far, independent, (rate * part, unseen)))
        else:
            found.append(_judge_told(mine, far, independent, rate * part))
    strangest = max(found, key=lambda one: one.strength - one.needed)
    said = sorted((one for kind in found for one in kind.tests), key=lambda one: (not one.alarm, one.p))
    return Judged(tuple(said), strangest.strength, strangest.needed, float(independent))


def _far(place: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    """By which looks each is judged: those that share no day with it, and never that of today, which may be odd."""
    far: NDArray[np.bool_] = np.abs(place[:, None] - place[None, :]) >= length
    far[:, 0] = False
    return far


def _judge(known: Sequence[Test], far: NDArray[np.bool_], independent: float, asked: tuple[float, float]) -> Judged:
    """Tests of one kind, at their part of the rate."""
    rate, unseen = asked
    figures = np.stack([one.figures for one in known], axis=1)
    weight = np.array([one.weight for one in known]) / sum(one.weight for one in known)
    least, both = np.array([one.least for one in known]), np.array([one.both for one in known])
    enough = far.sum(axis=1) >= max(LEAST_LOOKS, 0.5 * far.shape[0])
    enough[0] = True
    mean, spread = _usual(figures, far, least)
    sudden = known[0].kind in SUDDEN
    spread[0] *= 1.0 if sudden else unseen
    spread, freedom = _moderated(spread, least, [one.family for one in known], max(independent - 1, 1.0))
    stretch = np.sqrt(1 + 1 / independent)
    freedom = np.minimum(freedom, MOST_FREEDOM)
    p = _tail((figures - mean) / (spread * stretch), both, freedom)
    p[0] = np.maximum(p[0], _reached(figures, mean[0], both, far[0]))
    strength = -np.log(np.maximum(p, 1e-300) / weight)
    strength = np.where(np.isfinite(strength), strength, -np.inf)
    before = strength.max(axis=1)[1:][enough[1:]]
    needed = max(-np.log(rate), tail_of(before, rate, robust=sudden))
    limit = mean[0] + spread[0] * stretch * _inverse(np.exp(-needed) * weight, both, freedom)
    said = [
        Alarm(
            one.name,
            float(one.figures[0]),
            float(mean[0, k]),
            float(limit[k]),
            float(p[0, k]),
            bool(strength[0, k] >= needed),
        )
        for k, one in enumerate(known)
    ]
    return Judged(tuple(said), float(strength[0].max()), float(needed), independent)


def _judge_told(known: Sequence[Test], far: NDArray[np.bool_], independent: float, rate: float) -> Judged:
    """Tests of one kind whose chances theory tells, at their part of the rate.

    If theory is right, strengths of earlier looks are 1 in the mean, or less; if they are more, so is the limit.
    """
    weight = np.array([one.weight for one in known]) / sum(one.weight for one in known)
    told = np.stack([one.chances for one in known if one.chances is not None], axis=1)
    strength = np.where(np.isfinite(told), np.log(weight) - told, -np.inf)
    before = np.maximum(strength.max(axis=1)[1:][far[0][1:]], 0.0)
    needed = -np.log(rate) * max(1.0, float(np.minimum(before, -np.log(rate)).mean()))
    said = [
        Alarm(
            one.name,
            float(one.figures[0]),
            float(one.figures[1:].mean()),
            float(one.figures[0] + (needed - strength[0, k]) / one.steep),
            float(np.exp(told[0, k])),
            bool(strength[0, k] >= needed),
        )
        for k, one in enumerate(known)
    ]
    return Judged(tuple(said), float(strength[0].max()), float(needed), independent)


def _reached(figures: Floats, mean: Floats, both: NDArray[np.bool_], far: NDArray[np.bool_]) -> Floats:
    """Share of the earlier looks that were as strange as that of today, which its chance is no smaller than."""
    moved = figures - mean
    moved = np.where(both, np.abs(moved), moved)
    there: Floats = (moved[far] >= moved[0]).sum(axis=0) / (far.sum() + 1)
    return there


def _usual(figures: Floats, far: NDArray[np.bool_], least: Floats) -> tuple[Floats, Floats]:
    """Mean and spread, for each look, of those far from it."""
    there = np.isfinite(figures)
    filled = np.where(there, figures, 0.0)
    rows = np.maximum(far @ there.astype(float), 1.0)
    mean = far @ filled / rows
    square = far @ filled**2 / rows - mean**2
    return mean, np.maximum(np.sqrt(np.maximum(square, 0.0)), least)


def _moderated(spread: Floats, least: Floats, families: Sequence[str], freedom: float) -> tuple[Floats, Floats]:
    """Spreads drawn towards that of their family, and the degrees of freedom of each test (Smyth 2004).

    How alike the variances of a family are says how much weight the family has; a test alone keeps its own.
    """
    moved, degrees = spread.copy(), np.full(spread.shape[1], freedom)
    for family in set(families) - {""}:
        member = np.array([one == family for one in families]) & (spread[0] > least)
        if member.sum() < LEAST_FAMILY:
            continue
        prior, usual = _prior(spread[0, member] ** 2, freedom)
        scale = usual / np.exp(np.log(spread[0, member] ** 2).mean())
        center = np.exp(np.log(spread[:, member] ** 2).mean(axis=1, keepdims=True)) * scale
        moved[:, member] = np.sqrt((freedom * spread[:, member] ** 2 + prior * center) / (freedom + prior))
        degrees[member] = freedom + prior
    return np.maximum(moved, least), degrees


def _prior(variance: Floats, freedom: float) -> tuple[float, float]:
    """Degrees of freedom that a family adds, and its usual variance, by the moments of logarithms (Smyth 2004)."""
    from scipy.optimize import brentq
    from scipy.special import digamma, polygamma

    logs = np.log(variance) - digamma(freedom / 2) + np.log(freedom / 2)
    excess = float(np.var(logs, ddof=1) - polygamma(1, freedom / 2))
    most = MOST_LENT * freedom
    if excess <= float(polygamma(1, most / 2)):
        half = most / 2
    else:
        half = float(brentq(lambda x: float(polygamma(1, x)) - excess, 1e-3, most / 2))
    return 2 * half, float(np.exp(logs.mean() + digamma(half) - np.log(half)))


def _tail(z: Floats, both: NDArray[np.bool_], freedom: Floats) -> Floats:
    from scipy.stats import t

    told: Floats = np.where(both, 2 * t.sf(np.abs(z), freedom), t.sf(z, freedom))
    return np.where(np.isfinite(z), told, 1.0)


def _inverse(p: Floats, both: NDArray[np.bool_], freedom: Floats) -> Floats:
    from scipy.stats import t

    told: Floats = t.isf(np.where(both, p / 2, p), freedom)
    return told


def tail_of(before: Floats, rate: float, *, robust: bool = False) -> float:
    """Strength that earlier looks pass at ``rate``: excesses over their median, drawn on as an exponential tail.

    ``robust``: the tail is that of the middle excess, and not of the mean, which a few looks far out decide.
    """
    before = before[np.isfinite(before)]
    if not before.size:
        return 0.0
    middle = float(np.quantile(before, 1 - EXACT))
    excess = before[before > middle] - middle
    if not excess.size:
        return middle
    mean = float(np.median(excess)) / float(np.log(2)) if robust else float(excess.mean())
    return middle + mean * max(float(np.log(EXACT / rate)), 0.0)
