"""Fitted recipes: plain files that predict with the same bits as before, and their fingerprint."""

import functools
import hashlib
import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof import encoders
from asof.data import FEW
from asof.encoders import State
from asof.encoders.categories import Categories
from asof.encoders.near_mean import NearMean
from asof.encoders.words import Words
from asof.errors import DataError
from asof.estimators import Files, Fitted
from asof.estimators.base import dump_json
from asof.recipes.offsets import Offset
from asof.recipes.plans import Blend, Recipe, plan_of
from asof.recipes.tables import prepare

FORMAT = 1
"""Version of the folder; a later program reads earlier ones."""
FLOOR = 1e-6
"""No class is told to be less probable than this."""
HIGHEST = 50.0
"""exp of more than this is no number of this world; it keeps a wild row finite."""
OFF_ONE = 1e-4
"""Probabilities of an estimator may sum to 1 give or take this: single precision is enough."""


@dataclass(frozen=True)
class Seen:
    """Which classes a training table had: an estimator is told of these alone, as codes 0..m-1."""

    classes: tuple[int, ...]
    """Codes, rising."""
    absent: float
    """Probability of each class that was not there: what one row more would have made of it (Laplace)."""

    def spread(self, told: NDArray[np.float64], count: int) -> NDArray[np.float64]:
        """Make n x ``count`` probabilities, none of them 0, of n x m; rows sum to 1 but for rounding."""
        columns = [np.full(len(told), self.absent)] * count
        for place, code in enumerate(self.classes):
            columns[code] = np.maximum(told[:, place], FLOOR)
        total = columns[0]
        for column in columns[1:]:  # one after the other, so that one row gets the bits that it gets among many
            total = total + column
        return np.stack([column / total for column in columns], axis=1)

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"classes": list(self.classes), "absent": self.absent}


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
        """Return one prediction a row, in order: n numbers (counts never negative), or n x k probabilities of classes.

        Raises DataError naming features that are missing, not known, or of another kind.
        """
        ...

    def codes(self) -> Mapping[str, Mapping[str, float]] | None:
        """Code of each text by feature, where texts are told by codes alone and ``of_numbers`` can be asked."""
        ...

    def of_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict n rows from n x p numbers, texts by ``codes``, as ``predict`` does, to the bit."""
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
    seen: Seen | None = None
    """Of classes: which of them there was something to learn of."""
    smear: float | None = None
    """Of a logarithm of the label: what exp is multiplied with; none where the label itself was learnt."""
    offset: Offset | None = None
    """What was taken off the label; none where nothing was."""
    asking: Lock = field(default_factory=Lock, repr=False, compare=False)
    """Held while the estimator answers: boosters of two libraries must not be asked by two threads at once."""

    @property
    def rounds(self) -> int | None:
        """Boosting rounds kept; none where there are none."""
        return self.fitted.rounds

    def predict(self, features: pl.DataFrame) -> NDArray[np.float64]:
        """Return one prediction a row, in order; never negative for counts, n x k probabilities of classes."""
        numbers = self._numbers(features)
        if numbers is not None:
            return self.of_numbers(numbers)
        encoded = prepare(features, self.columns)
        put_back = None if self.offset is None else self.offset.read(encoded)
        for step, state in zip(self.steps, self.states, strict=True):
            encoded = step.encode(encoded, state)
        with self.asking:
            told = self._checked(self.fitted.predict(encoded, self.threads), features.height)
        return self._put_right(told if put_back is None else told + put_back)

    def codes(self) -> Mapping[str, Mapping[str, float]] | None:
        """Code of each text by feature, where encoders do nothing but tell texts by codes; else none.

        Then ``of_numbers`` answers as ``predict`` does, to the bit.
        """
        told: dict[str, Mapping[str, float]] = {}
        for step, state in zip(self.steps, self.states, strict=True):
            if isinstance(step, Categories):
                levels = state["levels"].items()
                told |= {name: {text: float(code) for code, text in enumerate(texts)} for name, texts in levels}
            elif not isinstance(step, (NearMean, Words)) or any(state.values()):
                return None
        texts = {name for name, kind in self.columns.items() if kind == "text"}
        able = hasattr(self.fitted, "of_numbers") and self.offset is None and texts == told.keys()
        return told if able else None

    @functools.cached_property
    def _codes(self) -> Mapping[str, tuple[Mapping[str | None, float], float]] | None:
        """Code of each text, and of one never met, by feature."""
        told = self.codes()
        if told is None:
            return None
        codes: dict[str, tuple[Mapping[str | None, float], float]] = {}
        for name, texts in told.items():
            known: dict[str | None, float] = {None: math.nan}
            known.update(texts)
            codes[name] = known, float(len(texts))
        return codes

    def _numbers(self, features: pl.DataFrame) -> NDArray[np.float64] | None:
        """What the estimator is asked with, for few plain rows: no table is made of each step; none for others."""
        codes = self._codes if 0 < features.height <= FEW else None
        columns = features.get_columns()
        if codes is None or [column.name for column in columns] != list(self.columns):
            return None
        numbers = np.empty((len(columns), features.height))
        for place, column in enumerate(columns):
            if column.dtype == pl.Float64 and column.name not in codes:
                numbers[place] = column.to_numpy()
            elif column.dtype == pl.String and column.name in codes:
                known, new = codes[column.name]
                told = map(known.get, column.to_list(), itertools.repeat(new))
                numbers[place] = np.fromiter(told, dtype=np.float64, count=len(column))
            else:
                return None
        numbers[~np.isfinite(numbers)] = np.nan
        return np.ascontiguousarray(numbers.T)

    def of_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict n rows from their features in order as n x p numbers, texts by ``codes``, unknown ones NaN."""
        with self.asking:
            told = self.fitted.of_numbers(numbers, self.threads)  # type: ignore[attr-defined] # as ``codes`` has seen
        return self._put_right(self._checked(told, len(numbers)))

    def _checked(self, told: Any, height: int) -> NDArray[np.float64]:
        wanted = (height,) if self.seen is None else (height, len(self.seen.classes))
        return check_told(told, wanted, self.recipe.name)

    def _put_right(self, told: NDArray[np.float64]) -> NDArray[np.float64]:
        """Make predictions of what the estimator tells."""
        if self.seen is not None:
            return self.seen.spread(told, self.recipe.classes)
        if self.smear is not None:
            out: NDArray[np.float64] = np.maximum(np.exp(np.minimum(told, HIGHEST)) * self.smear - 1, 0.0)
            return out
        return np.maximum(told, 0.0) if self.recipe.task == "count" else told

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
            **({} if self.seen is None else {"seen": self.seen.plain()}),
            **({} if self.smear is None else {"smear": self.smear}),
            **({} if self.offset is None else {"offset": self.offset.plain()}),
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

    def codes(self) -> Mapping[str, Mapping[str, float]] | None:
        """Those of its members, where all have the same; else none."""
        first, *others = (member.codes() for member in self.members)
        return first if all(other == first for other in others) else None

    def of_numbers(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the weighted mean of the members' predictions, a row each."""
        return mix([member.of_numbers(numbers) for member in self.members], self.recipe.weights)

    def save(self, folder: Path) -> None:
        """Write ``blend.json`` and a folder for each member."""
        _write(folder, {"blend.json": dump_json({"format": FORMAT, "blend": plan_of(self.recipe)})})
        for index, member in enumerate(self.members):
            member.save(folder / f"member_{index}")

    def fingerprint(self) -> str:
        """SHA-256 over the blend and the fingerprints of its members."""
        members = {f"member_{index}": member.fingerprint().encode() for index, member in enumerate(self.members)}
        return _digest({"blend.json": dump_json(plan_of(self.recipe)), **members})


def check_told(told: Any, wanted: tuple[int, ...], name: str) -> NDArray[np.float64]:
    """Return what an estimator told as an array of shape ``wanted``.

    Raises:
        DataError: another number of answers, one that is not finite, or rows that are no probabilities.
    """
    out = np.asarray(told, dtype=np.float64)
    if out.shape != wanted:
        raise DataError(f"{name}: {wanted[0]} rows got predictions of shape {out.shape}; expected {wanted}")
    if not np.isfinite(out).all():
        wrong = np.flatnonzero(~np.isfinite(out.reshape(len(out), -1)).all(axis=1))
        raise DataError(f"{name}: prediction of row {wrong[0]} is {out[wrong[0]]}; {wrong.size} such rows")
    if len(wanted) == 2:
        wrong = np.flatnonzero((out < 0).any(axis=1) | (np.abs(out.sum(axis=1) - 1) > OFF_ONE))
        if wrong.size:
            raise DataError(f"{name}: prediction of row {wrong[0]} is {out[wrong[0]]}; expected probabilities, sum 1")
    return out


def mix(predictions: Sequence[NDArray[np.float64]], weights: Sequence[float]) -> NDArray[np.float64]:
    """Weighted sum of predictions of one shape, in the order given."""
    out = np.zeros_like(predictions[0])
    for prediction, weight in zip(predictions, weights, strict=True):
        out += weight * prediction
    return out


def _below(folder: str, files: Files) -> Files:
    return {f"{folder}/{name}": data for name, data in files.items()}


def _write(folder: Path, files: Files) -> None:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file of a model; raises DataError where it is missing, damaged or of a later version."""
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
