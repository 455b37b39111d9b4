"""The audit: each check is executed on the real project, not argued.

A check answers *passed*, *failed*, *could not tell* or *not applicable*, with what it covered.
No check knows how a feature or a model is made: it changes what must not matter, does the same
work again, and compares bits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
import polars as pl

from asof.data import Finding, Severity
from asof.ledgers import scrambling

Rows = Mapping[str, pl.DataFrame]
"""Rows of each source, with the columns of ``asof.data`` and ``_place`` where it has one."""


class Outcome(StrEnum):
    """The four answers of a check."""

    PASSED = "passed"
    FAILED = "failed"
    UNTOLD = "could not tell"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True)
class Verdict:
    """What one check answered."""

    check: str
    outcome: Outcome
    coverage: str
    """How many features, cuts and questions were tried, in words."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """The moving parts of a project, as the audit needs them."""

    rows: Rows
    features: Callable[[pl.DataFrame, Rows, datetime | None], pl.DataFrame]
    """(questions, rows, cut) -> features, everything rebuilt from exactly these rows; with a cut,
    coverage is that of the rows known at the cut."""
    predict: Callable[[pl.DataFrame], np.ndarray]
    """Features -> predictions of the model that is audited."""
    ahead: frozenset[str] = frozenset()
    """Features declared to be known ahead (a forecast, a published price): these may read later rows."""


@dataclass(frozen=True)
class Learnt:
    """What learning left behind, in comparable form."""

    choice: str
    """Name of the recipe chosen."""
    fingerprint: str
    """Fingerprint of the fitted model, encoders included."""
    predictions: np.ndarray = field(repr=False)
    """Predictions of a fixed sample of training questions."""


@dataclass(frozen=True)
class Audit:
    """All verdicts of one audit."""

    verdicts: tuple[Verdict, ...]
    accepted: Mapping[str, str] = field(default_factory=dict)
    """Subjects of findings that the owner accepts, with the reason."""

    def names(self, outcome: Outcome) -> list[str]:
        """Names of the checks with this outcome."""
        return [verdict.check for verdict in self.verdicts if verdict.outcome is outcome]

    @property
    def passed(self) -> bool:
        """True when nothing failed."""
        return not self.names(Outcome.FAILED)

    @property
    def findings(self) -> list[Finding]:
        """All findings, in the order of the checks."""
        return [finding for verdict in self.verdicts for finding in verdict.findings]


def accept(verdicts: Sequence[Verdict], reasons: Mapping[str, str]) -> Audit:
    """Join verdicts to an audit; findings named in ``reasons`` (``check`` or ``check:subject``) no longer fail it."""
    settled = []
    for verdict in verdicts:
        kept = [f for f in verdict.findings if not {verdict.check, f"{verdict.check}:{f.subject}"} & set(reasons)]
        failing = [f for f in kept if f.severity is Severity.ERROR]
        excused = verdict.outcome is Outcome.FAILED and not failing and len(kept) < len(verdict.findings)
        outcome = Outcome.PASSED if excused else verdict.outcome
        settled.append(Verdict(verdict.check, outcome, verdict.coverage, verdict.findings))
    return Audit(tuple(settled), dict(reasons))


def future(evidence: Evidence, questions: pl.DataFrame, *, cuts: int = 3, per_cut: int = 200, seed: int = 0) -> Verdict:
    """Drop, and separately scramble, every row available after a cut; nothing before may move by one bit.

    Cuts are moments of prediction drawn from ``questions`` (columns as of ``docs/architecture.md``);
    the questions tried at a cut are those asked at that very moment, so that a look ahead of any
    length is seen, and as many earlier ones.
    """
    draw = np.random.default_rng(seed)
    moments = questions["as_of"].unique().sort()
    if moments.len() == 0:
        return Verdict("future", Outcome.NOT_APPLICABLE, "no question has a moment of prediction")
    chosen = sorted(draw.choice(moments.len(), size=min(cuts, moments.len()), replace=False).tolist())
    moved: dict[str, tuple[int, str]] = {}
    tried = names = 0
    for cut in (moments[position] for position in chosen):
        asked = _asked_before(questions, cut, per_cut, draw)
        tried += asked.height
        before = evidence.features(asked, evidence.rows, None)
        names = before.width
        again = evidence.features(asked, evidence.rows, None)
        for column in _moved(before, again):
            moved.setdefault(column, (asked.height, "differs when it is computed twice from the same rows"))
        for how, rows in (("dropped", known(evidence.rows, cut)), ("scrambled", scrambled(evidence.rows, cut, draw))):
            after = evidence.features(asked, rows, cut)
            after = after.with_columns(before[column] for column in before.columns if column in evidence.ahead)
            for column, count in _moved(before, after).items():
                moved.setdefault(column, (count, f"moves when rows available after {cut:%Y-%m-%d %H:%M} UTC are {how}"))
            if not _same(evidence.predict(before), evidence.predict(after)):
                moved.setdefault("prediction", (asked.height, f"moves when later rows are {how}"))
    findings = tuple(
        Finding("future", Severity.ERROR, column, f"{column} {why}: it reads what was not yet known", rows=count)
        for column, (count, why) in sorted(moved.items())
    )
    names -= len(evidence.ahead)
    coverage = f"{names} features, {len(chosen)} cuts, {tried:,} questions, rows dropped and scrambled"
    return Verdict("future", Outcome.FAILED if findings else Outcome.PASSED, coverage, findings)


def known(rows: Rows, cut: datetime) -> dict[str, pl.DataFrame]:
    """Rows that were available at ``cut``."""
    return {name: scrambling.known(frame, cut) for name, frame in rows.items()}


def scrambled(rows: Rows, cut: datetime, draw: np.random.Generator) -> dict[str, pl.DataFrame]:
    """Rows with everything that became available after ``cut`` put at random."""
    return {name: scrambling.scrambled(frame, cut, draw) for name, frame in rows.items()}


def fit(
    learn: Callable[[pl.DataFrame, pl.DataFrame], Learnt],
    first: Learnt,
    questions: pl.DataFrame,
    table: pl.DataFrame,
    cut: datetime,
    *,
    seed: int = 0,
) -> Verdict:
    """Scramble every question whose label was not known at ``cut``; what was learnt at the cut must not move.

    ``learn(questions, table)`` chooses among recipes and fits the chosen one at the cut; ``table``
    holds the features beside ``questions``; ``first`` is what it gave before.
    """
    late = (~(questions["known_at"] <= cut) | questions["label"].is_null()).fill_null(value=True)
    positions = np.flatnonzero(late.to_numpy())
    if positions.size == 0:
        return Verdict("fit", Outcome.UNTOLD, "no question lies after the cut")
    draw = np.random.default_rng(seed)
    labels, rows = (np.arange(questions.height) for _ in range(2))
    labels[positions] = draw.permutation(positions)
    rows[positions] = draw.permutation(positions)
    second = learn(questions.with_columns(questions["label"][labels]), table[rows])
    findings = []
    if first.choice != second.choice:
        message = f"the choice moves from {first.choice} to {second.choice} when questions after the cut are scrambled"
        findings.append(Finding("fit", Severity.ERROR, "choice", message))
    elif first.fingerprint != second.fingerprint or not _same(first.predictions, second.predictions):
        message = "the fitted state moves when questions after the cut are scrambled"
        findings.append(Finding("fit", Severity.ERROR, first.choice, message))
    coverage = f"{positions.size:,} questions after {cut:%Y-%m-%d} scrambled, {table.width} features"
    return Verdict("fit", Outcome.FAILED if findings else Outcome.PASSED, coverage, tuple(findings))


@dataclass(frozen=True)
class Side:
    """One split that was really used: a cut, and the questions on both sides of it."""

    name: str
    cut: datetime
    train: pl.DataFrame
    """Questions with known_at."""
    test: pl.DataFrame
    """Questions with as_of."""


def split(sides: Sequence[Side], unit: Sequence[str]) -> Verdict:
    """No label learnt before it was known, no question tested before its cut or of an unknown place, no unit twice."""
    findings: list[Finding] = []
    for side in sides:
        late = side.train.filter((pl.col("known_at") > side.cut) | pl.col("label").is_null()).height
        if late:
            message = f"{late:,} training labels of {side.name} were not known at its cut {side.cut:%Y-%m-%d}"
            findings.append(Finding("split", Severity.ERROR, side.name, message, rows=late))
        early = side.test.filter(pl.col("as_of") < side.cut).height
        if early:
            message = f"{early:,} test questions of {side.name} are asked before its cut {side.cut:%Y-%m-%d}"
            findings.append(Finding("split", Severity.ERROR, side.name, message, rows=early))
        unknown = _of_unknown_places(side)
        if unknown:
            message = f"{unknown:,} questions of {side.name} are about places that were not yet known"
            findings.append(Finding("split", Severity.ERROR, side.name, message, rows=unknown))
        shared = (
            side.train.select(unit).unique().join(side.test.select(unit).unique(), on=list(unit), how="inner").height
        )
        if shared:
            message = f"{shared:,} units ({' x '.join(unit)}) stand on both sides of {side.name}"
            findings.append(Finding("split", Severity.ERROR, side.name, message, rows=shared))
        for part, frame in (("training", side.train), ("test", side.test)):
            doubled = (
                frame.height - frame.select([*unit, *[c for c in ("horizon",) if c in frame.columns]]).unique().height
            )
            if doubled:
                message = f"{doubled:,} {part} questions of {side.name} are asked twice"
                findings.append(Finding("split", Severity.ERROR, side.name, message, rows=doubled))
    questions = sum(side.train.height + side.test.height for side in sides)
    outcome = Outcome.FAILED if findings else Outcome.PASSED if sides else Outcome.UNTOLD
    return Verdict("split", outcome, f"{len(sides)} splits, {questions:,} questions", tuple(findings))


def _of_unknown_places(side: Side) -> int:
    """How many questions are about a place first known after they were asked, or (tested ones) after the cut."""
    if "known_from" not in side.train.columns or "known_from" not in side.test.columns:
        return 0
    learnt = side.train.filter(pl.col("as_of") < pl.col("known_from")).height
    return learnt + side.test.filter(pl.col("known_from") > side.cut).height


def rerun(first: Learnt, again: Callable[[], Learnt], what: str) -> Verdict:
    """Learn once more by the stored plan; fingerprint and predictions must be equal to the bit."""
    second = again()
    findings = []
    if first.choice != second.choice:
        findings.append(
            Finding("rerun", Severity.ERROR, "choice", f"replaying the plan chose {second.choice}, not {first.choice}")
        )
    elif first.fingerprint != second.fingerprint:
        message = f"replaying the plan gave fingerprint {second.fingerprint[:12]}, not {first.fingerprint[:12]}"
        findings.append(Finding("rerun", Severity.ERROR, first.choice, message))
    if not _same(first.predictions, second.predictions):
        gap = (
            float(np.max(np.abs(first.predictions - second.predictions)))
            if first.predictions.size == second.predictions.size
            else np.nan
        )
        findings.append(
            Finding(
                "rerun", Severity.ERROR, "prediction", f"predictions differ by up to {gap:.3g}", figure=gap, limit=0.0
            )
        )
    return Verdict("rerun", Outcome.FAILED if findings else Outcome.PASSED, what, tuple(findings))


def _asked_before(questions: pl.DataFrame, cut: datetime, count: int, draw: np.random.Generator) -> pl.DataFrame:
    at = questions.filter(pl.col("as_of") == cut)
    before = questions.filter(pl.col("as_of") < cut)
    parts = [
        frame[np.sort(draw.choice(frame.height, size=min(count, frame.height), replace=False))]
        for frame in (before, at)
        if frame.height
    ]
    return pl.concat(parts)


def _moved(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, int]:
    """Columns that are not equal to the bit, with the number of rows that differ."""
    missing = {column: before.height for column in before.columns if column not in after.columns}
    counts = {
        column: int(before[column].ne_missing(after[column]).sum())
        for column in before.columns
        if column in after.columns and before.height == after.height
    }
    return missing | {column: count for column, count in counts.items() if count}


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return left.shape == right.shape and left.tobytes() == right.tobytes()
