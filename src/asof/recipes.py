"""Recipes: encoders, estimator and parameters as plain data; a fitted recipe is a model.

A model is kept as a folder of plain files (JSON, ``.npy``, a booster's own format) that predicts with
the same bits as before; its fingerprint is a SHA-256 over what it is, without times, ids and paths.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof import encoders, estimators
from asof.data import Table
from asof.encoders import EncoderPlan, State
from asof.errors import DataError
from asof.estimators import Files, Fitted, Job
from asof.estimators.base import dump_json

__all__ = ["Blend", "EncoderPlan", "Model", "Parts", "Recipe", "fit", "load", "plan_of", "read_plan"]

FORMAT = 1
"""Version of the folder; a later program reads earlier ones."""


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


@dataclass(frozen=True)
class Recipe:
    """One way to make a model, as plain data."""

    name: str
    encoders: tuple[EncoderPlan, ...] = ()
    estimator: str = "mean"
    params: Mapping[str, Any] = field(default_factory=dict)
    """What differs from the estimator's defaults."""
    loss: str = ""
    """``poisson``, ``tweedie``, ``squared``, ``absolute``; empty: the estimator's own for the task."""
    rounds: int | None = None
    """Boosting rounds; none: found on the watched table."""
    task: str = "number"
    """``count`` (never negative) or ``number``."""
    seed: int = 0
    """Added to the seed of the run, so that twins of one recipe can be averaged."""


@dataclass(frozen=True)
class Blend:
    """A weighted mean of the predictions of several recipes; weights sum to 1."""

    name: str
    recipes: tuple[Recipe, ...]
    weights: tuple[float, ...]


class Model(Protocol):
    """A fitted recipe or blend."""

    @property
    def recipe(self) -> Recipe | Blend:
        """What it was made by."""
        ...

    @property
    def columns(self) -> Mapping[str, str]:
        """Features that it reads: ``number`` or ``text`` by name."""
        ...

    @property
    def rounds(self) -> int | None:
        """Boosting rounds kept; none where there are none."""
        ...

    def predict(self, features: pl.DataFrame) -> NDArray[np.float64]:
        """Return one prediction a row, in order; never negative for counts.

        Raises DataError naming features that are missing, not known, or of another kind.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write plain files into ``folder``, which is made where it is not there."""
        ...

    def fingerprint(self) -> str:
        """SHA-256 over canonical contents, 64 hexadecimal digits."""
        ...


@dataclass(frozen=True)
class RecipeModel:
    """A fitted recipe: the states of its encoders, and what the estimator has learnt."""

    recipe: Recipe
    columns: Mapping[str, str]
    steps: tuple[encoders.Encoder, ...]
    states: tuple[State, ...]
    fitted: Fitted
    threads: int = 1

    @property
    def rounds(self) -> int | None:
        """Boosting rounds kept; none where there are none."""
        return self.fitted.rounds

    def predict(self, features: pl.DataFrame) -> NDArray[np.float64]:
        """Return one prediction a row, in order; never negative for counts."""
        encoded = _prepare(features, self.columns)
        for step, state in zip(self.steps, self.states, strict=True):
            encoded = step.encode(encoded, state)
        return finish(self.fitted.predict(encoded, self.threads), self.recipe.task)

    def save(self, folder: Path) -> None:
        """Write ``model.json`` and the files of the estimator."""
        _write(folder, {"model.json": dump_json(self._told()), **_below("estimator", self.fitted.files())})

    def fingerprint(self) -> str:
        """SHA-256 over recipe, columns, states and the canonical files of the estimator."""
        return _digest({"model.json": dump_json(self._told()), **_below("estimator", self.fitted.canonical())})

    def _told(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "recipe": plan_of(self.recipe),
            "columns": list(self.columns.items()),
            "states": list(self.states),
        }


@dataclass(frozen=True)
class BlendModel:
    """Fitted members of a blend."""

    recipe: Blend
    members: tuple[Model, ...]

    @property
    def columns(self) -> Mapping[str, str]:
        """Features that it reads: the same for every member."""
        return self.members[0].columns

    @property
    def rounds(self) -> None:
        """None: each member has its own."""
        return

    def predict(self, features: pl.DataFrame) -> NDArray[np.float64]:
        """Return the weighted mean of the members' predictions, a row each."""
        return mix([member.predict(features) for member in self.members], self.recipe.weights)

    def save(self, folder: Path) -> None:
        """Write ``blend.json`` and a folder for each member."""
        _write(folder, {"blend.json": dump_json({"format": FORMAT, "blend": plan_of(self.recipe)})})
        for index, member in enumerate(self.members):
            member.save(folder / f"member_{index}")

    def fingerprint(self) -> str:
        """SHA-256 over the blend and the fingerprints of its members."""
        members = {f"member_{index}": member.fingerprint().encode() for index, member in enumerate(self.members)}
        return _digest({"blend.json": dump_json(plan_of(self.recipe)), **members})


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
    encoded = encode(recipe.encoders, table, watch, plugins=plugins)
    return fit_encoded(recipe, encoded, threads=threads, seed=seed, plugins=plugins)


@dataclass(frozen=True)
class Encoded:
    """Tables after the encoders of a recipe, with what these have learnt."""

    columns: Mapping[str, str]
    steps: tuple[encoders.Encoder, ...]
    states: tuple[State, ...]
    table: Table
    watch: Table | None = None


def encode(
    plans: Sequence[EncoderPlan], table: Table, watch: Table | None = None, *, plugins: Parts | None = None
) -> Encoded:
    """Fit encoders one after the other, each on what the one before has made."""
    _check_labels(table)
    columns = _kinds(table.features)
    table = replace(table, features=_prepare(table.features, columns))
    watched = None if watch is None else _prepare(watch.features, columns)
    steps = tuple(encoders.make(plan, None if plugins is None else plugins.encoders) for plan in plans)
    states: list[State] = []
    for step in steps:
        state = step.fit(table)
        states.append(state)
        table = encoders.encode_training(step, table, state)
        watched = None if watched is None else step.encode(watched, state)
    seen = None if watch is None or watched is None else replace(watch, features=watched)
    return Encoded(columns, steps, tuple(states), table, seen)


def fit_encoded(
    recipe: Recipe, encoded: Encoded, *, threads: int = 1, seed: int = 0, plugins: Parts | None = None
) -> Model:
    """Fit the estimator of a recipe on tables that its encoders have made."""
    lowest = float(encoded.table.label.to_numpy().min())
    if recipe.task == "count" and lowest < 0:
        raise DataError(f"{recipe.name}: a label is {lowest:g}; counts are 0 or more: set the task to number")
    estimator = estimators.make(recipe.estimator, None if plugins is None else plugins.estimators)
    if recipe.task not in estimator.tasks:
        raise DataError(f"{recipe.name}: {recipe.estimator} does not predict a {recipe.task}")
    job = Job(recipe.task, recipe.loss, recipe.params, recipe.rounds, threads, seed + recipe.seed)
    fitted = estimator.fit(encoded.table, job, encoded.watch)
    return RecipeModel(recipe, encoded.columns, encoded.steps, encoded.states, fitted, threads)


def load(folder: Path, *, threads: int = 1, plugins: Parts | None = None) -> Model:
    """Read a model that ``save`` has written; nothing in it is run.

    Raises DataError for a folder that is no model, or one of a later version.
    """
    if (folder / "blend.json").is_file():
        told = _read(folder / "blend.json")
        blend = read_plan(told["blend"])
        if not isinstance(blend, Blend):
            raise DataError(f"{folder / 'blend.json'}: holds no blend; expected what save has written")
        members = [load(folder / f"member_{i}", threads=threads, plugins=plugins) for i in range(len(blend.recipes))]
        return BlendModel(blend, tuple(members))
    told = _read(folder / "model.json")
    recipe = read_plan(told["recipe"])
    if not isinstance(recipe, Recipe):
        raise DataError(f"{folder / 'model.json'}: holds no recipe; expected what save has written")
    steps = tuple(encoders.make(plan, None if plugins is None else plugins.encoders) for plan in recipe.encoders)
    estimator = estimators.make(recipe.estimator, None if plugins is None else plugins.estimators)
    files = {path.name: path.read_bytes() for path in sorted((folder / "estimator").iterdir())}
    states = tuple(told["states"])
    return RecipeModel(recipe, dict(told["columns"]), steps, states, estimator.read(files), threads)


def plan_of(recipe: Recipe | Blend) -> dict[str, Any]:
    """Return a recipe or blend as plain JSON values, names in one order whatever the order they were given in."""
    if isinstance(recipe, Blend):
        members = [plan_of(member) for member in recipe.recipes]
        return {"name": recipe.name, "recipes": members, "weights": list(recipe.weights)}
    return {
        "name": recipe.name,
        "encoders": [{"name": plan.name, "options": dict(sorted(plan.options.items()))} for plan in recipe.encoders],
        "estimator": recipe.estimator,
        "params": dict(sorted(recipe.params.items())),
        "loss": recipe.loss,
        "rounds": recipe.rounds,
        "task": recipe.task,
        "seed": recipe.seed,
    }


def read_plan(told: Mapping[str, Any]) -> Recipe | Blend:
    """Return the recipe or blend that ``plan_of`` has told; raises DataError for anything else."""
    try:
        if "recipes" in told:
            members = tuple(read_plan(member) for member in told["recipes"])
            recipes = tuple(member for member in members if isinstance(member, Recipe))
            if not recipes or not len(recipes) == len(members) == len(told["weights"]):
                raise DataError("no recipe: a blend needs recipes, and a weight for each")
            return Blend(told["name"], recipes, tuple(told["weights"]))
        steps = tuple(EncoderPlan(plan["name"], plan["options"]) for plan in told["encoders"])
        return Recipe(**{**told, "encoders": steps})
    except (KeyError, TypeError) as error:
        raise DataError(f"no recipe: {error}; expected the keys of a recipe as plan_of writes them") from error


def finish(predictions: NDArray[np.float64], task: str) -> NDArray[np.float64]:
    """Return predictions as the task allows them: a count is never negative."""
    return np.maximum(predictions, 0.0) if task == "count" else predictions


def mix(predictions: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> NDArray[np.float64]:
    """Weighted sum of predictions, in the order given."""
    out = np.zeros(len(predictions[0]))
    for prediction, weight in zip(predictions, weights, strict=True):
        out += weight * prediction
    return out


def _kinds(features: pl.DataFrame) -> dict[str, str]:
    return {name: _kind(name, dtype) for name, dtype in features.schema.items()}


def _kind(name: str, dtype: pl.DataType) -> str:
    if dtype.is_numeric() or dtype in {pl.Boolean, pl.Null}:
        return "number"
    if dtype in {pl.String, pl.Categorical, pl.Enum}:
        return "text"
    raise DataError(f"feature {name} is {dtype}; expected numbers or text: make it one in the lookup")


def _prepare(features: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Return the columns asked for as Float64 (null = unknown, never NaN or infinite) or String, in order."""
    absent = [name for name in columns if name not in features.columns]
    extra = [name for name in features.columns if name not in columns]
    if absent or extra:
        parts = [f"missing {', '.join(absent)}"] * bool(absent) + [f"unknown {', '.join(extra)}"] * bool(extra)
        raise DataError(
            f"features do not fit the model: {'; '.join(parts)}; expected the {len(columns)} it was made with"
        )
    cast = []
    for name, kind in columns.items():
        dtype = features.schema[name]
        if dtype != pl.Null and _kind(name, dtype) != kind:
            raise DataError(f"feature {name} is {dtype}; the model was made with {kind}")
        wanted = pl.col(name).cast(pl.Float64 if kind == "number" else pl.String)
        cast.append(pl.when(wanted.is_finite()).then(wanted).alias(name) if kind == "number" else wanted)
    return features.select(cast)


def _check_labels(table: Table) -> None:
    if len(table) == 0:
        raise DataError("no training question: nothing can be learnt; widen the training stretch")
    if table.label.len() != len(table):
        raise DataError(f"{table.label.len()} labels for {len(table)} questions")
    if not bool(table.label.cast(pl.Float64).is_finite().fill_null(value=False).all()):
        raise DataError("a training label is unknown or not finite; leave such questions out")


def _below(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": data for name, data in files.items()}


def _write(folder: Path, files: Files) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise DataError(f"{path}: no such file; expected the folder of a model that asof has saved")
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path}: {error}; the file is damaged: fetch the release again") from error
    if told.get("format", 0) > FORMAT:
        raise DataError(
            f"{path}: written by a later version (format {told['format']}, known up to {FORMAT}): update asof"
        )
    return told


def _digest(files: Files) -> str:
    state = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            state.update(len(part).to_bytes(8, "little"))
            state.update(part)
    return state.hexdigest()
