"""Parity: one question alone, of the model as it is kept, and a batch get the same answer."""

import numpy as np
import polars as pl
import pytest

from asof.audit import Outcome, parity
from asof.audit.parity import Answer, Answers

ASKED = pl.DataFrame({"x": [1.0, 2.0, 3.0], "name": ["a", "b", None]})


def answer(questions: pl.DataFrame) -> Answers:
    return Answers(questions, 2.0 * questions["x"].to_numpy())


def a_little_more(questions: pl.DataFrame) -> Answers:
    return Answers(questions, answer(questions).predictions * (1 + 1e-9))


def rounded(questions: pl.DataFrame) -> Answers:
    return Answers(questions, np.nextafter(answer(questions).predictions, np.inf))


def rank(questions: pl.DataFrame) -> Answers:
    return Answers(questions.with_columns(pl.col("x").rank()), answer(questions).predictions)


def infinite(questions: pl.DataFrame) -> Answers:
    return Answers(questions, 1.0 / (questions["x"].to_numpy() - 2.0 + np.zeros(1)))


def missing(questions: pl.DataFrame) -> Answers:
    return Answers(questions, np.full(questions.height, np.nan))


def short(questions: pl.DataFrame) -> Answers:
    return Answers(questions, np.zeros(max(questions.height - 1, 1)))


def none(questions: pl.DataFrame) -> Answers:
    return Answers(questions, np.zeros(0))


def broken(questions: pl.DataFrame) -> Answers:
    raise ValueError("it cannot")


def test_equal_answers_pass() -> None:
    verdict = parity.check(ASKED, answer, answer, how="asked one by one")
    assert (verdict.outcome, verdict.coverage) == (Outcome.PASSED, "2 features, 3 questions asked one by one")
    assert parity.check(ASKED, answer, rounded, how="").outcome is Outcome.PASSED
    assert parity.check(ASKED[:0], answer, answer, how="").outcome is Outcome.UNTOLD


def test_probabilities_of_classes_are_compared_whole() -> None:
    def classes(questions: pl.DataFrame) -> Answers:
        share = questions["x"].to_numpy() / 4
        return Answers(questions, np.column_stack([share, 1 - share]))

    def others(questions: pl.DataFrame) -> Answers:
        return Answers(questions, classes(questions).predictions[:, ::-1])

    assert parity.check(ASKED, classes, classes, how="").outcome is Outcome.PASSED
    assert parity.check(ASKED, classes, others, how="").findings[0].rows == 2  # the middle one is a half and a half


@pytest.mark.parametrize(
    ("batch", "alone", "subject", "said", "rows"),
    [
        (answer, a_little_more, "prediction", "differs between a batch and one question alone", 3),
        (rank, rank, "x", "x differs between a batch and one question alone", 2),
        (infinite, infinite, "prediction", "1 of 3 predictions are missing or infinite in a batch", None),
        (answer, missing, "prediction", "3 of 3 predictions are missing or infinite in one question alone", None),
        (short, answer, "prediction", "2 predictions for 3 questions in a batch", None),
        (answer, none, "answer", "asking one question failed: 1 rows, 0 predictions", None),
        (broken, answer, "answer", "asking the batch failed: ValueError: it cannot", None),
        (answer, broken, "answer", "asking question 1 of 3 alone failed: ValueError: it cannot", None),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_what_differs_or_is_no_answer_is_told_of(
    batch: Answer, alone: Answer, subject: str, said: str, rows: int | None
) -> None:
    verdict = parity.check(ASKED, batch, alone, how="asked one by one")
    assert verdict.outcome is Outcome.FAILED
    assert (verdict.findings[0].subject, verdict.findings[0].rows) == (subject, rows)
    assert said in verdict.findings[0].message
