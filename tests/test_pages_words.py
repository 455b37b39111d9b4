"""What a report says: sentences, leaderboard, decisions and reasons, with values."""

from dataclasses import replace

import polars as pl
import pytest

from asof import pages
from asof.pages import boards, decisions, drawing, maps, reasons, sentences, words
from tests.reportfacts import classes, facts, full


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": "count"}, "On average a prediction misses by 0.81 rides; the simple rule misses by 0.85."),
        ({"task": "number"}, "On average the predicted rides is off by 0.81; the simple rule misses by 0.85."),
        ({"coverage": (0.9, 0.884)}, "Of 100 prediction intervals, 88 held the truth; 90 were promised."),
        (
            {"coverage": (0.9, 0.81)},
            "Of 100 prediction intervals, 81 held the truth; 90 were promised: they are too narrow here.",
        ),
        (
            {"explained": pages.Figure(0.878)},
            "Of what can be foreseen at all, it foresees about 88 %; the rest of the ups and downs is chance.",
        ),
        (
            {"new_places": pages.Figure(-0.02)},
            "In places it has not learnt from, it is 2.0 % worse than the simple rule.",
        ),
        (
            {"new_places": pages.Figure(-5.34)},
            "In places it has not learnt from, its error is 6.3 times that of the simple rule: do not use it there.",
        ),
        (
            {"optimism": pages.Figure(0.05, 0.01, 0.09)},
            "The earlier folds promised 5.0 % more than was kept: something has changed, or the choice was lucky.",
        ),
    ],
)
def test_figures_are_told_in_everyday_terms(changes: dict[str, object], said: str) -> None:
    scores = pl.DataFrame({"metric": ["mae"], "value": [0.81], "low": [0.7], "high": [0.9], "baseline": [0.85]})
    assert said in sentences.everyday(facts(scores=scores, **changes))


def test_what_is_not_known_is_not_told() -> None:
    assert sentences.everyday(facts(optimism=pages.Figure(0.05, -0.01, 0.09))) == []
    assert sentences.standing(facts()) == ""


def test_classes_are_told_by_how_many_are_right() -> None:
    assert sentences.everyday(classes("people"))[0] == (
        "Of 100 people, 80 are put into the right class; people gets 61 right."
    )
    assert sentences.judged_on(classes()).startswith("Judged on 23,933 predictions, each by a model that was chosen")
    twice = sentences.judged_on(replace(classes(), repeats=2))
    assert twice.startswith("Judged on 23,933 rows, predicted twice in folds drawn anew, each by a model")
    assert "set aside before anything was learnt" in sentences.judged_on(facts(since=None, until=None))
    assert words.rule("mean", "class") == "the most frequent class"


def test_places_are_counted_by_what_is_sure() -> None:
    places = pl.DataFrame(
        {
            "place": list("abcd"),
            "name": list("abcd"),
            "observed": [1.0] * 4,
            "predicted": [1.0] * 4,
            "skill": [0.1, 0.2, -0.3, 0.4],
            "skill_low": [0.05, -0.1, -0.5, None],
            "skill_high": [0.15, 0.5, -0.1, None],
        }
    )
    said = sentences.standing(facts(places=places))
    assert said.startswith("Of 4 places it is better than the simple rule in 1 and worse in 1 ")
    assert "in the other 2 too little happened" in said


def test_what_is_uncertain_is_drawn_pale() -> None:
    frame = pl.DataFrame({"place": ["1", "2"], "name": ["one", "two"], "off": [1.0, -2.0], "sure": [True, None]})
    drawn = maps.differences(frame, "off", "rides", sure="sure").svg
    assert 'class="d4"' in drawn
    assert 'class="d0 pale"' in drawn
    assert "two: −2.00 rides (too little to tell)" in drawn


def test_the_second_best_is_told_apart_or_not() -> None:
    # Differences 0.1, 0.2, 0.3: mean 0.2, standard error 0.0577, t(2) = 4.303.
    assert boards.behind([1.1, 1.2, 1.3], [1.0, 1.0, 1.0]) == "+0.20 (−0.048 to +0.45): not told apart"
    assert boards.behind([1.2, 1.21, 1.19], [1.0, 1.0, 1.0]) == "+0.20 (+0.18 to +0.22)"
    assert boards.behind([1.2], [1.0]) == ""
    assert boards.behind([1.2, 1.3], [1.0]) == ""


@pytest.mark.parametrize(
    ("pays", "said"),
    [
        (True, "scores 1.450, the best single one 1.500: it gains 0.05. A fold takes 3.00 s in place of 1.20 s."),
        (False, "it would gain 0.05, and at least 0.10 is asked, so it was not chosen."),
    ],
)
def test_a_blend_says_what_it_gains_and_what_it_takes(*, pays: bool, said: str) -> None:
    offer = {
        "members": 3,
        "single": 1.5,
        "blend": 1.45,
        "gain": 0.05,
        "limit": 0.1,
        "pays": pays,
        "single_seconds": (1.0, 0.2),
        "blend_seconds": (2.5, 0.5),
    }
    told = boards.gain(offer)
    assert told.startswith("A blend of 3 recipes scores 1.450")
    assert said in told
    assert boards.gain(None) == ""
    assert boards.gain({**offer, "members": 1, "pays": False}).endswith("makes the best single recipe better.")
    worse = {**offer, "gain": -0.1, "blend": 1.6, "pays": False}
    assert boards.gain(worse) == (
        "A blend was tried and not chosen: it scores 1.600, no better than the best single recipe."
    )


def test_many_classes_are_told_by_their_mix_ups() -> None:
    names = [f"c{index:02d}" for index in range(12)]
    square = pl.DataFrame({"truth": names, "decided": names, "rows": [10] * 12})
    mixed = pl.DataFrame({"truth": ["c01", "c02"], "decided": ["c05", "c05"], "rows": [30, 2]})
    told = replace(classes(), classes=tuple(names), confusion=pl.concat([square, mixed]))
    made = decisions.decisions(told)
    assert made is not None
    assert made["square"] == []
    assert [(row["truth"], row["decided"], row["rows"], row["share"]) for row in made["mixed"]] == [
        ("c01", "c05", 30, "75 %"),
        ("c02", "c05", 2, "17 %"),
    ]
    assert "Commonest mix-ups" in pages.report(told)


def test_a_square_of_classes_has_shares_of_what_came() -> None:
    made = decisions.decisions(classes())
    assert made is not None
    rows = [[(cell["share"], cell["rows"], cell["kind"]) for cell in line["cells"]] for line in made["square"]]
    assert rows == [[("75 %", "30", "hit3"), ("25 %", "10", "mix2")], [("0 %", "0", "mix0"), ("100 %", "60", "hit4")]]
    assert [(row["threshold"], row["precision"], row["chosen"]) for row in made["thresholds"]] == [
        ("40 %", "86 %", True),
        ("90 %", "–", False),
    ]
    assert made["auc"] == "0.850"


def test_reasons_are_told_with_their_sign_and_unit() -> None:
    (example,) = reasons.examples(full())
    assert [(line["feature"], line["said"]) for line in example["lines"]] == [("word", "+0.75"), ("other", "−0.25")]
    none = pl.DataFrame({"example": [0, 0], "feature": ["a", "b"], "value": ["1", "2"], "reason": [0.5, 0.0]})
    (nothing,) = reasons.examples(replace(full(), reasons=none))
    assert [line["feature"] for line in nothing["lines"]] == ["a"], "what moves nothing says nothing"
    (chance,) = reasons.examples(classes())
    assert [line["said"] for line in chance["lines"]] == ["+75.0 pp", "−25.0 pp"]
    assert [(row["feature"], row["share"]) for row in reasons.importance(full())] == [
        ("word", "75 %"),
        ("other", "25 %"),
    ]


@pytest.mark.parametrize(
    ("value", "told"), [(2_279_572.0, "2.28M"), (-430_000.0, "−430k"), (99_999.0, "99,999"), (4.5e9, "4.5bn")]
)
def test_a_legend_is_short(value: float, told: str) -> None:
    assert words.compact(value) == told


def test_long_numbers_on_an_axis_are_cut_short() -> None:
    assert drawing.tick_labels([0, 500_000, 1_000_000]) == ["0", "0.5M", "1.0M"]
    assert drawing.tick_labels([100_000, 200_000]) == ["100k", "200k"]
