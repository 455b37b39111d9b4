"""Monitoring: the rate of false alarms is what was asked for, and what drifts is found."""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from asof import monitoring
from asof.monitoring import Look, Stretches, Test


def looked(values: np.ndarray, rate: float = 0.01) -> monitoring.Judged:
    """Judge 1 + k figures of m tests of equal weight, a step apart, that do not overlap."""
    tests = [Test(f"t {k}", 1.0, values[:, k], 0.0, both=True) for k in range(values.shape[1])]
    return monitoring.judge(tests, range(values.shape[0]), 1, rate)


def test_looks_leave_the_gap_between_what_is_served_and_what_was_learnt() -> None:
    assert monitoring.looks(10, 2, 3) == (
        Look(0, (2, 3, 4)),
        *(Look(at, (at + 2, at + 3, at + 4)) for at in range(2, 6)),
    )
    assert monitoring.looks(4, 2, 3) == ()


@pytest.mark.parametrize("shape", ["normal", "heavy"])
def test_false_alarms_are_as_many_as_asked(shape: str) -> None:
    """Of 600 looks at eight figures of nothing at most one in twenty alarms at 5 %, whatever the tails, but some do."""
    draw = np.random.default_rng(5)
    size = (600, 41, 8)
    figures = draw.normal(size=size) if shape == "normal" else draw.standard_t(4, size=size)
    got = np.mean([bool(looked(each, 0.05).alarms) for each in figures])
    assert 0 < got < 0.06


def test_what_moves_far_alarms_and_says_which() -> None:
    figures = np.random.default_rng(1).normal(size=(41, 8))
    figures[0, 3] = 9.0
    judged = looked(figures)
    assert [one.name for one in judged.alarms] == ["t 3"]
    assert judged.tests[0].limit < 9.0


def test_a_test_of_little_weight_hardly_alarms() -> None:
    figures = np.random.default_rng(2).normal(size=41)
    figures[0] = 6.0
    other = np.random.default_rng(3).normal(size=41)
    other[0] = 0.0

    def alarms(weight: float) -> int:
        tests = [Test("a", weight, figures, 0.0), Test("b", 1.0, other, 0.0)]
        return len(monitoring.judge(tests, range(41), 1, 0.01).alarms)

    assert (alarms(1.0), alarms(1e-6), alarms(0.0)) == (1, 0, 0)


def test_too_few_looks_say_nothing() -> None:
    judged = looked(np.array([[9.0], [0.0], [0.1], [0.2]]))
    assert judged.alarms == ()
    assert judged.needed == np.inf


def frame(change: str) -> tuple[pl.DataFrame, Stretches]:
    """60 stretches of 200 values; that which is served is changed."""
    draw = np.random.default_rng(4)
    values = draw.gamma(3.0, 2.0, size=(60, 200))
    gone = draw.random((60, 200)) < 0.05
    if change == "unit":
        values[0] *= 1.609
    elif change == "stuck":
        values[0] = np.median(values)
    elif change == "missing":
        gone[0] = draw.random(200) < 0.3
    column = pl.Series("x", np.where(gone, np.nan, values).ravel()).fill_nan(None)
    return column.to_frame(), Stretches(np.repeat(np.arange(60), 200), 60)


@pytest.mark.parametrize(
    ("change", "found"),
    [("none", []), ("unit", ["level x", "input x"]), ("stuck", ["input x", "stuck x"]), ("missing", ["missing x"])],
)
def test_a_column_that_changed_is_found(change: str, found: list[str]) -> None:
    features, stretches = frame(change)
    looks = monitoring.looks(60, 1)
    earlier = features.select(pl.col("x").shift())
    tests = monitoring.columns(features, stretches, looks, {"x": 1.0}, earlier)
    judged = monitoring.judge(tests, [look.served for look in looks], 1, 0.01)
    assert {one.name for one in judged.alarms} == set(found)


def test_a_new_category_is_found_and_old_ones_are_not() -> None:
    """60 stretches of 200 texts; in that which is served 30 are of a kind that was never met."""
    texts = np.random.default_rng(7).choice(["x", "y", "z"], size=(60, 200)).astype(object)

    def alarms() -> list[str]:
        column = pl.Series("kind", texts.ravel().tolist()).to_frame()
        looks = monitoring.looks(60, 1)
        parts = Stretches(np.repeat(np.arange(60), 200), 60)
        tests = monitoring.columns(column, parts, looks, {"kind": 1.0})
        return [one.name for one in monitoring.judge(tests, [look.served for look in looks], 1, 0.01).alarms]

    assert alarms() == []
    texts[0, :30] = "w"
    assert "new kind" in alarms()


@pytest.mark.parametrize(("moved", "found"), [(0, []), (1, ["clock"]), (-1, ["clock"])])
def test_a_clock_that_is_an_hour_wrong_is_found(moved: int, found: list[str]) -> None:
    """40 weeks of hours with two peaks a day, and the last of them an hour off."""
    draw = np.random.default_rng(8)
    hour = np.arange(24)
    day = 10 + 20 * np.exp(-((hour - 8) ** 2) / 4) + 15 * np.exp(-((hour - 18) ** 2) / 6)
    values = np.tile(day, (40, 7, 1)) * draw.lognormal(0, 0.2, (40, 7, 1)) * draw.lognormal(0, 0.2, (40, 7, 24))
    values[0] = np.roll(values[0], moved, axis=1)
    looks = monitoring.looks(40, 1)
    slots = np.tile(hour, 40 * 7)
    tests = monitoring.clock(values.ravel(), slots, (1, -1), Stretches(np.repeat(np.arange(40), 168), 40), looks)
    judged = monitoring.judge(tests, [look.served for look in looks], 1, 0.01)
    assert [one.name for one in judged.alarms] == found


def test_what_answers_miss_on_the_whole_is_held_against_what_they_used_to_miss() -> None:
    """140 days about right within 3 %; then 10 % more than was told is found within days, 1 % is not."""
    draw = np.random.default_rng(9)
    told = np.full(147, 200.0)
    label = told * (1 + 0.03 * draw.standard_normal(147))
    days = pl.Series([date(2024, 1, 1) + timedelta(days=day) for day in range(147)])
    past = monitoring.missed(days[:140], label[:140], told[:140])

    def kept(times: float, after: int, scale: int) -> monitoring.Promise:
        until = slice(140, 140 + after)
        served = monitoring.missed(days[until], times * label[until], told[until])
        found = monitoring.bias_kept(served, past, scale, 0.01)
        assert found is not None
        return found

    assert [kept(1.1, 3, scale).alarm for scale in (7, 28)] == [True, True]
    assert [kept(1.01, 7, scale).alarm for scale in (1, 7)] == [False, False]
    assert kept(1.1, 7, 7).figure == pytest.approx(1.1 * label[140:].sum() / told[140:].sum() - 1)
    assert kept(0.9, 7, 7).limit < 0 < kept(1.1, 7, 7).limit
    again = monitoring.read_missed(json.loads(json.dumps(past.plain())))
    assert again.label.tolist() == past.label.tolist()
    assert monitoring.bias_kept(past, past.last(2), 7, 0.01) is None


def test_a_column_that_the_model_ignores_is_no_test() -> None:
    features, stretches = frame("unit")
    assert monitoring.columns(features, stretches, monitoring.looks(60, 1), {"x": 0.0}) == []


EXPECTED = {"value": 1.0, "low": 0.8, "high": 1.25}


def test_a_score_within_what_was_expected_keeps_the_promise() -> None:
    """The 95 % interval, widened to 1 %: 1.25 ** (2.326 / 1.96) = 1.303."""
    kept = monitoring.score_kept(1.29, EXPECTED, share=1.0, rate=0.01, loss=True)
    broken = monitoring.score_kept(1.31, EXPECTED, share=1.0, rate=0.01, loss=True)
    shorter = monitoring.score_kept(1.31, EXPECTED, share=0.25, rate=0.01, loss=True)
    better = monitoring.score_kept(0.5, EXPECTED, share=1.0, rate=0.01, loss=True)
    assert [one.alarm for one in (kept, broken, shorter, better) if one] == [False, True, False, False]
    assert kept is not None
    assert kept.limit == pytest.approx(1.25 ** (2.32635 / 1.95996), rel=1e-4)
    assert monitoring.score_kept(1.0, {}, share=1.0, rate=0.01, loss=True) is None


def test_coverage_counts_periods_and_not_rows() -> None:
    """Two of 20 days wholly outside are 90 %; four of 20 are no proof at 1 %, though 400 of 2,000 rows would be."""
    starts = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(20)]

    def days(outside: int) -> pl.DataFrame:
        hit = [day * 7 % 20 >= outside for day in range(20) for _ in range(100)]
        at = [start for start in starts for _ in range(100)]
        return pl.DataFrame({"start": at, "label": [0.0 if one else 9.0 for one in hit], "low": -1.0, "high": 1.0})

    told = [monitoring.coverage_kept(days(outside), 0.9, 0.01) for outside in (2, 4, 12)]
    assert [one.figure for one in told if one] == pytest.approx([0.9, 0.8, 0.4])
    assert [one.alarm for one in told if one] == [False, False, True]
    assert monitoring.coverage_kept(days(2).head(700), 0.9, 0.01) is None


def test_names_are_escaped_for_prometheus() -> None:
    told = {
        "project": "p", "release": None, "rate": 0.01, "served": 1, "known": 0, "alarms": [], "promises": [],
        "tests": [{"name": 'truth at "a\\b"', "figure": 1.0, "limit": None, "alarm": False}],
    }  # fmt: skip
    text = monitoring.exposition(told, datetime(2024, 1, 1, tzinfo=UTC))
    assert 'asof_watch_figure{project="p",release="",test="truth at \\"a\\\\b\\""} 1.0\n' in text
    assert "asof_watch_limit" not in text
    assert 'asof_watch_timestamp_seconds{project="p",release=""} 1704067200.0' in text


def test_a_look_as_strange_as_an_earlier_one_is_no_alarm() -> None:
    """What was learnt holds a week in which everything was missing: so may be the next one, and no more than that."""
    missing = np.zeros(60)
    missing[40] = 1.0

    def alarms(today: float, before: np.ndarray) -> bool:
        test = Test("missing x", 1.0, np.concatenate([[today], before]), 0.03)
        return bool(monitoring.judge([test], range(61), 1, 0.01).alarms)

    assert [alarms(1.0, missing), alarms(1.0, np.zeros(60))] == [False, True]


def weeks(rate: np.ndarray, days: int = 420, seed: int = 12) -> np.ndarray:
    """Rows of each day and place, at a rate a day; on Sundays half as many, and none at all on some holidays."""
    usual = np.where(np.arange(days) % 7 == 6, 0.5, 1.0) * (np.arange(days) % 90 != 50)
    return np.random.default_rng(seed).poisson(rate * usual[:, None]).astype(float)


RATES = np.array([6.0, 3.0, 1.0, 0.3, 2.0, 4.0])
"""Rows a day of six places."""


def silent(counts: np.ndarray, rate: float = 0.001) -> list[str]:
    tests = monitoring.silences(counts, [f"p{at}" for at in range(counts.shape[1])])
    return [one.name for one in monitoring.judge(tests, range(len(tests[0].figures)), 1, rate).alarms]


@pytest.mark.parametrize(("place", "days"), [(0, 3), (1, 5), (4, 7)])
def test_a_place_that_falls_silent_is_found_once_ten_rows_and_some_are_missed(place: int, days: int) -> None:
    counts = weeks(RATES)
    counts[-days:, place] = 0.0
    assert silent(counts) == [f"silent at p{place}"]
    counts[-56:, place] = 0.0
    assert silent(counts) == [f"silent at p{place}"]
    counts[-58:, place] = 0.0  # the weeks before the silence are what is usual: eight of them on, it is news no more
    assert silent(counts) == []


def test_the_only_place_falls_silent_as_others_do() -> None:
    """There is none beside it that would tell a quiet day: on every day its own usual rows are missed."""
    counts = weeks(RATES[:1])
    assert silent(counts) == []
    counts[-7:] = 0.0
    assert silent(counts) == ["silent at p0"]


def test_places_that_are_silent_by_nature_alarm_as_seldom_as_asked() -> None:
    """Looked at on each of 700 days at 1 %, seven alarm at most; one place comes in clumps, and one has closed."""
    counts = weeks(RATES, days=1000)
    counts[:, 2] *= np.arange(1000) % 30 < 3
    counts[200:, 5] = 0.0
    tests = monitoring.silences(counts, list("abcdef"))
    looks = len(tests[0].figures)
    judged = [
        monitoring.judge([one.at(np.arange(at, looks)) for one in tests], range(looks - at), 1, 0.01)
        for at in range(700)
    ]
    assert sum(bool(one.alarms) for one in judged) <= 7


def test_days_that_a_source_does_not_cover_are_no_silence() -> None:
    counts = weeks(RATES)
    counts[-10:] = np.nan
    assert silent(counts) == []
    assert monitoring.silences(counts[:50], list("abcdef")) == []


def test_what_is_missed_is_what_the_weeks_before_say() -> None:
    """Two rows each day, four in the other place: after three days about six are missed, of 112 that were learnt."""
    counts = np.tile([2.0, 4.0], (80, 1))
    counts[-3:, 0] = 0.0
    test = monitoring.silences(counts, ["a", "b"])[0]
    assert test.figures[:5] == pytest.approx([6.0, 4.0, 2.0, 0.0, 0.0], rel=0.02)
    assert test.chances is not None
    assert test.chances[0] == pytest.approx(-112 * np.log1p(6 / 112), rel=0.02)


def test_a_rare_new_text_is_found_by_its_days_and_a_text_of_one_day_is_not() -> None:
    """One row in fifty for five of seven days is found at 1 %; as many rows of a single day are not."""
    draw = np.random.default_rng(7)
    day = np.repeat(np.arange(60 * 7), 50)
    stretches = Stretches(np.repeat(np.arange(60), 350), 60, 1, day)
    looks = monitoring.looks(60, 1)

    def alarms(rows: list[int]) -> list[str]:
        texts = draw.choice(["x", "y", "z"], size=60 * 350).astype(object)
        texts[rows] = "w"
        tests = monitoring.columns(pl.DataFrame({"kind": texts.tolist()}), stretches, looks, {"kind": 1.0})
        return [one.name for one in monitoring.judge(tests, [look.served for look in looks], 1, 0.01).alarms]

    assert alarms([50 * at for at in range(5)]) == ["new kind"]
    assert alarms(list(range(5))) == []


def test_rows_are_counted_in_the_period_in_which_they_ended() -> None:
    """As everywhere: a row that ended at midnight belongs to the day before; rows outside days or places to none."""
    days = pl.Series([datetime(2024, 1, day, tzinfo=UTC) for day in range(1, 5)]).cast(pl.Datetime("us", "UTC"))
    ended = [datetime(2024, 1, 1, tzinfo=UTC), *[datetime(2024, 1, 2, hour, tzinfo=UTC) for hour in (0, 1, 2)]]
    rows = pl.DataFrame({"_place": ["a", "a", "a", "x"], "_ended": ended})
    late = pl.DataFrame({"_place": ["b", "b"], "_ended": [datetime(2024, 1, 4, hour, tzinfo=UTC) for hour in (0, 1)]})
    counts = monitoring.counted(pl.concat([rows, late]), (days[:-1], days[1:]), ["a", "b"])
    assert counts.tolist() == [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
