"""Lookups of users: what they must answer."""

from typing import Any

import polars as pl
import pytest

from asof import lookups
from asof.errors import DataError
from asof.plugins import Plugins
from asof.specs import FeatureSpec
from asof.testing.lookups import World, exam


def night_share(questions: pl.DataFrame, past: Any, hours: int = 6) -> pl.Series:
    """Share of events before an hour, of those known."""
    from asof.ledgers import Moments

    as_of = Moments.of(questions["as_of"])
    high, low = past.until("crashes", as_of), Moments(as_of.values * 0, as_of.index)
    early = pl.col("_ended").dt.convert_time_zone(past.panel.zone).dt.hour() < hours
    keys = past.keys(questions)
    night = past.ledger("crashes", where=early).count(keys, low, high, as_of)
    every = past.ledger("crashes").count(keys, low, high, as_of)
    return pl.Series(night) / pl.Series(every)


def answer_of(function: Any, **options: Any) -> pl.DataFrame:
    world = World()
    past = world.past()
    lookup = lookups.make(
        FeatureSpec(name="mine", kind="plugin", options=options), past.panel, Plugins({"mine": function})
    )
    assert lookup.check(past) == []
    return lookups.features(world.questions(past), [lookup], past)


def test_a_function_of_questions_and_past_is_a_lookup() -> None:
    share = answer_of(night_share, hours=12)["mine"]
    assert share.dtype == pl.Float64
    assert 0.3 < share.drop_nulls().mean() < 0.7
    world = World(seed=5)
    past = world.past()
    exam(
        lookups.make(FeatureSpec(name="mine", kind="plugin"), past.panel, Plugins({"mine": night_share})),
        world.questions(past),
        past,
    )


def test_integers_booleans_and_nan_become_numbers_and_text_a_category() -> None:
    answer = answer_of(
        lambda questions, past: questions.select(
            "place",
            one=pl.lit(1),
            yes=pl.lit(value=True),
            unknown=pl.lit(float("nan")),
            nothing=pl.lit(None),
            word=pl.lit("w").cast(pl.Categorical),
        )
    )
    assert answer.columns == ["one", "yes", "unknown", "nothing", "word"]
    assert answer.row(0) == (1.0, 1.0, None, None, "w")
    assert answer.dtypes == [pl.Float64] * 4 + [pl.String]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda questions, past: questions["place"][:-1], r"plug-in mine: answered 39 rows to 40 questions; expected"),
        (
            lambda questions, past: questions.reverse().with_columns(x=1),
            "answered in another order: its column 'place'",
        ),
        (
            lambda questions, past: questions.select(x=pl.col("place").str.len_chars() / 0),
            "column 'x' is infinite in row 0; a division by 0",
        ),
        (
            lambda questions, past: questions.select(x="start"),
            r"column 'x' is Datetime.*; expected a Series or DataFrame",
        ),
        (lambda questions, past: [1.0] * questions.height, "answered a list; expected a Series"),
        (
            lambda questions, past: questions["plce"],
            r"test_plugin\.py:\d+: plug-in mine: ColumnNotFoundError|plug-in mine: ColumnNotFoundError",
        ),
        (lambda questions, past: past.table("crash"), "no source 'crash'; did you mean 'crashes'"),
    ],
)
def test_what_is_no_feature_is_refused_by_name(function: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        answer_of(function)


def test_options_that_a_function_does_not_take_are_a_problem() -> None:
    past = World().past()
    spec = FeatureSpec(name="mine", kind="plugin", options={"minutes": 3})
    problems = lookups.make(spec, past.panel, Plugins({"mine": night_share})).check(past)
    assert [str(problem) for problem in problems] == [
        "features.mine: plug-in mine: got an unexpected keyword argument 'minutes'"
    ]
