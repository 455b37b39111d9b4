"""Fit: what is learnt does not move with what it is tested on, and an answer not with those beside it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from asof.audit import base
from asof.audit.base import Learnt, Outcome, Verdict
from asof.data import Finding, Severity, Table


@dataclass(frozen=True)
class Trial:
    """A cut as the run used it, and what it learnt there."""

    questions: pl.DataFrame
    """n questions with ``label``."""
    features: pl.DataFrame
    """n rows beside them."""
    unseen: np.ndarray
    """Positions of the questions that must not be learnt from: those tested, and those whose label came too late."""
    where: str
    """What divides them, in words: ``the cut 2019-11-03``."""


def check(
    learn: Callable[[pl.DataFrame, pl.DataFrame], Learnt], first: Learnt | str, trial: Trial, *, seed: int = 0
) -> Verdict:
    """Scramble labels and features of every question that must not be learnt from; what was learnt must not move.

    ``learn(questions, features)`` chooses among recipes and fits the chosen one, all code of plug-ins loaded anew;
    ``first`` is what it gave before, or how it failed.
    """
    if isinstance(first, str):
        return base.untold("fit", "learning", first)
    if trial.unseen.size == 0:
        return Verdict("fit", Outcome.UNTOLD, f"no question lies beyond {trial.where}")
    draw = np.random.default_rng(seed)
    labels, rows = (np.arange(trial.questions.height) for _ in range(2))
    labels[trial.unseen] = draw.permutation(trial.unseen)
    rows[trial.unseen] = draw.permutation(trial.unseen)
    mixed = trial.questions.with_columns(trial.questions["label"][labels])
    second = base.attempt(lambda: learn(mixed, trial.features[rows]))
    if isinstance(second, str):
        return base.untold("fit", "learning", f"with {trial.unseen.size:,} questions scrambled, {second}")
    findings = []
    when = f"when questions beyond {trial.where} are scrambled"
    if first.choice != second.choice:
        message = f"the choice moves from {first.choice} to {second.choice} {when}"
        findings.append(Finding("fit", Severity.ERROR, "choice", message))
    elif first.fingerprint != second.fingerprint or not base.same(first.predictions, second.predictions):
        findings.append(Finding("fit", Severity.ERROR, first.choice, f"the fitted state moves {when}"))
    coverage = f"{trial.unseen.size:,} questions beyond {trial.where} scrambled, {trial.features.width} features"
    return base.settle("fit", coverage, findings)


def apart(
    predict: Callable[[pl.DataFrame], np.ndarray],
    fingerprint: Callable[[], str],
    features: pl.DataFrame,
    *,
    seed: int = 0,
) -> Verdict:
    """Predict rows among others that are scrambled, and in another order: no prediction and no state may move.

    ``features``: of questions that are tested. A model whose encoder looks at the rows that it is given (a rank among
    them, a mean over them) answers otherwise in other company.
    """
    count = features.height // 2
    coverage = f"{count:,} tested questions predicted among others"
    if count == 0:
        return Verdict("fit", Outcome.UNTOLD, "no question is tested")
    draw = np.random.default_rng(seed)
    order = draw.permutation(features.height)
    others = pl.DataFrame([column.gather(draw.permutation(features.height)) for column in features.get_columns()])

    def tried() -> list[tuple[str, np.ndarray]]:
        return [
            ("when the rows beside it are scrambled", predict(pl.concat([features[:count], others]))[:count]),
            ("with the order of the rows", predict(features[order])[np.argsort(order)][:count]),
            ("when it is asked for again", predict(features)[:count]),
        ]

    state = fingerprint()
    told = base.attempt(lambda: (predict(features)[:count], tried()))
    if isinstance(told, str):
        return base.untold("fit", "prediction", told)
    plain, others_told = told
    moving = [(how, base.differing(plain, again)) for how, again in others_told]
    findings = [
        Finding("fit", Severity.ERROR, "prediction", f"the prediction of a row moves {how}", rows=rows)
        for how, rows in moving
        if rows
    ][:1]
    if fingerprint() != state:
        message = "the fitted state moves when it is asked for predictions: it learns from what it is tested on"
        findings.append(Finding("fit", Severity.ERROR, "state", message))
    return base.settle("fit", coverage, findings)


def own_label(
    name: str, encode: Callable[[Table], pl.DataFrame], table: Table, *, rows: int = 3, seed: int = 0
) -> Verdict:
    """Change the label of single training rows; what they are encoded to may not move with it.

    Args:
        name: of the encoder, the last where there are several.
        encode: fits encoders on a table, and gives its rows as the estimator learns from them.
        table: training questions.
        rows: how many are tried, one after the other.
        seed: of the draw.

    An encoder that gives a training row the mean label of its kind, its own label included, teaches the estimator to
    read labels off a feature that tells them in training alone.
    """
    coverage = f"labels of {min(rows, len(table))} training rows changed"
    label = table.label.to_numpy()
    if np.unique(label).size < 2:
        return Verdict("fit", Outcome.UNTOLD, "all labels are equal")
    before = base.attempt(lambda: encode(table))
    found: dict[str, int] = {}
    for row in np.random.default_rng(seed).permutation(len(table))[:rows]:
        changed = label.copy()
        changed[row] = label.min() if label[row] > label.min() else label.max()
        other = Table(table.features, pl.Series(table.label.name, changed), table.weight)
        after = base.attempt(lambda other=other: encode(other))  # type: ignore[misc]
        if isinstance(before, str) or isinstance(after, str):
            return base.untold("fit", name, before if isinstance(before, str) else str(after))
        own = slice(int(row), int(row) + 1)
        for column in base.moved(before[own], after[own]):
            found[column] = found.get(column, 0) + 1
    columns = ", ".join(found)
    message = f"{columns}: what {name} gives a training row moves with the row's own label"
    findings = [Finding("fit", Severity.ERROR, columns, message, rows=max(found.values()))] if found else []
    return base.settle("fit", coverage, findings)
