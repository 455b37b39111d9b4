"""From prepared data to a judged model: choose on folds, fit at a cut, answer, refit."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import kfolds, metrics, panels, recipes, splits, times, tuning
from asof import lookups as looking
from asof.data import UTC_TIME, Table
from asof.errors import DataError
from asof.flows import preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.metrics import Metric
from asof.panels import Panel
from asof.recipes import Blend, Model, Recipe
from asof.specs import CheckSpec
from asof.splits import Split
from asof.times import Step
from asof.tuning import Plan, Selection

LEAST = splits.LEAST_TRAIN
"""Fewer training questions than this give no model worth judging."""
TASKS = {"count": "count", "distinct": "count", "classes": "class"}
"""Task of a measure; that of the others is a number."""
METRICS = {"count": "poisson_deviance", "class": "log_loss"}
"""Metric that decides where the project names none; for numbers rmse."""
LOSSES = {"class": "log_loss"}
"""What skill is measured by where the metric is no mean loss; for numbers and counts rmse."""


@dataclass(frozen=True)
class Material:
    """Questions to learn from, with their features beside them."""

    questions: pl.DataFrame
    """n rows: place, start, end, as_of, horizon, label, known_at; known_from where places are found in rows; and where
    units are rows: unit, own.NAME, and group where rows belong together."""
    features: pl.DataFrame
    """n rows in the same order."""
    families: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Where rows with a time are units: names of the features that each lookup adds to the row's own columns."""
    against: tuple[str, ...] = ()
    """Features that say by themselves what the label should be."""

    def table(self, rows: np.ndarray) -> Table:
        """Questions at positions ``rows``, as an estimator learns from them."""
        return Table(self.features[rows], self.questions["label"][rows])

    def side(self, rows: np.ndarray) -> "Material":
        """Keep only the questions at positions ``rows``."""
        return Material(self.questions[rows], self.features[rows], self.families, self.against)


@dataclass(frozen=True)
class Terms:
    """What judging and learning are told by the project."""

    task: str
    metric: str
    """Name of the metric that decides."""
    measure: Metric
    """The metric of that name."""
    loss: Metric
    """What skill is measured by: the same metric where it is a mean loss, else the squared error or the log loss."""
    zone: str
    seed: int
    threads: int
    budget_seconds: float
    folds: int
    fold: Step
    candidates: tuple[str, ...] | None
    """Names, or none for the default portfolio."""
    model: str = ""
    """The one model to make; empty: the best of the candidates."""
    params: Mapping[str, Any] = field(default_factory=dict)
    """Parameters of the model, or of the only candidate."""
    classes: int = 0
    """How many classes there are; 0 for numbers."""
    timed: bool = True
    events: bool = False
    """Whether the label is a sum over what happened, and 0 where nothing did."""
    bounds: tuple[float | None, float | None] = (None, None)
    """What no label lies below or above, where the project says so."""


@dataclass(frozen=True)
class Bench:
    """Everything laid out for learning: material, the cut of the judged stretch, and the folds before it."""

    material: Material
    split: Split
    folds: tuple[Split, ...]
    wanted: Terms
    hide: Callable[[Split], Material] | None = None
    """Where whole places are held out: the material as if nobody had heard of those that a split tests."""


def terms(workspace: Workspace, prepared: Prepared, fold: Step) -> Terms:
    """Read the project's wishes; the metric defaults to what suits the label, the length of a fold to ``fold``."""
    spec = workspace.spec
    task = TASKS.get(prepared.panel.measure, "number")
    metric = spec.judge.metric or METRICS.get(task, "rmse")
    measure = metrics.find(metric, metrics.owned(workspace.plugins.metrics))
    return Terms(
        task=task,
        metric=metric,
        measure=measure,
        loss=measure
        if measure.loss and measure.exact is None
        else metrics.find("log_loss" if task == "class" else "rmse"),
        zone=prepared.panel.zone,
        seed=spec.train.seed,
        threads=workspace.threads,
        budget_seconds=Step.parse(spec.train.budget).nominal.total_seconds(),
        folds=spec.judge.folds,
        fold=Step.parse(spec.judge.fold) if spec.judge.fold else fold,
        candidates=None if spec.train.candidates == "default" else tuple(spec.train.candidates),
        model=spec.train.model or "",
        params=spec.train.params,
        classes=len(prepared.panel.classes),
        events=prepared.panel.measure == "sum",
        timed=prepared.panel.timed and not prepared.panel.apart,
        bounds=_bounds(spec.sources[prepared.panel.source].checks.get(prepared.panel.column or ""), prepared.panel),
    )


def _bounds(check: CheckSpec | None, panel: Panel) -> tuple[float | None, float | None]:
    """What a label cannot lie below or above, since the rows that it is made of would be refused."""
    low, high = (check.between if check else None) or (None, None)
    if low is None or high is None or panel.measure not in {"value", "mean", "sum"}:
        return None, None
    if panel.measure == "sum":  # of any number of rows
        return (0.0 if low >= 0 else None), (0.0 if high <= 0 else None)
    return low, high


def holdout_of(workspace: Workspace) -> Step | date | None:
    """Length of the holdout, or the day on which it begins, where the project says so."""
    written = workspace.spec.judge.holdout
    if written is None:
        return None
    try:
        return date.fromisoformat(written)
    except ValueError:
        return Step.parse(written)


def fold_that_fits(prepared: Prepared, first: datetime, cut: datetime, wanted: Step, folds: int) -> Step:
    """Length of a fold where the project names none: ``wanted``, or less where the history before ``cut`` is short.

    The folds then take the later half of it, so that the first one has as much to learn from as all of them ask; but
    a fold has room for two periods beyond the furthest horizon, or nothing could be asked in it.
    """
    furthest = max(step.nominal for step in prepared.panel.horizons)
    least = 2 * prepared.panel.every.nominal + furthest
    days = max(math.ceil(least / timedelta(days=1)), ((cut - first) / (2 * folds)).days, 1)
    return wanted if wanted.nominal <= timedelta(days=days) else Step(days, "d")


def gather(workspace: Workspace, prepared: Prepared, first: datetime, until: datetime) -> Material:
    """Questions to learn from with periods in [first, until): one horizon a unit, those with a label only.

    Of a place that is found in the rows nothing is asked before it was known: that it was empty so far is hindsight.
    Where whole places are held out, all are asked about from the start, and each is a group of its own.
    """
    asked = preparation.ask(prepared, first, until)
    thinned = preparation.thin(asked, len(prepared.panel.horizons), workspace.spec.train.seed)
    known = thinned.filter(pl.col("label").is_not_null())
    if prepared.panel.apart:
        known = known.with_columns(group="place")
    elif "known_from" in known.columns:
        known = known.filter(pl.col("as_of") >= pl.col("known_from"))
    if known.height == 0:
        message = (
            f"no period between {first:%Y-%m-%d} and {until:%Y-%m-%d} has a known label: "
            f"{prepared.panel.source} covers {prepared.first:%Y-%m-%d} to {prepared.counted.coverage.end:%Y-%m-%d}"
        )
        raise DataError(message)
    return _material(workspace, prepared, known)


def gather_rows(workspace: Workspace, prepared: Prepared) -> Material:
    """Questions on all rows with a label, of a project whose rows have no time."""
    known = preparation.of_rows(prepared).filter(pl.col("label").is_not_null())
    if known.height == 0:
        message = f"no row of {prepared.panel.source} has a {prepared.panel.column}: there is nothing to learn from"
        raise DataError(message)
    return _material(workspace, prepared, known)


def _material(workspace: Workspace, prepared: Prepared, known: pl.DataFrame) -> Material:
    if known["label"].n_unique() == 1:
        told = prepared.panel.classes[int(known["label"][0])] if prepared.panel.classes else f"{known['label'][0]:g}"
        message = (
            f"the label is {told} in all {known.height:,} questions: "
            f"there is nothing to learn; look at predict: and at the rows of {prepared.panel.source}"
        )
        raise DataError(message)
    features = preparation.read(prepared, known, workspace.spec.leave_out)
    if features.width == 0:
        message = f"there is no feature: {prepared.panel.source} has no other columns; say features: or other sources"
        raise DataError(message)
    families = preparation.families(prepared, known, features.columns)
    return Material(known, features, families, looking.against(prepared.lookups, features.columns))


def asked_between(prepared: Prepared, cut: datetime, until: datetime) -> pl.DataFrame:
    """All questions at all horizons with cut <= as_of < until, on places known at the cut."""
    panel = prepared.panel
    if panel.rows:
        return preparation.of_rows(prepared).filter((pl.col("as_of") >= cut) & (pl.col("as_of") < until))
    over = pl.Series([until], dtype=UTC_TIME)
    last = max(times.shift(over, step, panel.zone)[0] for step in panel.horizons)
    first = times.floor(pl.Series([cut], dtype=UTC_TIME), panel.every, panel.zone)[0]
    asked = panels.questions(panel, first, last)
    asked = asked.filter((pl.col("as_of") >= cut) & (pl.col("as_of") < until))
    if prepared.known_from.height:
        known = prepared.known_from.filter(pl.col("known_from") <= cut)["place"]
        asked = asked.filter(pl.col("place").is_in(known.implode()))
    return asked


def answerable(workspace: Workspace, prepared: Prepared, cut: datetime, until: datetime) -> Material:
    """Those of ``asked_between`` that are not refused, with features, and with labels where known."""
    asked = asked_between(prepared, cut, until).filter(pl.col("as_of") <= prepared.last)
    if asked.height == 0:
        message = (
            f"no question is asked between {cut:%Y-%m-%d} and {until:%Y-%m-%d}: "
            f"{prepared.panel.source} is known until {prepared.last:%Y-%m-%d %H:%M} UTC"
        )
        raise DataError(message)
    labelled = preparation.label(prepared, asked)
    return Material(labelled, preparation.read(prepared, labelled, workspace.spec.leave_out))


def choose(workspace: Workspace, bench: Bench, plan: Plan | None = None) -> Selection:
    """Choose a recipe on the folds: by searching within the budget, or by replaying ``plan``."""
    material, wanted = bench.material, bench.wanted
    tables = fold_tables(material, bench.folds, wanted)
    if plan is not None:
        return tuning.replay(plan, tables, threads=wanted.threads, plugins=workspace.plugins)
    return tuning.select(
        tables,
        task=wanted.task,
        metric=wanted.metric,
        budget_seconds=wanted.budget_seconds,
        seed=wanted.seed,
        threads=wanted.threads,
        candidates=wanted.candidates or "default",
        model=wanted.model,
        params=wanted.params,
        encoders=workspace.spec.train.encoders,
        plugins=workspace.plugins,
        on_trial=workspace.stages.done,
        classes=wanted.classes,
        timed=wanted.timed,
        families=material.families,
        against=material.against,
    )


def fold_tables(material: Material, folds: Sequence[Split], wanted: Terms) -> list[tuple[Table, Table]]:
    """(training, test) tables of folds; training rows in the order of time, or without one by chance.

    The last of them are watched to stop boosting: a file may be sorted by its label.
    """
    draw = np.random.default_rng(wanted.seed)
    return [
        (material.table(fold.train if wanted.timed else draw.permutation(fold.train)), material.table(fold.test))
        for fold in folds
    ]


def folds_before(material: Material, cut: datetime, wanted: Terms) -> tuple[Split, ...]:
    """Forward folds that end at ``cut``."""
    return splits.forward(material.questions, wanted.folds, wanted.fold, wanted.zone, before=cut)


def chance_folds(material: Material, split: Split, wanted: Terms) -> tuple[Split, ...]:
    """Folds of the training rows of ``split``, drawn by chance, for rows without a time; of few rows twice."""
    repeats = 2 if split.train.size < kfolds.FEW_ROWS else 1
    return kfolds.folds(
        material.questions, wanted.folds, seed=wanted.seed, rows=split.train, classes=wanted.classes, repeats=repeats
    )


def cut_of(split: Split) -> datetime:
    """Return the cut of a split by time."""
    assert split.cut is not None  # noqa: S101 - the caller knows that questions have a time
    return split.cut


def fit(workspace: Workspace, bench: Bench, rows: np.ndarray, recipe: Recipe | Blend) -> Model:
    """Fit ``recipe`` on the questions at ``rows``."""
    wanted = bench.wanted
    table = bench.material.table(rows)
    return recipes.fit(recipe, table, threads=wanted.threads, seed=wanted.seed, plugins=workspace.plugins)


def read_plan(path: Path | None) -> Plan | None:
    """Read a stored plan; raises ``DataError`` where the file is none."""
    if path is None:
        return None
    if not path.is_file():
        message = f"{path}: no such file; expected the plan.json of a release"
        raise DataError(message)
    try:
        told = json.loads(path.read_text("utf-8"))
    except ValueError as fault:
        message = f"{path}: {fault}; expected the plan.json of a release"
        raise DataError(message) from fault
    return Plan.from_json(told)
