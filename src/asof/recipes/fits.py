"""Fitting and loading: encoders one after the other, then the estimator, on training questions only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof import encoders, estimators
from asof.data import Table
from asof.encoders import EncoderPlan, State
from asof.errors import DataError
from asof.estimators import Estimator, Job
from asof.recipes.models import BlendModel, Model, RecipeModel, Seen, read_json
from asof.recipes.offsets import Offset
from asof.recipes.plans import Blend, Recipe, read_plan
from asof.recipes.tables import check_labels, kinds, prepare

LOGS = frozenset({"log_squared", "log_mean"})
"""Losses that learn log(1 + label) by squared error: told as exp of that, or as the mean that belongs to it."""
SMEARED = 10_000
"""Rows from which the factor of ``log_mean`` is made."""
PARTS = 5
WIDEST = 10.0
"""An error on the log scale is held within this."""


class Parts(Protocol):
    """Encoders, estimators and metrics of plug-ins, by name."""

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Functions (n labels, n predictions) -> n losses."""
        ...

    @property
    def encoders(self) -> Mapping[str, Any]:
        """Classes whose constructor takes the options of a plan."""
        ...

    @property
    def estimators(self) -> Mapping[str, Any]:
        """Classes whose constructor takes nothing."""
        ...


def fit(
    recipe: Recipe | Blend,
    table: Table,
    *,
    watch: Table | None = None,
    threads: int = 1,
    seed: int = 0,
    plugins: Parts | None = None,
) -> Model:
    """Fit encoders, then the estimator, on training questions only.

    Args:
        recipe: what to fit; each member of a blend is fitted on the same table.
        table: training questions.
        watch: a later stretch inside training, on which boosting stops; read only where the recipe names no rounds.
        threads: threads of the estimator; a fingerprint holds for given threads.
        seed: of the run; the recipe's own is added.
        plugins: encoders and estimators beside ours.

    Raises:
        DataError: no rows, labels that the task does not allow, or parts that do not fit the recipe.
    """
    if isinstance(recipe, Blend):
        return BlendModel(
            recipe,
            tuple(
                fit(member, table, watch=watch, threads=threads, seed=seed, plugins=plugins)
                for member in recipe.recipes
            ),
        )
    encoded = encode_for(recipe, table, watch, plugins=plugins)
    return fit_encoded(recipe, encoded, threads=threads, seed=seed, plugins=plugins)


@dataclass(frozen=True)
class Encoded:
    """Tables after the encoders of a recipe, with what these have learnt."""

    columns: Mapping[str, str]
    steps: tuple[encoders.Encoder, ...]
    states: tuple[State, ...]
    table: Table
    watch: Table | None = None
    offset: Offset | None = None
    """What was taken off the labels."""


def encode_for(recipe: Recipe, table: Table, watch: Table | None = None, *, plugins: Parts | None = None) -> Encoded:
    """Fit the encoders of a recipe on the labels that it learns.

    Those are log(1 + label) for the losses of ``LOGS``, and lack what the recipe is learnt against.

    Raises:
        DataError: labels that do not fit the loss, or nothing to learn against.
    """
    learnt, watched = target(recipe, table), None if watch is None else target(recipe, watch)
    if not recipe.against:
        return encode(recipe.encoders, learnt, watched, plugins=plugins)
    if recipe.task != "number":
        raise DataError(f"{recipe.name}: a {recipe.task} cannot be learnt against a feature; a number can")
    check_labels(table)
    offset = Offset.of(recipe.against, table.features, log=recipe.loss in LOGS)
    watched = None if watched is None else offset.off(watched)
    return replace(encode(recipe.encoders, offset.off(learnt), watched, plugins=plugins), offset=offset)


def encode(
    plans: Sequence[EncoderPlan], table: Table, watch: Table | None = None, *, plugins: Parts | None = None
) -> Encoded:
    """Fit encoders one after the other, each on what the one before has made."""
    check_labels(table)
    columns = kinds(table.features)
    table = replace(table, features=prepare(table.features, columns))
    watched = None if watch is None else prepare(watch.features, columns)
    steps = tuple(encoders.make(plan, None if plugins is None else plugins.encoders) for plan in plans)
    states: list[State] = []
    for plan, step in zip(plans, steps, strict=True):
        state = step.fit(table)
        states.append(state)
        rows = len(table)
        table = encoders.encode_training(step, table, state)
        if len(table) != rows:
            raise DataError(f"encoder {plan.name}: {rows} rows became {len(table)}; expected one for each, in order")
        watched = None if watched is None else step.encode(watched, state)
    seen = None if watch is None or watched is None else replace(watch, features=watched)
    return Encoded(columns, steps, tuple(states), table, seen)


def fit_encoded(
    recipe: Recipe, encoded: Encoded, *, threads: int = 1, seed: int = 0, plugins: Parts | None = None
) -> Model:
    """Fit the estimator of a recipe on tables that ``encode_for`` has made for it.

    Of classes an estimator is told those that the table has; where it has but one, there is nothing to learn.
    """
    table, watch, seen = encoded.table, encoded.watch, None
    if recipe.task == "class":
        seen = _seen(recipe, table)
        table, watch = _recoded(table, seen), None if watch is None else _recoded(watch, seen)
    elif recipe.task == "count" and (lowest := float(table.label.to_numpy().min())) < 0:
        raise DataError(f"{recipe.name}: a label is {lowest:g}; counts are 0 or more: set the task to number")
    estimator = _estimator(recipe, seen, plugins)
    if recipe.task not in estimator.tasks:
        raise DataError(f"{recipe.name}: {recipe.estimator} does not predict a {recipe.task}")
    known = 0 if seen is None else len(seen.classes)
    params = {} if known == 1 else recipe.params
    loss = "squared" if recipe.loss in LOGS else recipe.loss
    job = Job(recipe.task, loss, params, recipe.rounds, threads, seed + recipe.seed, known)
    fitted = estimator.fit(table, job, watch if watch is not None and len(watch) else None)
    smear = _smear(recipe, estimator, table, replace(job, rounds=fitted.rounds)) if recipe.loss in LOGS else None
    parts = (encoded.columns, encoded.steps, encoded.states, fitted, threads, seen, smear, encoded.offset)
    return RecipeModel(recipe, *parts)


def target(recipe: Recipe, table: Table) -> Table:
    """Return the table with the labels that a recipe learns: their log(1 + label) for the losses of ``LOGS``.

    Raises DataError for a negative label there.
    """
    if recipe.loss not in LOGS:
        return table
    check_labels(table)
    label = table.label.cast(pl.Float64)
    lowest = label.min()
    if isinstance(lowest, float) and lowest < 0:
        raise DataError(f"{recipe.name}: a label is {lowest:g}; the loss {recipe.loss} needs labels of 0 or more")
    return replace(table, label=label.log1p())


def _smear(recipe: Recipe, estimator: Estimator, table: Table, job: Job) -> float:
    """What exp of the prediction is multiplied with so that it is a mean (Duan 1983): 1 where none is wanted.

    From the errors on every fifth row, learnt from the others: errors on rows that were learnt from are too small.
    """
    count = min(len(table), SMEARED)
    if recipe.loss != "log_mean" or count < PARTS:
        return 1.0
    rows = np.arange(count) * len(table) // count
    held = np.arange(count) % PARTS == PARTS // 2
    learn, left = (_rows(table, rows[kept]) for kept in (~held, held))
    error = left.label.to_numpy() - estimator.fit(learn, job).predict(left.features)
    weight = None if left.weight is None else left.weight.to_numpy()
    return float(np.average(np.exp(np.clip(error, -WIDEST, WIDEST)), weights=weight))


def _rows(table: Table, rows: NDArray[np.int64]) -> Table:
    weight = None if table.weight is None else table.weight[rows]
    return Table(table.features[rows], table.label[rows], weight)


def _estimator(recipe: Recipe, seen: Seen | None, plugins: Parts | None) -> Estimator:
    """The estimator of a recipe; that of a single class can only be its share."""
    if seen is not None and len(seen.classes) == 1:
        return estimators.make("mean")
    return estimators.make(recipe.estimator, None if plugins is None else plugins.estimators)


def _seen(recipe: Recipe, table: Table) -> Seen:
    codes = table.label.cast(pl.Float64).to_numpy()
    if recipe.classes < 2:
        raise DataError(f"{recipe.name}: {recipe.classes} classes; expected two or more")
    wrong = np.flatnonzero((codes != np.round(codes)) | (codes < 0) | (codes >= recipe.classes))
    if wrong.size:
        raise DataError(f"{recipe.name}: a label is {codes[wrong[0]]:g}; expected codes 0 to {recipe.classes - 1}")
    known = tuple(int(code) for code in np.unique(codes))
    return Seen(known, 1 / (len(table) + recipe.classes))


def _recoded(table: Table, seen: Seen) -> Table:
    """Rows of the classes that were seen, with the codes 0..m-1."""
    codes = pl.Series(seen.classes, dtype=pl.Float64)
    places = pl.Series(range(len(seen.classes)), dtype=pl.Float64)
    label = table.label.cast(pl.Float64).replace_strict(codes, places, default=None)
    kept = label.is_not_null()
    if kept.all():
        return replace(table, label=label)
    weight = None if table.weight is None else table.weight.filter(kept)
    return Table(table.features.filter(kept), label.filter(kept), weight)


def load(folder: Path, *, threads: int = 1, plugins: Parts | None = None) -> Model:
    """Read a model that ``save`` has written; nothing in it is run.

    Raises DataError for a folder that is no model, or one of a later version.
    """
    if (folder / "blend.json").is_file():
        told = read_json(folder / "blend.json")
        blend = read_plan(told["blend"])
        if not isinstance(blend, Blend):
            raise DataError(f"{folder / 'blend.json'}: holds no blend; expected what save has written")
        members = [load(folder / f"member_{i}", threads=threads, plugins=plugins) for i in range(len(blend.recipes))]
        return BlendModel(blend, tuple(members))
    told = read_json(folder / "model.json")
    recipe = read_plan(told["recipe"])
    if not isinstance(recipe, Recipe):
        raise DataError(f"{folder / 'model.json'}: holds no recipe; expected what save has written")
    steps = tuple(encoders.make(plan, None if plugins is None else plugins.encoders) for plan in recipe.encoders)
    seen = Seen(tuple(told["seen"]["classes"]), told["seen"]["absent"]) if "seen" in told else None
    estimator = _estimator(recipe, seen, plugins)
    files = {path.name: path.read_bytes() for path in sorted((folder / "estimator").iterdir())}
    states = tuple(told["states"])
    smear = told.get("smear")
    offset = Offset(**told["offset"]) if "offset" in told else None
    parts = (dict(told["columns"]), steps, states, estimator.read(files), threads, seen, smear, offset)
    return RecipeModel(recipe, *parts)
