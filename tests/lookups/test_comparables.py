"""What the rows around would give if they were like the one asked about: ``around: {like: …}``."""

import math

import numpy as np
import polars as pl
import pytest
from tests.lookups import test_around as around

from asof.ledgers.moments import Floats, Ints
from asof.lookups.comparables import PENALTY, Traits, expected
from asof.lookups.corrections import PRIOR, Errors, Recent
from asof.testing.lookups import exam


def traits(rows: dict[str, object], asked: dict[str, object]) -> Traits:
    return Traits.of(*(pl.DataFrame(side, strict=False) for side in (rows, asked)))


def test_a_price_follows_the_size_of_the_house_asked_about() -> None:
    size = np.exp(np.linspace(0, 1, 41)) - 1
    price = np.expm1(3 + 2 * np.log1p(size))
    alike = traits({"size": size.tolist()}, {"size": [math.expm1(0.25), math.expm1(0.75), None]})
    near = np.tile(np.arange(41), (3, 1))
    told = np.log1p(expected(price, alike, near, np.ones(near.shape)))
    # by hand: slopes of columns of one size shrink by 1 / (1 + PENALTY / 41); unknown is the middle
    held = 1 / (1 + PENALTY / 41)
    assert told == pytest.approx([3 + 2 * (0.5 - 0.25 * held), 3 + 2 * (0.5 + 0.25 * held), 4.0])


def test_what_is_further_than_all_neighbours_is_held_and_a_far_neighbour_weighs_little() -> None:
    alike = traits({"size": [1.0, 2.0, 3.0, 2.0]}, {"size": [2.0, 1e9]})
    price = np.array([100.0, 200.0, 300.0, 1e6])
    near, weights = np.array([[0, 1, 2, 3]] * 2), np.array([[1.0, 1.0, 1.0, 0.0]] * 2)
    told = expected(price, alike, near, weights)
    assert 100 < told[0] < 300
    assert told[0] < told[1] < 1000  # three standard deviations, not a billion square feet
    assert np.isnan(expected(price, alike, near, np.zeros(near.shape))).all()
    some = expected(np.array([100.0, np.nan, 300.0, np.nan]), alike, near, weights)
    assert np.isfinite(some).all()


def test_texts_tell_by_the_number_they_begin_with_and_as_the_same_or_another() -> None:
    grades = ["6 Low", "7 Average", "8 Good", None] * 10
    price = np.array([math.expm1(5 + 0.2 * (0 if grade is None else int(grade[0]))) for grade in grades])
    alike = traits({"grade": grades}, {"grade": ["6 Low", "8 Good", "9 Better"]})
    near = np.tile(np.arange(40), (3, 1))
    low, high, never = np.log1p(expected(price, alike, near, np.ones(near.shape)))
    assert low < high <= never + 0.2
    views = ["sea", "none"] * 20
    price = np.array([1000.0 if view == "sea" else 100.0 for view in views])
    sea, none = expected(price, traits({"view": views}, {"view": ["sea", "none"]}), near[:2], np.ones((2, 40)))
    assert sea > 600
    assert none < 170


def test_it_passes_the_exam_of_lookups_and_a_question_alone_gets_the_same_bits() -> None:
    past = around.world(3, 300)
    lookup = around.make(past, nearest=5, of=["price"], like=["kind", "lat"], compared=20)
    questions = around.asked(past)
    exam(lookup, questions, past)
    told = lookup.read(questions, past)
    assert told.columns[-1] == "around_price_expected"
    assert told["around_price_expected"].null_count() < questions.height
    plain = around.make(past, nearest=5, of=["price"]).read(questions, past)
    assert told.drop("around_price_expected").equals(plain)


@pytest.mark.parametrize(("delay", "days"), [(0, 5), (2, 20)])
def test_what_is_expected_is_moved_by_what_it_missed_of_late(delay: int, days: int) -> None:
    """By the definition: each earlier row is told as of its own question, then its error counts once it is known."""
    past = around.world(11, 90, delay=delay)
    questions = around.asked(past)
    options: dict[str, object] = {"nearest": 5, "of": ["price"], "like": ["kind", "lat"], "compared": 20}
    plain = around.make(past, **options).read(questions, past)["around_price_expected"]
    moved = around.make(past, **options, corrected=f"{days}d").read(questions, past)["around_price_expected"]
    sales = past.table("sales").rows.with_columns(expected=plain)  # questions come in the order of the rows
    differ = 0
    for at, question in enumerate(questions.iter_rows(named=True)):
        high = question["as_of"] - delay * around.DAY
        errors = [
            math.log1p(row["price"]) - math.log1p(row["expected"])
            for row in sales.iter_rows(named=True)
            if row["_key"] != question["unit"] and row["_available"] <= question["as_of"]
            if high - days * around.DAY < row["_ended"] <= high
            if row["price"] is not None and row["expected"] is not None
        ]
        told = plain[at]
        if told is None:
            assert moved[at] is None
            continue
        wanted = math.log1p(told) + sum(errors) / (len(errors) + PRIOR)
        assert math.log1p(moved[at]) == pytest.approx(wanted, abs=1e-8)
        differ += bool(errors)
    assert differ > 30


def test_what_is_moved_passes_the_exam_of_lookups_whichever_are_asked_first() -> None:
    past = around.world(3, 300, delay=1)
    options: dict[str, object] = {"nearest": 5, "of": ["price"], "like": ["kind", "lat"], "corrected": "7d"}
    lookup = around.make(past, **options)
    questions = around.asked(past)
    told = lookup.read(questions, past)
    exam(lookup, questions, past)
    fresh = around.make(past, **options)
    for at in (250, 40, 120):
        assert fresh.read(questions[at : at + 1], past).equals(told[at : at + 1])
    assert getattr(lookup, "against") == ("around_price_expected",)  # noqa: B009 - not every lookup has it
    (fault,) = around.make(past, of=["price"], corrected="7d").check(past)
    assert (fault.where, "without like:" in fault.message) == ("features.around.corrected", True)


def test_sums_of_errors_are_exact_and_leave_out_the_row_itself() -> None:
    ended = np.arange(6)
    errors = Errors(ended, np.array([0, 1, 9, 3, 4, 5]))
    missed = np.array([0.1, 0.2, 5.0, np.nan, 0.4, 0.8])
    asked: list[list[int]] = []

    def found(at: Ints) -> Floats:
        asked.append(at.tolist())
        return np.asarray(missed[at])

    several = {"as_of": [5, 5, 5], "low": [-1, -1, 3], "high": [4, 4, 4], "itself": [-1, 1, 0]}
    recent = Recent(**{name: np.array(values) for name, values in several.items()})
    told = errors.mean(recent, found)
    assert told == pytest.approx([0.7 / (3 + PRIOR), 0.5 / (2 + PRIOR), 0.4 / (1 + PRIOR)], abs=1e-9)
    assert errors.mean(recent, found).tolist() == told.tolist()
    assert asked == [[0, 1, 3, 4]]


def test_what_cannot_be_compared_is_a_problem_at_its_setting() -> None:
    past = around.world(1)
    (fault,) = around.make(past, of=["price"], like=["knd"]).check(past)
    assert (fault.where, "did you mean 'kind'?" in fault.message) == ("features.around.like", True)
    (fault,) = around.make(past, of=["price"], like=["price"]).check(past)
    assert "what is looked for" in fault.message
    places = around.world(1, by_rows=False)
    (fault,) = around.make(places, of=["price"], like=["kind"]).check(places)
    assert fault.where == "features.around.like"
