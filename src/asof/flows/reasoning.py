"""Reasons of a released model: of single answers, and what it goes by over many."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import polars as pl

from asof import explanation
from asof.errors import DataError
from asof.explanation import Explanation, Floats
from asof.flows import preparation
from asof.flows.oracles import Oracle
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration

POOL = 2_000
"""Questions with a label among which the usual ones are looked for."""


@dataclass(frozen=True)
class Told:
    """A released model as it answers: probabilities as they are calibrated."""

    oracle: Oracle

    @property
    def columns(self) -> Any:
        """Features that it reads."""
        return self.oracle.model.columns

    def predict(self, features: pl.DataFrame) -> Floats:
        """Return what is told to a user."""
        told: Floats = self.oracle.model.predict(features)
        calibration = self.oracle.calibration
        return told if isinstance(calibration, Calibration) else calibration.apply(told)


def explain(
    workspace: Workspace, prepared: Prepared, oracle: Oracle, questions: pl.DataFrame, *, label: str | None = None
) -> tuple[Explanation, pl.DataFrame]:
    """Reasons of the answers to n questions against the usual case, and their features; see ``asof.explanation``.

    ``label``: the class whose probability is explained; of two the second where none is named.

    Raises:
        DataError: no such class, or one is needed.
    """
    code = _code(oracle, label)
    told = Told(oracle)
    features = preparation.read(prepared, questions, workspace.spec.leave_out)
    usual = preparation.read(prepared, known(workspace, prepared), workspace.spec.leave_out)
    background = explanation.usual(told, usual, label=code)
    seed = workspace.spec.train.seed
    return explanation.explain(told, features, background, seed=seed, label=code), features


def tell(
    workspace: Workspace,
    prepared: Prepared,
    oracle: Oracle,
    questions: pl.DataFrame,
    label: str | None,
    usual: dict[str, pl.DataFrame],
) -> Iterator[dict[str, Any]]:
    """Reasons of n answers one by one: ``base``, and ``reasons`` in groups with their words, the largest first.

    ``usual`` keeps the rows that reasons are told against, by class, from one call to the next.

    Raises:
        DataError: no such class, or one is needed.
    """
    code = _code(oracle, label)
    told = Told(oracle)
    if questions.height == 0:
        return
    if str(code) not in usual:
        pool = preparation.read(prepared, known(workspace, prepared), workspace.spec.leave_out)
        usual[str(code)] = explanation.usual(told, pool, label=code)
    features = preparation.read(prepared, questions, workspace.spec.leave_out)
    whole = explanation.explain(told, features, usual[str(code)], seed=workspace.spec.train.seed, label=code)
    grouped = explanation.grouped(whole, groups(prepared, features.columns))
    for row in grouped.reasons.iter_rows(named=True):
        largest = sorted(row.items(), key=lambda item: -abs(item[1]))
        yield {
            "base": whole.base,
            "reasons": [{"feature": name, "reason": reason} for name, reason in largest if reason],
        }


def known(workspace: Workspace, prepared: Prepared, count: int = POOL) -> pl.DataFrame:
    """At most ``count`` questions whose label is known, at even steps through all of them."""
    if prepared.panel.timed:
        asked = preparation.ask(prepared, preparation.learn_from(workspace, prepared), prepared.last)
    else:
        asked = preparation.of_rows(prepared)
    asked = preparation.thin(asked, len(prepared.panel.horizons), workspace.spec.train.seed)
    labelled = asked.filter(pl.col("label").is_not_null())
    return labelled.gather_every(max(1, labelled.height // count)).head(count)


def groups(prepared: Prepared, names: list[str]) -> dict[str, str]:
    """Say for each feature in words what it belongs to, such as ``past crashes here``."""
    return explanation.families(names, [*prepared.past.sources, *(lookup.name for lookup in prepared.lookups)])


def _code(oracle: Oracle, label: str | None) -> int | None:
    classes = oracle.classes
    if not classes:
        if label is not None:
            message = f"release {oracle.release.name} tells numbers, no class {label!r}"
            raise DataError(message)
        return None
    if label is None and len(classes) == 2:
        return 1
    if label not in classes:
        message = f"{'no class is named' if label is None else f'no class {label!r}'}; expected {', '.join(classes)}"
        raise DataError(message)
    return classes.index(label)
