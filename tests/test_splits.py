"""Splits: what may be learnt before a cut and asked after it."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof.data import UTC_TIME, Severity
from asof.errors import DataError
from asof.splits import at_cut, doubts, forward, holdout
from asof.times import Step, midnight

NEW_YORK = "America/New_York"
FIRST = datetime(2019, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def asked(days: int, *, horizon: int = 1, delay: int = 1, unknown: int = 0) -> pl.DataFrame:
    """Daily questions of one place; the last ``unknown`` have no label."""
    frame = pl.DataFrame({"start": [FIRST + DAY * day for day in range(days)]}, schema={"start": UTC_TIME})
    label = [float(day % 5) if day < days - unknown else None for day in range(days)]
    return frame.with_columns(
        end=pl.col("start") + DAY,
        as_of=pl.col("start") - DAY * horizon,
        label=pl.Series(label, dtype=pl.Float64),
        known_at=pl.col("start") + DAY * (1 + delay),
    )


def test_train_is_known_at_the_cut_test_is_asked_from_it_and_the_embargo_is_neither() -> None:
    cut = FIRST + DAY * 10
    split = at_cut(asked(20), cut)
    assert split.train.tolist() == list(range(9))  # day 8 ends at 9, known at 10
    assert split.test.tolist() == list(range(11, 20))  # day 11 is asked at 10
    assert split.cut == cut


def test_until_ends_the_test_and_since_begins_the_training() -> None:
    split = at_cut(asked(20), FIRST + DAY * 10, until=FIRST + DAY * 13, since=FIRST + DAY * 4)
    assert split.train.tolist() == [4, 5, 6, 7, 8]
    assert split.test.tolist() == [11, 12, 13]


def test_a_question_without_label_is_never_learnt_but_may_be_asked() -> None:
    questions = asked(20, unknown=15)
    split = at_cut(questions, FIRST + DAY * 10)
    assert split.train.tolist() == [0, 1, 2, 3, 4]
    assert split.test.tolist() == list(range(11, 20))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 40), st.integers(0, 9), st.integers(0, 5))
def test_no_label_learnt_is_known_after_the_cut_and_no_side_shares_a_question(
    day: int, horizon: int, delay: int
) -> None:
    questions = asked(40, horizon=horizon, delay=delay)
    cut = FIRST + DAY * day
    split = at_cut(questions, cut)
    assert not set(split.train) & set(split.test)
    assert all(time <= cut for time in questions["known_at"].gather(split.train))
    assert all(time >= cut for time in questions["as_of"].gather(split.test))
    rest = np.setdiff1d(np.arange(40), np.concatenate([split.train, split.test]))
    assert all(row["known_at"] > cut > row["as_of"] for row in questions[rest].iter_rows(named=True))


def test_the_holdout_is_28_days_of_a_short_history() -> None:
    split = holdout(asked(200, horizon=0, delay=0), None, "UTC")
    assert split.cut == FIRST + DAY * 172
    assert split.test.tolist() == list(range(172, 200))
    assert split.train.tolist() == list(range(172))


def test_the_holdout_is_a_tenth_of_a_long_history() -> None:
    split = holdout(asked(1000, horizon=0, delay=0), None, "UTC")
    assert split.cut == FIRST + DAY * 900
    assert len(split.test) == 100


def test_the_holdout_makes_room_for_long_horizons() -> None:
    split = holdout(asked(200, horizon=40), None, "UTC")
    assert split.cut == FIRST + DAY * (200 - 42)
    assert split.test.tolist() == [198, 199]


def test_the_holdout_ends_with_the_last_known_label_and_leaves_unknown_ones_out() -> None:
    split = holdout(asked(200, horizon=0, delay=0, unknown=20), Step.parse("30d"), "UTC")
    assert split.cut == FIRST + DAY * 150
    assert split.test.tolist() == list(range(150, 180))


def test_cuts_are_local_midnights() -> None:
    split = holdout(asked(200, horizon=0, delay=0), Step.parse("28d"), NEW_YORK)
    assert split.cut == midnight((FIRST + DAY * (199 - 28)).date(), NEW_YORK)


def test_folds_walk_forward_to_the_holdout() -> None:
    questions = asked(200, horizon=0, delay=0)
    last = holdout(questions, None, "UTC")
    folds = forward(questions, 3, Step.parse("14d"), "UTC", before=last.cut)
    assert [fold.cut for fold in folds] == [last.cut - DAY * days for days in (42, 28, 14)]
    assert [fold.until for fold in folds] == [last.cut - DAY * days for days in (28, 14, 0)]
    assert np.concatenate([fold.test for fold in folds]).tolist() == list(range(130, 172))
    assert all(fold.train.max() < fold.test.min() for fold in folds)


def test_labels_of_the_last_fold_are_known_before_the_holdout() -> None:
    questions = asked(200, horizon=1, delay=2)
    last = holdout(questions, None, "UTC")
    folds = forward(questions, 2, Step.parse("14d"), "UTC", before=last.cut)
    assert all(time <= last.cut for time in questions["known_at"].gather(folds[-1].test))


def test_folds_without_a_holdout_end_with_the_last_label() -> None:
    folds = forward(asked(100, horizon=0, delay=0), 2, Step.parse("10d"), "UTC")
    assert folds[-1].until == FIRST + DAY * 100
    assert folds[-1].test.tolist() == list(range(90, 100))


def test_too_little_to_learn_from_says_what_to_shorten() -> None:
    with pytest.raises(
        DataError, match=r"holdout \(cut 2019-01-02.*1 questions have a label known.*judge\.holdout is 28d"
    ):
        holdout(asked(29, horizon=0, delay=0), None, "UTC")
    with pytest.raises(DataError, match=r"fold 1 of 4.*lower judge\.folds"):
        forward(asked(80, horizon=0, delay=0), 4, Step.parse("20d"), "UTC")


def test_a_source_with_no_rows_after_the_cut_is_refused() -> None:
    questions = asked(100, horizon=5)
    with pytest.raises(DataError, match=r"0 periods with a known label after the cut.*load rows after the cut"):
        holdout(questions, Step.parse("3d"), "UTC")


def test_no_label_at_all_is_refused_and_so_is_a_cut_without_zone() -> None:
    with pytest.raises(DataError, match="no question has a known label"):
        holdout(asked(100, unknown=100), None, "UTC")
    with pytest.raises(DataError, match="has no zone"):
        at_cut(asked(10), datetime(2019, 1, 1))  # noqa: DTZ001
    with pytest.raises(DataError, match="expected a moment, got 9"):
        holdout(asked(100).with_columns(end=pl.lit(9)), None, "UTC")


def test_a_label_constant_in_a_fold_is_a_warning() -> None:
    constant = pl.when(pl.int_range(pl.len()) >= 172).then(3.0).otherwise(pl.col("label")).alias("label")
    questions = asked(200, horizon=0, delay=0).with_columns(constant)
    split = holdout(questions, None, "UTC")
    (finding,) = doubts(questions, [split], "crashes")
    assert finding.severity == Severity.WARNING
    assert finding.subject == "crashes"
    assert finding.message == "the label is 3 in all 28 test questions of the cut 2019-06-22"
    assert doubts(asked(200), [holdout(asked(200), None, "UTC")]) == []
