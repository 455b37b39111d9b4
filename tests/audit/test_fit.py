"""Fit: nothing is learnt from what is tested, and no prediction moves with those beside it."""

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from asof import encoders
from asof.audit import Learnt, Outcome, fit
from asof.audit.fit import Trial
from asof.data import Table
from asof.encoders.target_mean import TargetMean
from tests.audit.evidence import DAYS, labelled

TABLE = pl.DataFrame({"x": np.arange(10.0)})


def learn(questions: pl.DataFrame, table: pl.DataFrame, *, peek: bool) -> Learnt:
    train = questions["known_at"] <= DAYS[4]
    mean = questions["label"].filter(train).mean() if not peek else questions["label"].tail(3).mean()
    spread = table["x"].filter(train).sum() if not peek else table["x"].tail(2).sum()
    return Learnt("mean", f"{mean!r}:{spread!r}", np.array([mean]))


def trial(unseen: range = range(5, 10)) -> Trial:
    return Trial(labelled(), TABLE, np.array(unseen, dtype=np.int64), "the cut 2021-05-05")


@pytest.mark.parametrize(("peek", "outcome"), [(False, Outcome.PASSED), (True, Outcome.FAILED)])
def test_it_must_not_move_when_what_is_tested_is_scrambled(*, peek: bool, outcome: Outcome) -> None:
    """What is fitted on questions after the cut moves with them, and is named."""
    first = learn(labelled(), TABLE, peek=peek)
    verdict = fit.check(lambda questions, features: learn(questions, features, peek=peek), first, trial(), seed=3)
    assert verdict.outcome is outcome
    assert verdict.coverage == "5 questions beyond the cut 2021-05-05 scrambled, 1 features"
    assert [finding.subject for finding in verdict.findings] == (["mean"] if peek else [])


def test_it_cannot_tell_without_questions_to_test() -> None:
    """Nothing to scramble, nothing shown."""
    first = Learnt("mean", "", np.zeros(1))
    assert fit.check(lambda _q, _t: first, first, trial(range(0))).outcome is Outcome.UNTOLD


def test_a_choice_that_moves_is_named() -> None:
    """Choosing by what came later is a leak even where every model is fitted rightly."""
    first = Learnt("a", "f", np.zeros(1))
    verdict = fit.check(lambda _q, _t: Learnt("b", "f", np.zeros(1)), first, trial())
    assert [finding.subject for finding in verdict.findings] == ["choice"]
    assert "moves from a to b" in verdict.findings[0].message


def test_learning_that_breaks_is_told_of_and_breaks_nothing() -> None:
    def broken(questions: pl.DataFrame, features: pl.DataFrame) -> Learnt:
        raise KeyError("no such column")

    first = Learnt("a", "f", np.zeros(1))
    verdict = fit.check(broken, first, trial())
    assert (verdict.outcome, verdict.findings[0].subject) == (Outcome.UNTOLD, "learning")
    assert "5 questions scrambled, KeyError: 'no such column'" in verdict.findings[0].message
    assert fit.check(broken, "KeyError: x", trial()).outcome is Outcome.UNTOLD


def own_row(features: pl.DataFrame) -> np.ndarray:
    return 2.0 * features["x"].to_numpy()


def centred(features: pl.DataFrame) -> np.ndarray:
    """As an encoder that scales by the mean of the rows it is given."""
    centre = float(features["x"].mean())  # type: ignore[arg-type]
    centred_rows: np.ndarray = np.array([number - centre for number in features["x"]])
    return centred_rows


def ordered(features: pl.DataFrame) -> np.ndarray:
    return np.array([number + row for row, number in enumerate(features["x"])])


@pytest.mark.parametrize(
    ("predict", "said"),
    [
        (own_row, None),
        (centred, "the prediction of a row moves when the rows beside it are scrambled"),
        (ordered, "the prediction of a row moves with the order of the rows"),
    ],
)
def test_a_prediction_must_not_move_with_the_rows_beside_it(predict: object, said: str | None) -> None:
    verdict = fit.apart(predict, lambda: "state", TABLE, seed=1)  # type: ignore[arg-type]
    assert [finding.message for finding in verdict.findings] == ([said] if said else [])
    assert verdict.outcome is (Outcome.FAILED if said else Outcome.PASSED)


def test_a_state_that_learns_from_what_it_predicts_is_seen() -> None:
    """Rows that are tested were handed over, and the fitted state is another."""
    seen: list[int] = []

    def predict(features: pl.DataFrame) -> np.ndarray:
        seen.append(features.height)
        return own_row(features)

    verdict = fit.apart(predict, lambda: str(len(seen)), TABLE)
    assert [finding.subject for finding in verdict.findings] == ["state"]


def test_a_model_of_the_wrong_length_is_told_of() -> None:
    verdict = fit.apart(lambda features: np.zeros(1), lambda: "state", TABLE)
    assert (verdict.outcome, verdict.findings[0].subject) == (Outcome.UNTOLD, "prediction")
    assert fit.apart(own_row, lambda: "state", TABLE[:0]).outcome is Outcome.UNTOLD


KINDS = Table(pl.DataFrame({"kind": ["a", "b"] * 20}), pl.Series("label", np.arange(40.0)))


@pytest.mark.parametrize(
    ("encode", "moves"),
    [
        (lambda table: table.features, []),
        (lambda table: encoders.encode_training(TargetMean(), table, TargetMean().fit(table)).features, []),
        (lambda table: TargetMean().encode(table.features, TargetMean().fit(table)), ["kind__mean_label"]),
    ],
    ids=["no label", "others' labels", "its own label"],
)
def test_a_training_row_does_not_learn_its_own_label(encode: Callable[[Table], pl.DataFrame], moves: list[str]) -> None:
    """The mean label of a kind, the row's own among them, tells labels in training alone."""
    verdict = fit.own_label("mean", encode, KINDS)
    assert [finding.subject for finding in verdict.findings] == moves
    assert verdict.outcome is (Outcome.FAILED if moves else Outcome.PASSED)


def test_encoders_that_break_are_told_of() -> None:
    def broken(table: Table) -> pl.DataFrame:
        raise KeyError("kind")

    assert fit.own_label("mean", broken, KINDS).outcome is Outcome.UNTOLD
    constant = Table(KINDS.features, pl.Series("label", np.zeros(40)))
    assert fit.own_label("mean", broken, constant).coverage == "all labels are equal"
