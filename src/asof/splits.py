"""Splits by time: a cut, and what may be learnt before it and asked after it.

Nothing else splits by time; what has no time is split by ``kfolds``. The embargo falls out by itself: a question whose
label was not known at the cut, and which was asked before it, is on neither side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.data import UTC_TIME, Finding, Severity
from asof.errors import DataError
from asof.times import Step, floor, midnight, shift

DEFAULT_DAYS = 28
DEFAULT_SHARE = 0.1
LEAST_TRAIN = 30
"""Fewer training questions than this give no model worth judging."""
LEAST_PERIODS = 2
"""Fewer test periods than this give no interval."""


@dataclass(frozen=True)
class Split:
    """A cut in time, with positions in the frame of questions; both arrays rise."""

    cut: datetime | None
    """None where questions have no time, and are split by ``kfolds``."""
    train: NDArray[np.int64]
    test: NDArray[np.int64]
    until: datetime | None = None
    """Test questions have ``as_of`` before this."""


def at_cut(
    questions: pl.DataFrame, cut: datetime, until: datetime | None = None, since: datetime | None = None
) -> Split:
    """Split questions at ``cut``.

    Train: label known, ``known_at <= cut`` and ``start >= since``. Test: ``as_of >= cut`` and ``as_of < until``,
    whether or not the label is known, about places that were known at the cut. A question on neither side is in the
    embargo.

    Args:
        questions: frame with ``start``, ``as_of``, ``label`` and ``known_at``; and ``known_from``, when its place was
            first known, where places are found in the rows; and ``group``, where rows belong together: the groups
            that are tested are not learnt from.
        cut: moment of learning, UTC.
        until: end of the test questions, exclusive; none: no end.
        since: first period to learn from; none: the first there is.
    """
    learnt = pl.col("label").is_not_null() & pl.col("label").is_not_nan() & (pl.col("known_at") <= _at(cut))
    asked = pl.col("as_of") >= _at(cut)
    if since is not None:
        learnt &= pl.col("start") >= _at(since)
    if until is not None:
        asked &= pl.col("as_of") < _at(until)
    if "known_from" in questions.columns:
        asked &= pl.col("known_from") <= _at(cut)
    test = _where(questions, asked)
    train = _apart(questions, _where(questions, learnt), test)
    return Split(cut, train, test, until)


def holdout(questions: pl.DataFrame, length: Step | date | None, zone: str) -> Split:
    """Split off the last stretch of judged questions: ``length``, or 28 days or 10 %, whichever is longer.

    It ends with the last period whose label is known and begins at a local midnight of ``zone``: of a day that is
    given in place of a length.

    Raises:
        DataError: too few questions before the cut, or too few periods after it.
    """
    judged = _judged(questions)
    end = _moment(judged["end"].max())
    if length is None:
        length = _usual(judged)
    cut = midnight(length, zone) if isinstance(length, date) else _back(_local_midnight(end, zone), length, zone)
    split = _known_only(questions, at_cut(questions, cut, until=None), None)
    _refuse_few(questions, split, "holdout", f"judge.holdout is {length}")
    return split


def forward(
    questions: pl.DataFrame, count: int, length: Step, zone: str, before: datetime | None = None
) -> tuple[Split, ...]:
    """Walk forward: ``count`` folds of ``length`` each, the last of which ends at ``before`` (the holdout's cut).

    Each fold learns what was known at its own cut and is asked what follows, up to the next cut. Test labels are
    known at ``before``, so that a choice made on the folds could have been made then. Oldest fold first.

    Raises:
        DataError: too few questions before a fold's cut, or too few periods in it.
    """
    judged = _judged(questions)
    last = before if before is not None else _moment(judged["end"].max())
    ends = [_local_midnight(last, zone)]
    for _ in range(count):
        ends.append(_back(ends[-1], length, zone))
    folds = []
    for number, (until, cut) in enumerate(zip(ends[count - 1 :: -1], ends[:0:-1], strict=True), 1):
        fold = _known_only(questions, at_cut(questions, cut, until=until), before)
        _refuse_few(questions, fold, f"fold {number} of {count}", f"judge.fold is {length}")
        folds.append(fold)
    return tuple(folds)


def doubts(questions: pl.DataFrame, splits: Sequence[Split], subject: str = "label") -> list[Finding]:
    """Warn of folds in which the label is constant, on either side: a score there says little."""
    found = []
    for split in splits:
        for side, rows in (("training", split.train), ("test", split.test)):
            labels = questions["label"].gather(rows).drop_nulls()
            if len(labels) and labels.n_unique() == 1:
                where = "a fold" if split.cut is None else f"the cut {split.cut:%Y-%m-%d}"
                message = f"the label is {labels[0]:g} in all {len(labels)} {side} questions of {where}"
                found.append(
                    Finding("constant label", Severity.WARNING, subject, message, figure=labels[0], rows=len(labels))
                )
    return found


def _known_only(questions: pl.DataFrame, split: Split, by: datetime | None) -> Split:
    known = pl.col("label").is_not_null() & pl.col("label").is_not_nan()
    if by is not None:
        known &= pl.col("known_at") <= _at(by)
    judged = questions.select(known)["label"].to_numpy()
    return Split(split.cut, split.train, split.test[judged[split.test]], split.until)


def _refuse_few(questions: pl.DataFrame, split: Split, name: str, setting: str) -> None:
    where = f"{name} (cut {split.cut:%Y-%m-%d %H:%M} UTC)"
    if len(split.train) < LEAST_TRAIN:
        raise DataError(
            f"{where}: {len(split.train)} questions have a label known before the cut, at least {LEAST_TRAIN} are "
            f"needed; {setting}: shorten it, lower judge.folds, or load more history"
        )
    periods = questions["start"].gather(split.test).n_unique()
    if periods < LEAST_PERIODS:
        raise DataError(
            f"{where}: {periods} periods with a known label after the cut, at least {LEAST_PERIODS} are needed; "
            f"{setting}: lengthen it beyond the horizon and one period, or load rows after the cut"
        )


def _judged(questions: pl.DataFrame) -> pl.DataFrame:
    judged = questions.filter(pl.col("label").is_not_null() & pl.col("label").is_not_nan())
    if judged.is_empty():
        raise DataError("no question has a known label; load rows of the predicted source that cover whole periods")
    return judged


def _usual(judged: pl.DataFrame) -> Step:
    span = _moment(judged["end"].max()) - _moment(judged["start"].min())
    longest = judged.select((pl.col("end") - pl.col("start")).max()).item()
    ahead = judged.select((pl.col("start") - pl.col("as_of")).max()).item()
    # room for two whole periods beyond the furthest horizon, or nothing could be asked after the cut
    least = longest * LEAST_PERIODS + ahead
    wanted = max(timedelta(days=DEFAULT_DAYS), span * DEFAULT_SHARE, least)
    return Step(math.ceil(wanted / timedelta(days=1)), "d")


def _local_midnight(time: datetime, zone: str) -> datetime:
    return _moment(floor(pl.Series([time], dtype=UTC_TIME), Step(1, "d"), zone)[0])


def _back(time: datetime, length: Step, zone: str) -> datetime:
    return _moment(shift(pl.Series([time], dtype=UTC_TIME), length, zone, -1)[0])


def _apart(questions: pl.DataFrame, train: NDArray[np.int64], test: NDArray[np.int64]) -> NDArray[np.int64]:
    """Training positions of groups that are not tested: a group stands on one side, where the project names groups."""
    if "group" not in questions.columns:
        return train
    tested = questions["group"].gather(test).unique()
    kept = ~questions["group"].gather(train).is_in(tested.implode())
    return np.asarray(train[kept.to_numpy()])


def _where(questions: pl.DataFrame, condition: pl.Expr) -> NDArray[np.int64]:
    mask = questions.select(condition.fill_null(False).alias("chosen"))["chosen"].to_numpy()
    return np.flatnonzero(mask).astype(np.int64)


def _at(time: datetime) -> pl.Expr:
    if time.tzinfo is None:
        raise DataError(f"cut {time} has no zone; expected a moment such as 2019-09-01T00:00-04:00")
    return pl.lit(time).cast(UTC_TIME)


def _moment(value: Any) -> datetime:
    if not isinstance(value, datetime):
        raise DataError(f"expected a moment, got {value!r}; start, end and as_of must be times")
    return value
