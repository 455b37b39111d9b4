"""The checks of the audit on small hand-made evidence: each answer, and what it says."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from asof import audit
from asof.audit import Evidence, Learnt, Outcome, Side, Verdict
from asof.data import UTC_TIME, Finding, Severity

NOON = datetime(2021, 5, 1, 12, tzinfo=UTC)
DAYS = [NOON + timedelta(days=day) for day in range(10)]


def _times(values: list[datetime]) -> pl.Series:
    return pl.Series(values, dtype=UTC_TIME)


def _rows() -> dict[str, pl.DataFrame]:
    moments = _times(DAYS)
    frame = pl.DataFrame(
        {"_key": [f"k{n}" for n in range(10)], "_event": moments, "_ended": moments, "_available": moments}
    )
    return {"events": frame.with_columns(size=pl.Series(range(10), dtype=pl.Float64))}


def _questions() -> pl.DataFrame:
    return pl.DataFrame({"place": ["a"] * 10, "start": _times(DAYS), "as_of": _times(DAYS)})


def _known_count(questions: pl.DataFrame, rows: Mapping[str, pl.DataFrame], ahead: timedelta) -> pl.DataFrame:
    known = rows["events"]["_available"]
    counts = [float((known <= moment + ahead).sum()) for moment in questions["as_of"]]
    return pl.DataFrame({"count": counts, "constant": 1.0})


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [
        (timedelta(0), Outcome.PASSED),
        (-timedelta(days=2), Outcome.PASSED),
        (timedelta(days=1), Outcome.FAILED),
        (timedelta(days=30), Outcome.FAILED),
    ],
)
def test_future_sees_a_look_ahead_of_any_length(ahead: timedelta, outcome: Outcome) -> None:
    """Only the feature that moves is named, with the cut at which it moved."""
    evidence = Evidence(
        rows=_rows(),
        features=lambda questions, rows, _: _known_count(questions, rows, ahead),
        predict=lambda features: features["constant"].to_numpy(),
    )
    verdict = audit.future(evidence, _questions()[:9], cuts=9, per_cut=5)
    assert verdict.outcome is outcome
    assert [finding.subject for finding in verdict.findings] == (["count"] if outcome is Outcome.FAILED else [])
    assert verdict.coverage.startswith("2 features, 9 cuts, ")
    if verdict.findings:
        assert "UTC are dropped: it reads what was not yet known" in verdict.findings[0].message


def test_future_sees_a_prediction_that_moves_alone() -> None:
    """A model that looks something up by itself is caught although no feature moves."""
    turns = iter(range(1000))
    evidence = Evidence(
        rows=_rows(),
        features=lambda questions, rows, _: _known_count(questions, rows, timedelta(0)),
        predict=lambda features: np.full(features.height, float(next(turns))),
    )
    assert [f.subject for f in audit.future(evidence, _questions(), cuts=2).findings] == ["prediction"]


def test_future_leaves_out_what_is_declared_to_be_known_ahead() -> None:
    """A forecast may read later rows because the project says so."""
    evidence = Evidence(
        rows=_rows(),
        features=lambda questions, rows, _: _known_count(questions, rows, timedelta(days=1)),
        predict=lambda features: features["count"].to_numpy(),
        ahead=frozenset({"count"}),
    )
    verdict = audit.future(evidence, _questions(), cuts=4)
    assert (verdict.outcome, verdict.coverage.split(",")[0]) == (Outcome.PASSED, "1 features")


def test_future_without_a_moment_of_prediction_does_not_apply() -> None:
    """No time, no question about the future."""
    evidence = Evidence(_rows(), lambda questions, _rows, _cut: questions, lambda features: np.zeros(features.height))
    assert audit.future(evidence, _questions()[:0]).outcome is Outcome.NOT_APPLICABLE


def test_scrambling_keeps_the_past_and_changes_the_rest() -> None:
    """Rows up to the cut stay as they are; behind it values part from their times, and half as many are added."""
    rows = _rows()
    cut = DAYS[3]
    mixed = audit.scrambled(rows, cut, np.random.default_rng(1))["events"]
    before = mixed.filter(pl.col("_available") <= cut)
    assert before.equals(rows["events"][:4])
    after = mixed.filter(pl.col("_available") > cut)
    assert after.height == 9
    assert set(after["size"]) == set(range(4, 10))
    assert audit.known(rows, cut)["events"].equals(rows["events"][:4])


def _labelled() -> pl.DataFrame:
    return _questions().with_columns(label=pl.Series(range(10), dtype=pl.Float64), known_at=pl.col("start"))


def _learn(questions: pl.DataFrame, table: pl.DataFrame, *, peek: bool) -> Learnt:
    train = questions["known_at"] <= DAYS[4]
    mean = questions["label"].filter(train).mean() if not peek else questions["label"].tail(3).mean()
    spread = table["x"].filter(train).sum() if not peek else table["x"].sum()
    return Learnt("mean", f"{mean}:{spread}", np.array([mean]))


@pytest.mark.parametrize(("peek", "outcome"), [(False, Outcome.PASSED), (True, Outcome.FAILED)])
def test_fit_must_not_move_when_later_questions_are_scrambled(*, peek: bool, outcome: Outcome) -> None:
    """What is fitted on questions after the cut moves with them, and is named."""
    table = pl.DataFrame({"x": np.arange(10.0)})
    first = _learn(_labelled(), table, peek=peek)
    verdict = audit.fit(
        lambda questions, features: _learn(questions, features, peek=peek), first, _labelled(), table, DAYS[4], seed=3
    )
    assert verdict.outcome is outcome
    assert verdict.coverage == "5 questions after 2021-05-05 scrambled, 1 features"


def test_fit_cannot_tell_without_later_questions() -> None:
    """Nothing to scramble, nothing shown."""
    table = pl.DataFrame({"x": np.arange(10.0)})
    first = Learnt("mean", "", np.zeros(1))
    verdict = audit.fit(lambda _q, _t: first, first, _labelled(), table, DAYS[9])
    assert verdict.outcome is Outcome.UNTOLD


def test_fit_names_a_choice_that_moves() -> None:
    """Choosing by what came later is a leak even where every model is fitted rightly."""
    table = pl.DataFrame({"x": np.arange(10.0)})
    first = Learnt("a", "f", np.zeros(1))
    verdict = audit.fit(lambda _q, _t: Learnt("b", "f", np.zeros(1)), first, _labelled(), table, DAYS[4])
    assert [finding.subject for finding in verdict.findings] == ["choice"]
    assert "moves from a to b" in verdict.findings[0].message


def test_split_finds_each_kind_of_overlap() -> None:
    """Labels known late, questions asked early, units on both sides and questions asked twice, each with its count."""
    questions = _labelled()
    clean = Side("fold 1", DAYS[4], questions[:5], questions[5:])
    assert audit.split([clean], ("place", "start")).outcome is Outcome.PASSED
    late = Side("fold 2", DAYS[3], questions[:5], questions[5:])
    early = Side("fold 3", DAYS[6], questions[:5], questions[5:])
    both = Side(
        "fold 4", DAYS[4], questions[:5], pl.concat([questions[4:5].with_columns(as_of=pl.lit(DAYS[5])), questions[5:]])
    )
    twice = Side("fold 5", DAYS[4], pl.concat([questions[:5], questions[:2]]), questions[5:])
    verdict = audit.split([late, early, both, twice], ("place", "start"))
    assert verdict.outcome is Outcome.FAILED
    assert [(finding.subject, finding.rows) for finding in verdict.findings] == [
        ("fold 2", 1),
        ("fold 3", 1),
        ("fold 4", 1),
        ("fold 5", 2),
    ]
    assert audit.split([], ("place",)).outcome is Outcome.UNTOLD


def test_rerun_compares_to_the_bit() -> None:
    """Another choice, another fingerprint and a prediction off by one bit are each found."""
    first = Learnt("a", "f" * 64, np.array([1.0, 2.0]))
    again = Learnt("a", "f" * 64, np.array([1.0, 2.0]))
    assert audit.rerun(first, lambda: again, "all").outcome is Outcome.PASSED
    bit = Learnt("a", "f" * 64, np.array([1.0, np.nextafter(2.0, 3.0)]))
    assert [f.subject for f in audit.rerun(first, lambda: bit, "all").findings] == ["prediction"]
    other = Learnt("a", "e" * 64, np.array([1.0, 2.0]))
    assert "eeeeeeeeeeee, not ffffffffffff" in audit.rerun(first, lambda: other, "all").findings[0].message
    choice = Learnt("b", "f" * 64, np.array([1.0, 2.0]))
    assert audit.rerun(first, lambda: choice, "all").findings[0].message == "replaying the plan chose b, not a"


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
