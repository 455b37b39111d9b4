"""What the calls of the Python door return: small frozen nouns that hold frames, and show themselves in a notebook."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.errors import OutsideError
from asof.python import views
from asof.tuning import Plan

Positions = NDArray[np.intp]


@dataclass(frozen=True)
class Check:
    """The data as they are, and what is wrong or strange about them."""

    profiles: pl.DataFrame = field(repr=False)
    """A row a column of each source: source, column, type, missing, distinct, low, median, high, top."""
    findings: pl.DataFrame = field(repr=False)
    """severity, check, subject, message, figure, limit, rows; the gravest first."""
    panel: Mapping[str, Any]
    """What is asked about: rows or places, every, zone, horizons, first, covered_until."""
    refused: bool
    """Whether a finding is an error."""

    def _repr_html_(self) -> str:
        counts = self.findings.group_by("severity", maintain_order=True).len().rows()
        told = ", ".join(f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts) or "none"
        panel = [(name.replace("_", " "), _plain(value)) for name, value in self.panel.items() if value is not None]
        return views.pairs("Checked: refused" if self.refused else "Checked", [*panel, ("findings", told)])


@dataclass(frozen=True)
class Intake:
    """What was read and kept."""

    sources: pl.DataFrame
    """A row a source: source, read, new, valid, quarantined, note."""
    reasons: pl.DataFrame = field(repr=False)
    """Why rows are in quarantine: source, reason, rows."""
    findings: pl.DataFrame = field(repr=False)

    def _repr_html_(self) -> str:
        rows = [
            (
                str(row["source"]),
                f"{row['valid']:,} valid, {row['quarantined']:,} in quarantine, {row['new']:,} new" + _noted(row),
            )
            for row in self.sources.iter_rows(named=True)
        ]
        return views.pairs("Kept", rows)


def _noted(row: Mapping[str, Any]) -> str:
    return f" ({row['note']})" if row["note"] else ""


@dataclass(frozen=True)
class Fold:
    """Positions in the questions of ``Training``: what is learnt from, and what is answered."""

    train: Positions
    test: Positions


@dataclass(frozen=True)
class Training:
    """What is learnt from: questions with features and labels, and the folds on which candidates are compared.

    The holdout is in none of the folds. Your own estimator can be judged on the same folds.
    """

    questions: pl.DataFrame = field(repr=False)
    features: pl.DataFrame = field(repr=False)
    """As many rows in the same order."""
    folds: tuple[Fold, ...] = field(repr=False)
    spans: pl.DataFrame
    """A row a fold: fold, cut (UTC, null where rows have no time), train and test (rows), first and last asked."""

    @property
    def label(self) -> pl.Series:
        """The label of each question; of classes, its code."""
        return self.questions["label"]

    def __iter__(self) -> Iterator[Fold]:
        """Go through the folds."""
        return iter(self.folds)

    def _repr_html_(self) -> str:
        rows = [("questions", f"{self.questions.height:,}"), ("features", f"{self.features.width}")]
        rows += [
            (f"fold {row['fold']}", f"{row['train']:,} to learn from, {row['test']:,} to answer{_cut(row)}")
            for row in self.spans.iter_rows(named=True)
        ]
        return views.pairs("Learnt from", rows)


def _cut(row: Mapping[str, Any]) -> str:
    return f", cut {row['cut']:%Y-%m-%d}" if row["cut"] else ""


@dataclass(frozen=True)
class Comparison:
    """What was tried on the folds, and what was chosen; the holdout stays closed."""

    candidates: pl.DataFrame = field(repr=False)
    """A row a recipe: name, stage, estimator, score, fold_1 .., chosen, params, why; the best first."""
    trials: pl.DataFrame = field(repr=False)
    """A row a recipe and fold: trial, stage, name, estimator, fold, score, rounds, why."""
    findings: pl.DataFrame = field(repr=False)
    metric: str
    chosen: str
    """The chosen recipe in words."""
    plan: Plan = field(repr=False)
    """Enough to choose the same again: give it to ``run``, ``train`` or ``backtest``."""

    def save(self, file: str | Path) -> Path:
        """Write the plan, for ``asof run --plan FILE``; raises ``OutsideError`` where the disk refuses."""
        path = Path(file)
        try:
            path.write_text(self.plan.write(), encoding="utf-8")
        except OSError as fault:
            message = f"{path}: cannot be written: {fault.strerror or fault}"
            raise OutsideError(message) from fault
        return path

    def _repr_html_(self) -> str:
        best = self.candidates.filter(pl.col("score").is_not_null()).head(8)
        rows = [
            (row["name"], f"{row['score']:.4f}" + (", chosen" if row["chosen"] else ""))
            for row in best.select("name", "score", "chosen").iter_rows(named=True)
        ]
        return views.pairs(
            f"{self.candidates.height} tried, {self.metric} over the folds", [("chosen", self.chosen), *rows]
        )


@dataclass(frozen=True)
class Audit:
    """What the checks of the audit answered."""

    verdicts: pl.DataFrame
    """A row a check: check, outcome, coverage (what was tried, in words)."""
    findings: pl.DataFrame = field(repr=False)
    passed: bool

    def _repr_html_(self) -> str:
        rows = [(row["check"], f"{row['outcome']}: {row['coverage']}") for row in self.verdicts.iter_rows(named=True)]
        return views.pairs("Audit passed" if self.passed else "Audit FAILED", rows)


@dataclass(frozen=True)
class Backtest:
    """What was learnt at a moment, and how it answered what came later."""

    answers: pl.DataFrame = field(repr=False)
    """A row a question: unit columns, as_of, prediction, low, high (or the chance of each class), label (if known)."""
    scores: pl.DataFrame = field(repr=False)
    """judged_by, metric, value, low, high."""
    result: Mapping[str, Any] = field(repr=False)
    """What ``asof backtest --json`` ends with, but for its file."""

    @property
    def skill(self) -> Mapping[str, float | None]:
        """Share of the loss of the best baseline that is saved: value, low, high."""
        found: Mapping[str, float | None] = self.result["skill"]
        return found

    def _repr_html_(self) -> str:
        told, metric = self.result, self.result["metric"]
        rows = [
            ("recipe", told["recipe"]),
            (metric, views.figure(told["scores"].get(metric))),
            ("best baseline", f"{told['baseline']['name']}, {told['baseline']['value']:.4g}"),
            ("skill", views.figure(told["skill"], percent=True)),
            ("questions", f"{told['questions']:,}"),
        ]
        return views.pairs(f"Learnt what was known at {told['cut']}", rows)


@dataclass(frozen=True)
class Report:
    """The page of a release: one file of HTML that needs nothing else."""

    html: str = field(repr=False)

    def save(self, file: str | Path) -> Path:
        """Write the page to ``file``; raises ``OutsideError`` where the disk refuses."""
        path = Path(file)
        try:
            path.write_text(self.html, encoding="utf-8")
        except OSError as fault:
            message = f"{path}: cannot be written: {fault.strerror or fault}"
            raise OutsideError(message) from fault
        return path

    def _repr_html_(self) -> str:
        return views.framed(self.html, height=700)


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    return f"{value:,}" if isinstance(value, int) else str(value)
