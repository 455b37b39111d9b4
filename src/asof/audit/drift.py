"""Drift: how far training and test questions can be told apart, and by which columns. It warns, it never blocks."""

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
MOMENTS = 60
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


def check(train: pl.DataFrame, test: pl.DataFrame, moments: tuple[pl.Series, pl.Series], *, seed: int = 0) -> Verdict:
    """Let trees tell test from training questions, out of fold; columns that say when a question is are set apart.

    Args:
        train: features of n training questions.
        test: features of m test questions.
        moments: start of each question's period, n and m; null where there is no time.
        seed: of the sample and the parts.
    """
    if min(train.height, test.height) < LEAST_ROWS:
        return Verdict(
            "drift", Outcome.UNTOLD, f"{train.height:,} training and {test.height:,} test questions, too few"
        )
    draw = np.random.default_rng(seed)
    timelike = _say_when(train, test, moments, draw)
    left, right = (
        base.sample(frame.with_columns(moment.alias(" moment")), MOST_ROWS, draw)
        for frame, moment in zip((train, test), moments, strict=True)
    )
    both = pl.concat([left, right])
    features, moment = both.drop(" moment"), both[" moment"]
    is_test = np.arange(both.height) >= left.height
    part = _parts(moment, seed)
    what = features.drop(timelike)
    area = _apart(what, is_test, part, seed) if what.width else 0.5
    target = Target.of(pl.Series(is_test).cast(pl.Float64), classes=2)
    alone = {name: columns.told(what[name], target, part) for name in what.columns}
    coverage = f"{what.width} features, {left.height:,} training and {right.height:,} test questions, AUC {area:.2f}"
    if timelike:
        coverage += f"; {len(timelike)} say when, and differ by nature"
    return base.settle("drift", coverage, _findings(area, alone, timelike))


def _findings(area: float, alone: dict[str, float], timelike: list[str]) -> list[Finding]:
    if area < APART:
        return []
    most = sorted((name for name in alone if alone[name] >= COLUMN), key=lambda name: -alone[name])[:SHOWN]
    by = ", ".join(f"{name} ({alone[name]:.2f})" for name in most) or "no single column, only several together"
    message = f"training and test questions can be told apart (AUC {area:.2f}), by {by}"
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


def _say_when(
    train: pl.DataFrame, test: pl.DataFrame, moments: tuple[pl.Series, pl.Series], draw: np.random.Generator
) -> list[str]:
    """Columns that follow the time: alike for all that is asked about a moment, or in step with the time."""
    moment = pl.concat(moments)
    if moment.null_count():
        return []
    kept = moment.is_in(base.sample(moment.unique().sort().to_frame(), MOMENTS, draw).to_series().implode())
    features, when = pl.concat([train, test]).filter(kept), moment.filter(kept)
    return [name for name in features.columns if _says_when(features[name], when)]


def _says_when(column: pl.Series, moment: pl.Series) -> bool:
    frame = pl.DataFrame({"value": column, "moment": moment})
    alike = pl.len().over("value", "moment")
    constant, only, shared = frame.select(
        constant=(alike == pl.len().over("moment")).all() & (pl.len().over("moment") > 1).mean().gt(SHARED),
        only=((alike > 1) & (alike >= TIMELIKE * pl.len().over("value"))).mean(),
        shared=(pl.len().over("moment") > 1).any(),
    ).row(0)
    if constant or (shared and only >= SHARED):
        return True
    target = Target.of(moment.to_physical().cast(pl.Float64), classes=0)
    return columns.told(column, target, columns.parts(frame.height, seed=0, blocks=False)) >= TIMELIKE


def _apart(features: pl.DataFrame, is_test: np.ndarray, part: columns.Ints, seed: int) -> float:
    told = np.zeros(features.height)
    label = pl.Series(is_test).cast(pl.Float64)
    for held in range(columns.PARTS):
        learn, asked = np.flatnonzero(part != held), np.flatnonzero(part == held)
        model = recipes.fit(CLASSIFIER, Table(features[learn], label[learn]), threads=1, seed=seed)
        told[asked] = model.predict(features[asked])
    return columns.auc(is_test, told)
