"""A release, opened for answers: what it tells about questions, laid out as answers are given."""

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import intervals, probabilities, releases
from asof.data import FEW
from asof.errors import DataError
from asof.flows import preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.panels import Panel
from asof.probabilities import Calibrated

WIDER = 1.5
"""Intervals of places that the model has never met are this much wider."""
CHANCE = "chance_"
"""Before the name of a class, a column with its probability."""


class OtherFeatures(DataError):
    """The project no longer makes the features that the release was made with."""


@dataclass(frozen=True)
class Oracle:
    """A release, opened for answers."""

    release: releases.Release
    model: Any
    calibration: Calibration | Calibrated
    places: pl.Series
    """Ids of the places that it has met."""
    classes: tuple[str, ...] = ()
    """Classes in the order in which it tells them, whatever the data hold by now; none for numbers."""

    @functools.cached_property
    def met(self) -> frozenset[str]:
        """The same ids, to look one up."""
        return frozenset(self.places)


def open_release(workspace: Workspace, which: str) -> Oracle:
    """Open a release by alias, version, name, folder or address; raises ``DataError`` where there is none."""
    folder = workspace.fetch(which) if which.startswith("s3://") else Path(which)
    if (folder / "manifest.json").is_file():
        release = releases.read(folder)
    else:
        record = workspace.registry.find(which)
        if record is None:
            message = f"no release {which!r} of {workspace.spec.name}: `asof runs` lists them, `asof run` makes one"
            raise DataError(message)
        release = releases.read(record.folder)
    known = release.places()
    ids = known["place"] if known is not None else pl.Series("place", [], dtype=pl.String)
    return Oracle(
        release,
        release.model(threads=workspace.threads, plugins=workspace.plugins),
        _calibration(release.json("intervals")),
        ids,
        tuple(json.loads(release.facts.get("classes", "[]"))),
    )


def _calibration(kept: Mapping[str, Any]) -> Calibration | Calibrated:
    return probabilities.read(kept) if kept.get("kind") == "class" else intervals.read(kept)


def identity(panel: Panel) -> list[str]:
    """Columns that say what an answer is about."""
    told = ["unit"] if panel.rows else []
    told += [] if panel.rows and panel.places.kind == "all" else ["place"]
    return told + (["start", "end", "as_of", "horizon"] if panel.timed else [])


def answer(workspace: Workspace, prepared: Prepared, oracle: Oracle, questions: pl.DataFrame) -> pl.DataFrame:
    """Answer questions that can be answered: prediction, interval, and whether they lie outside what was seen.

    Raises:
        OtherFeatures: the project no longer makes the features that the release was made with.
    """
    panel = prepared.panel
    features = preparation.read(prepared, questions, workspace.spec.leave_out)
    _refuse_other_features(oracle, features.columns)
    _refuse_other_page(workspace, oracle)
    told = oracle.model.predict(features) if questions.height else _none(oracle)
    new = _new(questions["place"], oracle)
    outside = releases.outside(features, oracle.release.schema()) | new
    return laid_out([questions[name] for name in identity(panel)], told, oracle, outside, new)


def laid_out(
    asked: Sequence[pl.Series], told: np.ndarray, oracle: Oracle, outside: pl.Series, new: pl.Series
) -> pl.DataFrame:
    """Lay answers out as they are given: what is asked, what is told of it, whether it lies outside what was seen."""
    return pl.DataFrame(
        [
            *asked,
            *_told(told, oracle, new.to_numpy()),
            outside.alias("outside"),
            _same("reason", None, len(told)),
            _same("release", oracle.release.name, len(told)),
        ]
    )


def _new(asked: pl.Series, oracle: Oracle) -> pl.Series:
    """Which places are none that the release has met; Boolean, never null."""
    if asked.len() <= FEW:
        return pl.Series([place is not None and place not in oracle.met for place in asked], dtype=pl.Boolean)
    return asked.is_not_null() & ~asked.is_in(oracle.places.implode())


def _same(name: str, text: str | None, count: int) -> pl.Series:
    return pl.Series(name, [text], dtype=pl.String).new_from_index(0, count)


def _none(oracle: Oracle) -> np.ndarray:
    """Predictions of no question at all."""
    return np.empty((0, len(oracle.classes)) if oracle.classes else 0)


def _told(told: np.ndarray, oracle: Oracle, new: np.ndarray) -> list[pl.Series]:
    """Columns of an answer: prediction and interval, or the class, its probability and that of every class."""
    calibration = oracle.calibration
    if isinstance(calibration, Calibration):
        low, high = calibration.interval(told, np.where(new, WIDER, 1.0))
        return [pl.Series("prediction", told), pl.Series("low", low), pl.Series("high", high)]
    return decided(calibration.apply(told), calibration, oracle.classes)


def decided(chances: np.ndarray, calibration: Calibrated, classes: Sequence[str]) -> list[pl.Series]:
    """Columns of calibrated probabilities: the class decided on, its probability, and that of every class."""
    codes = calibration.decide(chances)
    names = pl.Series("prediction", classes, dtype=pl.String)
    each = [pl.Series(f"{CHANCE}{name}", chances[:, code]) for code, name in enumerate(classes)]
    return [names.gather(codes), pl.Series("probability", chances[np.arange(len(codes)), codes]), *each]


def _refuse_other_features(oracle: Oracle, made: Sequence[str]) -> None:
    expected = list(oracle.model.columns)
    if expected == made:
        return
    parts = {
        "it needs": [name for name in expected if name not in made],
        "it does not know": [name for name in made if name not in expected],
    }
    said = "; ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)
    if said:
        message = (
            f"release {oracle.release.name} was made with other features than the project makes now: {said}; "
            "set features: back, or answer with a newer release (--release challenger)"
        )
        raise OtherFeatures(message)


def _refuse_other_page(workspace: Workspace, oracle: Oracle) -> None:
    """Refuse features of the same names that mean something else."""
    made_by = oracle.release.facts.get("meaning", "")
    if made_by and made_by != preparation.meaning(workspace):
        message = (
            f"release {oracle.release.name} was made by another page: its features of the same name mean something "
            "else (sources, predict, features, leave_out or plug-ins differ); answer with the page that made it, which "
            "lies beside it as project.yaml (or with its --env and --set), or with a newer release"
        )
        raise OtherFeatures(message)
