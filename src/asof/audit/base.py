"""What a check answers, and what all checks share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import TypeVar

import numpy as np
import polars as pl

from asof.data import Finding, Severity

Rows = Mapping[str, pl.DataFrame]
"""Rows of each source, with the columns of ``asof.data`` and ``_place`` where it has one."""
Answer = TypeVar("Answer")
ROUNDING = 1e-12
"""Relative difference that means nothing: one value and many are divided, and sums are taken, by other instructions."""


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
    """Join verdicts to an audit; findings named in ``reasons`` no longer fail it.

    A name is ``check`` or ``check:subject``, the subject perhaps a pattern: ``future:weather_*``.
    """
    settled = []
    for verdict in verdicts:
        kept = [f for f in verdict.findings if excuse(verdict.check, f.subject, reasons) is None]
        failing = [f for f in kept if f.severity is Severity.ERROR]
        excused = verdict.outcome is Outcome.FAILED and not failing and len(kept) < len(verdict.findings)
        settled.append(replace(verdict, outcome=Outcome.PASSED) if excused else verdict)
    return Audit(tuple(settled), dict(reasons))


def excuse(check: str, subject: str, reasons: Mapping[str, str]) -> str | None:
    """Return the name in ``reasons`` by which a finding is accepted; none where none fits."""
    return next((name for name in reasons if name == check or fnmatchcase(f"{check}:{subject}", name)), None)


def settle(check: str, coverage: str, findings: Sequence[Finding]) -> Verdict:
    """Failed where a finding is an error, else passed."""
    failed = any(finding.severity is Severity.ERROR for finding in findings)
    return Verdict(check, Outcome.FAILED if failed else Outcome.PASSED, coverage, tuple(findings))


def join(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict of several on the same check: failed where one failed, else could not tell where one could not."""
    outcomes = [verdict.outcome for verdict in verdicts]
    ranked = (Outcome.FAILED, Outcome.UNTOLD, Outcome.PASSED, Outcome.NOT_APPLICABLE)
    coverage = "; ".join(verdict.coverage for verdict in verdicts)
    findings = tuple(finding for verdict in verdicts for finding in verdict.findings)
    return Verdict(verdicts[0].check, min(outcomes, key=ranked.index), coverage, findings)


class Failure(str):
    """How work failed, in one line."""

    __slots__ = ("subject",)
    subject: str
    """The part of a user that failed, where it is known; else empty."""


class BrokenError(Exception):
    """A part of a user has failed; the name of the part stands beside what it raised."""

    def __init__(self, subject: str, fault: Exception) -> None:
        """Take the name, and the words of the fault."""
        super().__init__(*fault.args)
        self.subject, self.kind = subject, type(fault).__name__


def attempt(work: Callable[[], Answer]) -> Answer | Failure:
    """Do ``work``; where the code of a user in it fails, say in one line how, in place of failing with it."""
    try:
        return work()
    except Exception as fault:  # noqa: BLE001 - whatever a plug-in raises is told as a finding, never swallowed
        first = (str(fault).splitlines() or [""])[0]
        kind = fault.kind if isinstance(fault, BrokenError) else type(fault).__name__
        failure = Failure(f"{kind}: {first}" if first else kind)
        failure.subject = fault.subject if isinstance(fault, BrokenError) else ""
        return failure


def untold(check: str, subject: str, why: str) -> Verdict:
    """Could not tell, because the work of the check itself broke off."""
    message = f"the check could not be carried out: {why}"
    return Verdict(check, Outcome.UNTOLD, "nothing", (Finding(check, Severity.WARNING, subject, message),))


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Whether two arrays are equal to the bit."""
    return left.shape == right.shape and left.tobytes() == right.tobytes()


def differing(left: np.ndarray, right: np.ndarray) -> int:
    """How many rows of two arrays differ by more than rounding; all of them where the shapes do."""
    if left.shape != right.shape:
        return max(len(left), len(right))
    if not len(left):
        return 0
    alike = np.isclose(left, right, rtol=ROUNDING, atol=0.0, equal_nan=True)
    return int((~alike.reshape(len(left), -1).all(axis=1)).sum())


def moved(before: pl.DataFrame, after: pl.DataFrame) -> dict[str, int]:
    """Columns that differ by more than rounding, with the number of rows that do."""
    if before.height != after.height:
        return dict.fromkeys(before.columns, before.height)
    gone = {column: before.height for column in before.columns if column not in after.columns}
    kept = [column for column in before.columns if column in after.columns]
    counts = {column: _unequal(before[column], after[column]) for column in kept}
    return gone | {column: count for column, count in counts.items() if count}


def _unequal(before: pl.Series, after: pl.Series) -> int:
    if before.dtype != after.dtype:
        return before.len()
    if before.equals(after):
        return 0
    if not before.dtype.is_float():
        return int(before.ne_missing(after).sum())
    one, other = (side.fill_null(float("nan")).to_numpy() for side in (before, after))
    return (
        differing(one, other)
        if before.is_null().equals(after.is_null())
        else max(differing(one, other), int((before.is_null() != after.is_null()).sum()))
    )


def wrong(predictions: np.ndarray, height: int) -> str:
    """What is wrong with the form of predictions of ``height`` questions, in words; empty where nothing is."""
    if predictions.shape[:1] != (height,):
        return f"{len(predictions) if predictions.ndim else 1:,} predictions for {height:,} questions"
    if not np.issubdtype(predictions.dtype, np.number):
        return f"predictions are {predictions.dtype}, not numbers"
    bad = ~np.isfinite(predictions.reshape(height, -1)).all(axis=1)
    return f"{int(bad.sum()):,} of {height:,} predictions are missing or infinite" if bad.any() else ""


def sample(frame: pl.DataFrame, count: int, draw: np.random.Generator) -> pl.DataFrame:
    """Draw at most ``count`` rows, in their order."""
    if frame.height <= count:
        return frame
    return frame[np.sort(draw.choice(frame.height, size=count, replace=False))]
