"""Future: what came later, and whatever else is no part of a question, moves no answer."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from asof import plugins
from asof.audit import Outcome, Rows, Verdict, future
from asof.audit.future import Ask, Evidence, Extent
from asof.data import Severity
from tests.audit.evidence import DAYS, NOON, questions, rows, times

Answer = Callable[[pl.DataFrame, pl.DataFrame], pl.Series]
"""(questions, rows of ``events``) -> one feature."""


def evidence(answer: Answer, ahead: frozenset[str] = frozenset()) -> Evidence:
    def open_rows(rows: Rows, cut: datetime | None) -> Ask:
        return lambda asked: pl.DataFrame({"count": answer(asked, rows["events"]), "constant": [1.0] * asked.height})

    return Evidence(rows(), open_rows, lambda features: features["constant"].to_numpy(), ahead)


def known(ahead: timedelta) -> Answer:
    """Count the events known at the moment of prediction, or ``ahead`` of it."""
    return lambda asked, events: pl.Series(
        [float((events["_available"] <= moment + ahead).sum()) for moment in asked["as_of"]], dtype=pl.Float64
    )


def named(verdict: Verdict) -> list[str]:
    return [finding.subject for finding in verdict.findings]


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [
        (timedelta(0), Outcome.PASSED),
        (-timedelta(days=2), Outcome.PASSED),
        (timedelta(days=1), Outcome.FAILED),
        (timedelta(days=30), Outcome.FAILED),
    ],
)
def test_a_look_ahead_of_any_length_is_seen(ahead: timedelta, outcome: Outcome) -> None:
    """Only the feature that moves is named, with the cut at which it moved."""
    verdict = future.check(evidence(known(ahead)), questions()[:9], extent=Extent(cuts=9, per_cut=5))
    assert verdict.outcome is outcome
    assert named(verdict) == (["count"] if outcome is Outcome.FAILED else [])
    assert verdict.coverage.startswith("2 features, 9 cuts, 9 questions, rows dropped and scrambled")
    if verdict.findings:
        assert "UTC are dropped: it reads what was not yet known" in verdict.findings[0].message


def test_the_last_questions_before_a_cut_are_always_tried() -> None:
    """Where few are asked at one moment, a short look ahead of those just before still reaches beyond the cut."""
    asked = pl.DataFrame({"as_of": times([NOON + timedelta(days=day) for day in range(300)])})
    for seed in range(5):
        ((cut, rows),) = future._asked(asked, Extent(cuts=1, per_cut=4), np.random.default_rng(seed))
        at = asked["as_of"].to_list().index(cut)
        assert {at - 2, at - 1, at} <= set(rows.tolist())
        assert 4 <= len(rows) <= 5
        assert max(rows) == at


def test_a_value_that_only_a_later_row_corrects_is_seen() -> None:
    """Dropping later rows leaves the number of rows as it was; putting them at random does not."""
    answer: Answer = lambda asked, events: pl.Series(  # noqa: E731 - a feature in one line
        [float(events["size"].sum()) if len(events) >= 10 else 45.0] * asked.height
    )
    verdict = future.check(evidence(answer), questions(), extent=Extent(cuts=5))
    assert named(verdict) == ["count"]
    assert "are scrambled" in verdict.findings[0].message


def test_a_prediction_that_moves_alone_is_seen() -> None:
    """A model that looks something up by itself is caught although no feature moves."""
    turns = iter(range(1000))
    clean = evidence(known(timedelta(0)))
    peeking = Evidence(clean.rows, clean.open, lambda features: np.full(features.height, float(next(turns))))
    assert named(future.check(peeking, questions(), extent=Extent(cuts=2))) == ["prediction"]


def test_what_is_declared_to_be_known_ahead_is_left_out() -> None:
    """A forecast may read later rows because the project says so."""
    told = evidence(known(timedelta(days=1)), ahead=frozenset({"count"}))
    verdict = future.check(told, questions(), extent=Extent(cuts=4))
    assert (verdict.outcome, verdict.coverage.split(",")[0]) == (Outcome.PASSED, "1 features")
    assert [(one.subject, one.severity) for one in verdict.findings] == [("count", Severity.WARNING)]
    assert "its rows became available only later" in verdict.findings[0].message
    ready = evidence(known(timedelta(0)), ahead=frozenset({"count"}))
    assert future.check(ready, questions(), extent=Extent(cuts=4)).findings == ()


def test_what_is_measured_when_its_period_is_over_is_no_forecast() -> None:
    """The event of noon is there at noon: asked about the day until noon it is no forecast, about a later end it is."""
    told = evidence(known(timedelta(days=1)), ahead=frozenset({"count"}))
    over = questions()[:9].with_columns(end=pl.col("start") + timedelta(days=1))
    verdict = future.check(told, over, extent=Extent(cuts=4))
    assert [(one.subject, one.severity) for one in verdict.findings] == [("count", Severity.ERROR)]
    assert "that is no forecast" in verdict.findings[0].message
    still = questions()[:9].with_columns(end=pl.col("start") + timedelta(days=2))
    verdict = future.check(told, still, extent=Extent(cuts=4))
    assert [(one.subject, one.severity) for one in verdict.findings] == [("count", Severity.WARNING)]


def counted_calls() -> Answer:
    """A feature that counts how often it was asked: state that a question does not know of."""
    calls = iter(range(10_000))
    return lambda asked, events: pl.Series([float(next(calls))] * asked.height)


def rank_in_batch(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    return asked["as_of"].rank().cast(pl.Float64)


def previous_row(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    return asked["as_of"].dt.day().cast(pl.Float64).shift(1)


def position(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    return pl.Series(range(asked.height), dtype=pl.Float64)


def reversed_rows(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    """Reorder the answers: those of a batch are not those of its rows."""
    return asked["as_of"].dt.day().cast(pl.Float64).reverse()


def by_chance(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    return pl.Series([random.random() for _ in range(asked.height)])


BY_THE_CLOCK = """
import time
from datetime import date, datetime

import asof
import polars as pl


@asof.lookup
def year(questions, past):
    return pl.Series([float(datetime.now().year)] * questions.height)


@asof.lookup
def month(questions, past):
    return pl.Series([float(time.localtime().tm_mon + 100 * date.today().month)] * questions.height)


@asof.lookup
def late(questions, past):
    import datetime as clocks

    return pl.Series([float(clocks.datetime(2020, 1, 1) < clocks.datetime.now())] * questions.height)
"""


@pytest.mark.parametrize(("name", "moves"), [("year", True), ("month", True), ("late", False)])
def test_code_that_reads_the_clock_is_told_apart_from_code_that_answers_by_it(
    name: str, *, moves: bool, tmp_path: Path
) -> None:
    """The hour is another where a plug-in is loaded anew; who only looks at the clock gives the same answer."""
    file = tmp_path / "features.py"
    file.write_text(BY_THE_CLOCK)

    def open_rows(rows: Rows, cut: datetime | None) -> Ask:
        function = plugins.load([file], installed=False).lookups[name]
        return lambda asked: pl.DataFrame({name: function(asked, None), "constant": [1.0] * asked.height})

    told = Evidence(rows(), open_rows, lambda features: features["constant"].to_numpy())
    verdict = future.check(told, questions(), extent=Extent(cuts=2))
    assert [finding.message for finding in verdict.findings] == (
        [f"{name} depends on the time of day at which it is computed"] if moves else []
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (counted_calls(), "computed twice"),
        (by_chance, "computed twice"),
        (rank_in_batch, "asked before it or with it"),
        (previous_row, "order in which questions are asked"),
        (position, "order in which questions are asked"),
        (reversed_rows, "order in which questions are asked"),
    ],
)
def test_an_answer_that_is_moved_by_its_company_says_by_what(answer: Answer, why: str) -> None:
    verdict = future.check(evidence(answer), questions(), extent=Extent(cuts=3))
    assert verdict.outcome is Outcome.FAILED
    assert named(verdict)[0] == "count"
    assert why in verdict.findings[0].message


def test_one_that_differs_only_when_it_is_asked_alone_is_seen() -> None:
    """A mean over the questions is the same in every order, and another for one alone."""
    answer: Answer = lambda asked, events: pl.Series([1.0 if asked.height > 1 else 0.0] * asked.height)  # noqa: E731
    verdict = future.check(evidence(answer), questions(), extent=Extent(cuts=3))
    assert [finding.message for finding in verdict.findings] == [
        "count differs when a question is asked alone and not among others"
    ]


def test_features_that_the_run_was_given_otherwise_are_seen() -> None:
    """What was learnt from must be what is answered now, but for rounding, whatever else was asked at the time."""
    clean = evidence(known(timedelta(0)))
    served = pl.DataFrame({"count": [float(day) for day in range(1, 11)], "constant": [1.0] * 10})
    assert future.check(clean, questions(), served, Extent(cuts=3)).outcome is Outcome.PASSED
    rounded = served.with_columns(pl.col("count") * (1 + 1e-15))
    assert future.check(clean, questions(), rounded, Extent(cuts=3)).outcome is Outcome.PASSED
    other = served.with_columns(pl.col("count") * (1 + 1e-9))
    verdict = future.check(clean, questions(), other, Extent(cuts=3))
    assert "was given to the model otherwise" in verdict.findings[0].message
    assert future.check(clean, questions(), other[:0], Extent(cuts=3)).outcome is Outcome.PASSED


def test_the_order_in_which_rows_are_loaded_does_not_matter_where_they_are_sorted() -> None:
    """The last of the rows as they stand is the last by time, in whatever order they came."""
    answer: Answer = lambda asked, events: pl.Series(  # noqa: E731
        [events.filter(pl.col("_available") <= moment)["size"].last() for moment in asked["as_of"]], dtype=pl.Float64
    )
    assert future.check(evidence(answer), questions(), extent=Extent(cuts=3)).outcome is Outcome.PASSED


def raises_without_later_rows(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    if events.height < 10:
        raise RuntimeError("ten rows\nare needed")
    return pl.Series([1.0] * asked.height)


def wrong_length(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    return pl.Series([1.0] * (asked.height + (asked.height == 1)))


def raises_always(asked: pl.DataFrame, events: pl.DataFrame) -> pl.Series:
    return asked["label"]


@pytest.mark.parametrize(
    ("answer", "subject", "said"),
    [
        (raises_without_later_rows, "features", "as it had to be then: RuntimeError: ten rows"),
        (wrong_length, "features", "for one question alone: "),
        (raises_always, "features", "cannot be asked for again, as it will be when it is used: ColumnNotFoundError"),
    ],
)
def test_code_that_breaks_is_told_of_and_breaks_nothing(answer: Answer, subject: str, said: str) -> None:
    verdict = future.check(evidence(answer), questions(), extent=Extent(cuts=3))
    assert verdict.outcome is Outcome.FAILED
    assert named(verdict) == [subject]
    assert said in verdict.findings[0].message
    assert "\n" not in verdict.findings[0].message


def test_a_model_that_breaks_is_told_of() -> None:
    clean = evidence(known(timedelta(0)))

    def broken(features: pl.DataFrame) -> np.ndarray:
        raise ZeroDivisionError

    verdict = future.check(Evidence(clean.rows, clean.open, broken), questions(), extent=Extent(cuts=2))
    assert [finding.message for finding in verdict.findings] == ["prediction cannot be made again: ZeroDivisionError"]


def timeless() -> pl.DataFrame:
    return questions().with_columns(as_of=pl.lit(None, dtype=questions()["as_of"].dtype), unit=pl.lit("u"))


def test_without_a_moment_of_prediction_it_does_not_apply() -> None:
    """No time, no question about the future; an answer must still not depend on its company."""
    constant: Answer = lambda asked, events: pl.Series([1.0] * asked.height)  # noqa: E731
    verdict = future.check(evidence(constant), timeless())
    assert verdict.outcome is Outcome.NOT_APPLICABLE
    assert verdict.coverage.startswith("no question has a moment of prediction; 2 features, 10 questions asked again")
    assert future.check(evidence(position), timeless()).outcome is Outcome.FAILED
    assert future.check(evidence(constant), questions()[:0]).outcome is Outcome.NOT_APPLICABLE


def test_without_a_time_no_row_may_read_the_table_that_holds_the_labels() -> None:
    """What is read from it then is read from the row itself, or from rows that are tested."""
    mean: Answer = lambda asked, events: pl.Series([events["size"].head(5).mean()] * asked.height)  # noqa: E731
    told = evidence(mean)
    verdict = future.check(Evidence(told.rows, told.open, told.predict, labelled="events"), timeless())
    assert [finding.message for finding in verdict.findings] == [
        "count moves when the rows of events are put at random: without a time, no row may read another"
    ]


def test_scrambling_keeps_the_past_and_changes_the_rest() -> None:
    """Rows up to the cut stay as they are; behind it values part from their times, and half as many are added."""
    cut = DAYS[3]
    mixed = future.scrambled(rows(), cut, np.random.default_rng(1))["events"]
    before = mixed.filter(pl.col("_available") <= cut)
    assert before.equals(rows()["events"][:4])
    after = mixed.filter(pl.col("_available") > cut)
    assert after.height == 9
    assert set(after["size"]) == set(range(4, 10))
    assert future.known(rows(), cut)["events"].equals(rows()["events"][:4])


def test_a_source_without_a_time_was_always_known() -> None:
    frame = rows()["events"].with_columns(_available=pl.lit(None, dtype=questions()["as_of"].dtype))
    assert future.known({"zones": frame}, DAYS[0])["zones"].height == 10
    assert future.scrambled({"zones": frame}, DAYS[0], np.random.default_rng(1))["zones"].equals(frame)
