"""Parity: a question asked alone, of the model as it is kept, gets the answer that it gets in a batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from asof.audit import base
from asof.audit.base import Outcome, Verdict
from asof.data import Finding, Severity


@dataclass(frozen=True)
class Answers:
    """Features and predictions of n questions."""

    features: pl.DataFrame
    predictions: np.ndarray
    """(n,), or (n, k) for classes."""


Answer = Callable[[pl.DataFrame], Answers]
"""How questions are answered: a batch, one question by a saved and loaded model, or a server over HTTP."""


def check(questions: pl.DataFrame, batch: Answer, alone: Answer, *, how: str) -> Verdict:
    """Ask ``questions`` as a batch and one by one; features and predictions must be equal to the bit.

    Args:
        questions: a sample of those that the run learnt from or was judged by.
        batch: the way of training and backtests.
        alone: the way of use, asked one question at a time.
        how: the way of use in words.
    """
    if questions.height == 0:
        return Verdict("parity", Outcome.UNTOLD, "there is no question to ask")
    whole = base.attempt(lambda: batch(questions))
    if isinstance(whole, str):
        return _failed(questions, "the batch", whole)
    singles: list[Answers] = []
    for row in range(questions.height):
        one = base.attempt(lambda row=row: alone(questions[row : row + 1]))  # type: ignore[misc]
        if isinstance(one, str):
            return _failed(questions, f"question {row + 1} of {questions.height} alone", one)
        if one.features.height != 1 or len(one.predictions) != 1:
            return _failed(questions, "one question", f"{one.features.height} rows, {len(one.predictions)} predictions")
        singles.append(one)
    separate = Answers(
        pl.concat([one.features for one in singles]), np.concatenate([one.predictions for one in singles])
    )
    coverage = f"{whole.features.width} features, {questions.height:,} questions {how}"
    return base.settle("parity", coverage, _differences(whole, separate))


def elsewhere(
    whole: Answers,
    bare: Answers | str,
    there: Callable[[], Answers],
    beside: Callable[[], Answers] | None = None,
    made: Callable[[str], str] = lambda name: "",  # noqa: ARG005 - what it is asked about
) -> Verdict:
    """Compare a batch with what another process answers to the same questions.

    Args:
        whole: answers of the batch.
        bare: those of a process in a folder that holds the project's code alone, or how it failed.
        there: those of another process in the project's own folder; asked only where the first differ, to tell why.
        beside: those in a folder that holds the code and the files that are no sources; asked where a file is read.
        made: what a feature, by its name, was made of, where it was made of the rows of the project.

    A file that is no source may hold constants: what reads nothing else, and was not made of the rows, is warned of.
    """
    coverage = "asked in a process of its own, in a folder without any file but the code"
    if not isinstance(bare, str) and not _differences(whole, bare):
        return base.settle("parity", coverage, [])
    second = base.attempt(there)
    why = "differs in another process, where text is hashed otherwise and nothing is remembered"
    told: Answers | str = second
    reads = not isinstance(second, str) and not _differences(whole, second)
    if reads and beside is not None:
        constant = base.attempt(beside)
        if not isinstance(constant, str) and not _differences(whole, constant):
            return base.settle("parity", coverage, _of_files(whole, bare, made))
    if reads:
        why = "reads a file that is no source, so that nothing tells what was known of it at the moment of prediction"
        told = bare
    if isinstance(told, str):
        subject = getattr(told, "subject", "") or "features"
        finding = Finding("parity", Severity.ERROR, subject, f"{subject} {why}: {told}")
        return base.settle("parity", coverage, [finding])
    moving = base.moved(whole.features, told.features) or {"prediction": len(whole.predictions)}
    findings = [Finding("parity", Severity.ERROR, name, f"{name} {why}", rows=rows) for name, rows in moving.items()]
    return base.settle("parity", coverage, findings)


def _of_files(whole: Answers, bare: Answers | str, made: Callable[[str], str]) -> list[Finding]:
    """What is read out of files beside the project: an error where it was made of the rows, else it is asked about."""
    moving: list[str] = []
    if not isinstance(bare, str):
        moving = list(base.moved(whole.features, bare.features))
    elif getattr(bare, "subject", "") in whole.features.columns:
        moving = [bare.subject]  # type: ignore[attr-defined]
    # Where the plug-ins cannot even be loaded without their files, any feature may come out of them.
    names = moving or whole.features.columns
    findings = []
    for name in names:
        of_what = made(name)
        if of_what:
            message = (
                f"{name} reads a file that is no source, and was made of the rows that it is to tell of: {of_what}; "
                "make it a source with the moment at which it was known, or a lookup"
            )
            findings.append(Finding("parity", Severity.ERROR, name, message))
    if not findings:
        subject = ", ".join(moving) or "a plug-in"
        message = (
            f"{subject} reads a file that is no source: let it hold constants only, or make it a source, since nothing "
            "tells what was known of it at the moment of prediction"
        )
        findings.append(Finding("parity", Severity.WARNING, moving[0] if moving else "features", message))
    return findings


def _failed(questions: pl.DataFrame, what: str, why: str) -> Verdict:
    message = f"asking {what} failed: {why}"
    return base.settle(
        "parity", f"{questions.height:,} questions", [Finding("parity", Severity.ERROR, "answer", message)]
    )


def _differences(whole: Answers, separate: Answers) -> list[Finding]:
    found = [
        Finding("parity", Severity.ERROR, column, f"{column} differs between a batch and one question alone", rows=rows)
        for column, rows in base.moved(whole.features, separate.features).items()
    ]
    height = whole.features.height
    for name, predictions in (("a batch", whole.predictions), ("one question alone", separate.predictions)):
        bad = base.wrong(predictions, height)
        if bad:
            found.append(Finding("parity", Severity.ERROR, "prediction", f"{bad} in {name}"))
            return found
    rows = base.differing(whole.predictions, separate.predictions)
    if rows:
        message = "the prediction differs between a batch and one question alone, of the model as it is kept"
        found.append(Finding("parity", Severity.ERROR, "prediction", message, rows=rows))
    return found
