"""What the rows around would give if they were like the one asked about: ``around: {like: …}``."""

import math

import numpy as np
import polars as pl
import pytest
from tests.lookups import test_around as around

from asof.lookups.comparables import PENALTY, Traits, expected
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


def test_what_cannot_be_compared_is_a_problem_at_its_setting() -> None:
    past = around.world(1)
    (fault,) = around.make(past, of=["price"], like=["knd"]).check(past)
    assert (fault.where, "did you mean 'kind'?" in fault.message) == ("features.around.like", True)
    (fault,) = around.make(past, of=["price"], like=["price"]).check(past)
    assert "what is looked for" in fault.message
    places = around.world(1, by_rows=False)
    (fault,) = around.make(places, of=["price"], like=["kind"]).check(places)
    assert fault.where == "features.around.like"
