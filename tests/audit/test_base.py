"""What all checks share: the four answers, accepted findings, and what is wrong with an answer."""

import numpy as np
import polars as pl
import pytest

from asof import audit
from asof.audit import Outcome, Verdict, base
from asof.data import Finding, Severity


def test_an_accepted_finding_is_kept_but_no_longer_fails() -> None:
    """Accepting one subject leaves the others failing; accepting all of them passes."""
    one = Finding("future", Severity.ERROR, "busy", "looks ahead")
    two = Finding("future", Severity.ERROR, "calm", "looks ahead")
    verdict = Verdict("future", Outcome.FAILED, "", (one, two))
    assert not audit.accept([verdict], {"future:busy": "why"}).passed
    settled = audit.accept([verdict], {"future:busy": "why", "future:calm": "why"})
    assert settled.passed
    assert settled.findings == [one, two]
    assert audit.accept([verdict], {"future": "all of it"}).passed
    assert audit.accept([verdict], {"future:*": "both of them"}).passed
    assert not audit.accept([verdict], {"future:b*": "one of them"}).passed


def test_several_answers_to_one_check_are_the_worst_of_them() -> None:
    passed, failed, untold = (
        Verdict("fit", outcome, str(outcome)) for outcome in (Outcome.PASSED, Outcome.FAILED, Outcome.UNTOLD)
    )
    assert audit.join([passed, failed, untold]).outcome is Outcome.FAILED
    assert audit.join([passed, untold]).outcome is Outcome.UNTOLD
    assert audit.join([passed, passed]).coverage == "passed; passed"


def test_an_attempt_gives_the_answer_or_says_in_one_line_what_failed() -> None:
    def broken() -> int:
        raise ValueError("one\ntwo")

    assert audit.attempt(lambda: 3) == 3
    assert audit.attempt(broken) == "ValueError: one"
    told = audit.untold("fit", "learning", "ValueError: one")
    assert (told.outcome, told.findings[0].severity) == (Outcome.UNTOLD, Severity.WARNING)


@pytest.mark.parametrize(
    ("predictions", "said"),
    [
        (np.array([1.0, 2.0]), ""),
        (np.array([[0.5, 0.5], [1.0, 0.0]]), ""),
        (np.array([1.0, np.inf]), "1 of 2 predictions are missing or infinite"),
        (np.array([[0.5, np.nan], [1.0, 0.0]]), "1 of 2 predictions are missing or infinite"),
        (np.array([1.0]), "1 predictions for 2 questions"),
        (np.array(["a", "b"]), "predictions are <U1, not numbers"),
    ],
)
def test_what_is_wrong_with_predictions_is_said(predictions: np.ndarray, said: str) -> None:
    assert base.wrong(predictions, 2) == said


def test_rows_that_differ_by_more_than_rounding_are_counted() -> None:
    left = np.array([0.0, 1.0, np.nan])
    assert base.differing(left, np.array([-0.0, np.nextafter(1.0, 2.0), np.nan])) == 0
    assert base.differing(left, np.array([1e-300, 1.0 + 1e-9, 0.0])) == 3
    assert base.differing(left, left[:2]) == 3
    assert base.differing(left[:0], left[:0]) == 0


def test_columns_that_move_are_counted() -> None:
    before = pl.DataFrame({"a": [1.0, None, 3.0], "b": ["x", "y", "z"], "c": [1, 2, 3]})
    after = pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"], "c": [1.0, 2.0, 3.0]})
    assert base.moved(before, after) == {"a": 1, "c": 3}
    assert base.moved(before, after.drop("b")) == {"a": 1, "b": 3, "c": 3}
    assert base.moved(before, after[:2]) == {"a": 3, "b": 3, "c": 3}
