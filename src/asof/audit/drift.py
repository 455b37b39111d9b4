"""Drift: how far training and test questions can be told apart, and by which columns. It warns, it never blocks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from asof import recipes
from asof.audit import base, columns
from asof.audit.base import Outcome, Verdict
from asof.audit.columns import Target
from asof.data import Finding, Severity, Table
from asof.encoders import EncoderPlan
from asof.recipes import Recipe

LEAST_ROWS = 100
"""Fewer questions on a side tell nothing."""
MOST_ROWS = 4_000
"""Questions of each side that are looked at."""
APART = 0.7
"""AUC above which the sides are said to differ: of two questions, one from each, seven in ten are put right."""
COLUMN = 0.65
"""The same for one column alone."""
SHOWN = 5
TIMELIKE = 0.9
"""A column that tells this share of the order in time says when, not what."""
SHARED = 0.5
"""So do columns of which this share of values is the same for several questions of one moment, and of no other."""
MOMENTS = 30
"""Moments whose questions are looked at whole, to find such columns."""
CLASSIFIER = Recipe(
    "drift",
    (EncoderPlan("categories"),),
    "lightgbm",
    {"num_leaves": 15, "learning_rate": 0.1, "feature_fraction": 1.0, "min_data_in_leaf": 20},
    loss="squared",
    rounds=40,
)
"""Regression on 0 and 1: only the order of its answers is read."""


@dataclass(frozen=True)
class Part:
    """Questions of one side."""

    features: pl.DataFrame
    """n rows."""
    start: pl.Series
    """Start of each question's period; null where there is no time."""
    as_of: pl.Series
    """When it is asked; null where there is no time."""


def check(train: Part, test: Part, *, seed: int = 0) -> Verdict:
    """Let trees tell test from training questions, out of fold; columns that say when a question is are set apart."""
    sides = (train, test)
    if min(side.features.height for side in sides) < LEAST_ROWS:
        few = f"{train.features.height:,} training and {test.features.height:,} test questions, too few"
        return Verdict("drift", Outcome.UNTOLD, few)
    draw = np.random.default_rng(seed)
    clocks = [pl.concat(getattr(side, name) for side in sides) for name in ("start", "as_of")]
    timelike = _say_when(pl.concat(side.features for side in sides), clocks, draw)
    left, right = (
        base.sample(side.features.with_columns(side.start.alias(" start")), MOST_ROWS, draw) for side in sides
    )
    both = pl.concat([left, right])
    features = both.drop(" start")
    is_test = np.arange(both.height) >= left.height
    part = _parts(both[" start"], seed)
    what = features.drop(timelike)
    area = _apart(what, is_test, part, seed) if what.width else 0.5
    target = Target.of(pl.Series(is_test).cast(pl.Float64), classes=2)
    alone = {name: columns.told(what[name], target, part) for name in what.columns}
    coverage = f"{what.width} features, {left.height:,} training and {right.height:,} test questions, AUC {area:.2f}, "
    coverage += f"of which up to {APART} is nothing to speak of" if area < APART else "told of and no failure"
    if timelike:
        coverage += f"; {len(timelike)} say when, and differ by nature"
    return base.settle("drift", coverage, _findings(area, alone, timelike))


def _findings(area: float, alone: dict[str, float], timelike: list[str]) -> list[Finding]:
    if area < APART:
        return []
    most = sorted((name for name in alone if alone[name] >= COLUMN), key=lambda name: -alone[name])[:SHOWN]
    by = ", ".join(f"{name} ({alone[name]:.2f})" for name in most) or "no single column, only several together"
    message = f"nothing failed, but training and test questions can be told apart (AUC {area:.2f}), by {by}"
    if timelike:
        message += f"; not counted, because they say when: {', '.join(timelike[:SHOWN])}" + (
            f" and {len(timelike) - SHOWN} more" if len(timelike) > SHOWN else ""
        )
    return [Finding("drift", Severity.WARNING, most[0] if most else "features", message, figure=area, limit=APART)]


def _parts(moment: pl.Series, seed: int) -> columns.Ints:
    """Part of each question; those of one moment stay together, or they would tell one another's side."""
    if moment.null_count():
        return columns.parts(len(moment), seed=seed, blocks=False)
    number = moment.rank("dense").to_numpy().astype(np.int64) - 1
    part: columns.Ints = columns.parts(int(number.max()) + 1, seed=seed, blocks=False)[number]
    return part


def _say_when(features: pl.DataFrame, clocks: Sequence[pl.Series], draw: np.random.Generator) -> list[str]:
    """Columns that follow one of the clocks: alike for all that is asked at a moment, or in step with the time."""
    found: set[str] = set()
    for clock in clocks:
        if clock.null_count():
            continue
        moments = base.sample(clock.unique().sort().to_frame(), MOMENTS, draw).to_series()
        kept = clock.is_in(moments.implode())
        when = clock.filter(kept).rank("dense").to_numpy().astype(np.int64) - 1
        asked = features.filter(kept)
        found |= {name for name in asked.columns if name not in found and _says_when(asked[name], when)}
    return [name for name in features.columns if name in found]


def _says_when(column: pl.Series, when: columns.Ints) -> bool:
    value = column.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    together, at_moment, of_value = (_sizes(codes) for codes in (value * (when.max() + 1) + when, when, value))
    several = at_moment > 1
    if several.mean() > SHARED and (together == at_moment).all():
        return True
    if ((together > 1) & (together >= TIMELIKE * of_value)).mean() >= SHARED:
        return True
    number = column.dtype.is_numeric() and column.null_count() == 0 and value.max() > value.min() and when.max() > 0
    return bool(number and np.corrcoef(value, when)[0, 1] ** 2 >= TIMELIKE)


def _sizes(codes: columns.Ints) -> columns.Ints:
    """How many rows have the code of each row."""
    _, inverse, counts = np.unique(codes, return_inverse=True, return_counts=True)
    sizes: columns.Ints = counts[inverse]
    return sizes


def _apart(features: pl.DataFrame, is_test: np.ndarray, part: columns.Ints, seed: int) -> float:
    told = np.zeros(features.height)
    label = pl.Series(is_test).cast(pl.Float64)
    for held in range(columns.PARTS):
        learn, asked = np.flatnonzero(part != held), np.flatnonzero(part == held)
        model = recipes.fit(CLASSIFIER, Table(features[learn], label[learn]), threads=1, seed=seed)
        told[asked] = model.predict(features[asked])
    return columns.auc(is_test, told)
