"""Steps of time in the calendar of a zone."""

from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asof import times
from asof.data import UTC_TIME
from asof.errors import UserError
from asof.testing import oracle
from asof.times import Step, end, floor, local, midnight, shift, starts

NEW_YORK = "America/New_York"
ZONES = [
    NEW_YORK,
    "America/Sao_Paulo",  # had days without a midnight
    "America/Havana",  # has days with two midnights
    "America/St_Johns",  # put its clocks back at 00:01, into the day before
    "Pacific/Apia",  # skipped 2011-12-30
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # moves its clocks by half an hour
    "UTC",
]
moments = st.datetimes(datetime(2005, 1, 1), datetime(2019, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - bounds


def series(*times: datetime) -> pl.Series:
    return pl.Series(times, dtype=UTC_TIME)


@pytest.mark.parametrize("text", ["7d", "1h", "15m", "30s", "2w", "1mo", "0h", "364d"])
def test_a_step_is_written_as_it_is_read(text: str) -> None:
    assert str(Step.parse(text)) == text


@pytest.mark.parametrize("text", ["", "d", "7", "-1d", "1.5h", "7 days", "1y", "1D"])
def test_what_is_no_step_is_refused_with_what_was_expected(text: str) -> None:
    with pytest.raises(UserError, match="write a whole number and s, m"):
        Step.parse(text)


def test_the_nominal_length_orders_steps() -> None:
    written = ["1s", "1m", "1h", "1d", "1w", "1mo"]
    assert sorted(written, key=lambda text: Step.parse(text).nominal) == written
    assert [Step.parse(text).absolute for text in written] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0h"),
        (timedelta(days=2), "2d"),
        (timedelta(hours=36), "36h"),
        (timedelta(minutes=90), "90m"),
        (timedelta(seconds=61), "61s"),
    ],
)
def test_a_length_is_named_by_its_largest_whole_unit(length: timedelta, text: str) -> None:
    assert str(Step.of(length)) == text


def test_days_keep_the_local_hour_and_hours_do_not() -> None:
    before = series(datetime(2019, 3, 9, 12, tzinfo=UTC))
    assert shift(before, Step.parse("1d"), NEW_YORK)[0] == datetime(2019, 3, 10, 11, tzinfo=UTC)
    assert shift(before, Step.parse("24h"), NEW_YORK)[0] == datetime(2019, 3, 10, 12, tzinfo=UTC)
    assert shift(before, Step.parse("1d"), NEW_YORK, -2)[0] == datetime(2019, 3, 7, 12, tzinfo=UTC)


def test_a_month_from_its_last_day_ends_on_the_last_day_of_a_shorter_one() -> None:
    assert shift(series(datetime(2020, 1, 31, 5, tzinfo=UTC)), Step.parse("1mo"), "UTC")[0] == datetime(
        2020, 2, 29, 5, tzinfo=UTC
    )


def test_no_steps_and_no_moments_change_nothing() -> None:
    nothing = pl.Series([None], dtype=UTC_TIME)
    assert shift(nothing, Step.parse("1d"), NEW_YORK)[0] is None
    moment = series(datetime(2019, 3, 9, 12, tzinfo=UTC))
    assert shift(moment, Step.parse("0h"), NEW_YORK) is moment
    assert floor(series(), Step.parse("1d"), NEW_YORK).is_empty()


def test_what_does_not_exist_moves_forward_to_what_does() -> None:
    # 2019-03-10 02:30 does not exist in New York; 2018-11-04 00:00 does not in Sao Paulo.
    moved = shift(series(datetime(2019, 3, 9, 7, 30, tzinfo=UTC)), Step.parse("1d"), NEW_YORK)
    assert moved[0] == datetime(2019, 3, 10, 7, tzinfo=UTC)
    assert midnight(date(2018, 11, 4), "America/Sao_Paulo") == datetime(2018, 11, 4, 3, tzinfo=UTC)
    assert midnight(date(2011, 12, 30), "Pacific/Apia") == midnight(date(2011, 12, 31), "Pacific/Apia")


def test_what_exists_twice_is_the_earlier() -> None:
    assert midnight(date(2019, 11, 3), "America/Havana") == datetime(2019, 11, 3, 4, tzinfo=UTC)
    moved = shift(series(datetime(2019, 11, 2, 5, 30, tzinfo=UTC)), Step.parse("1d"), NEW_YORK)
    assert moved[0] == datetime(2019, 11, 3, 5, 30, tzinfo=UTC)


def test_days_of_summer_time_have_23_and_25_hours() -> None:
    for first, hours in ((date(2019, 3, 10), 23), (date(2019, 11, 3), 25), (date(2019, 6, 1), 24)):
        edges = [midnight(first + timedelta(days=day), NEW_YORK) for day in (0, 1)]
        assert (edges[1] - edges[0]) == timedelta(hours=hours)
        assert starts(*edges, Step.parse("1h"), NEW_YORK).len() == hours


def test_weeks_begin_on_monday_and_months_on_the_first() -> None:
    moment = series(datetime(2019, 8, 15, 12, tzinfo=UTC))
    assert floor(moment, Step.parse("1w"), NEW_YORK)[0] == midnight(date(2019, 8, 12), NEW_YORK)
    assert floor(moment, Step.parse("1mo"), NEW_YORK)[0] == midnight(date(2019, 8, 1), NEW_YORK)
    assert floor(moment, Step.parse("3mo"), NEW_YORK)[0] == midnight(date(2019, 7, 1), NEW_YORK)


def test_hours_begin_where_the_local_clock_says_so() -> None:
    moment = series(datetime(2019, 8, 15, 12, 20, tzinfo=UTC))
    assert floor(moment, Step.parse("1h"), "Asia/Kathmandu")[0] == datetime(2019, 8, 15, 12, 15, tzinfo=UTC)
    assert local(moment, "Asia/Kathmandu")[0] == datetime(2019, 8, 15, 18, 5)  # noqa: DTZ001 - a clock face


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("every", ["1d", "7d", "1w", "1mo", "1h", "6h", "15m"])
def test_periods_tile_time_without_gap_or_overlap(zone: str, every: str) -> None:
    step = Step.parse(every)
    first = round(datetime(2011, 10, 1, tzinfo=UTC).timestamp())
    times = pl.Series(range(first, first + 86_400 * 200, 1799)) * 1_000_000
    times = times.cast(UTC_TIME)
    begun = floor(times, step, zone)
    listed = starts(times[0], times[-1], step, zone)
    assert (begun <= times).all()
    assert begun.is_sorted()
    assert listed.n_unique() == listed.len()
    assert set(begun.filter(begun >= times[0])) <= set(listed)
    assert (floor(listed, step, zone) == listed).all()


@given(moments, st.sampled_from(ZONES), st.sampled_from(["1d", "7d", "2w", "1mo", "36h", "45m"]), st.integers(-30, 30))
@example(datetime(2008, 2, 4, 15, 0, 1, tzinfo=UTC), "Australia/Lord_Howe", "1mo", 8)  # a second after a gap begins
@settings(deadline=None, max_examples=200)
def test_steps_are_those_of_the_oracle(moment: datetime, zone: str, text: str, count: int) -> None:
    moment = moment.replace(microsecond=0)
    step = Step.parse(text)
    assert shift(series(moment), step, zone, count)[0] == oracle.shifted(moment, step, zone, count)


@given(
    moments,
    st.sampled_from([zone for zone in ZONES if zone != "America/St_Johns"]),
    st.sampled_from(["1d", "2d", "1h", "6h"]),
)
@settings(deadline=None, max_examples=100)
def test_periods_are_those_of_the_oracle(moment: datetime, zone: str, text: str) -> None:
    step = Step.parse(text)
    assert floor(series(moment), step, zone)[0] == oracle.period_of(moment, step, zone)[0]


def test_an_unknown_zone_and_an_empty_period_are_named() -> None:
    with pytest.raises(UserError, match="'America/Gotham' is no time zone"):
        midnight(date(2019, 1, 1), "America/Gotham")
    with pytest.raises(UserError, match="a period of 0d has no length"):
        floor(series(datetime(2019, 1, 1, tzinfo=UTC)), Step.parse("0d"), "UTC")


def test_a_day_without_a_midnight_begins_late_and_ends_in_time() -> None:
    begun = series(midnight(date(2018, 11, 4), "America/Sao_Paulo"))
    assert end(begun, Step.parse("1d"), "America/Sao_Paulo")[0] == datetime(2018, 11, 5, 2, tzinfo=UTC)
    assert shift(begun, Step.parse("1d"), "America/Sao_Paulo")[0] == datetime(2018, 11, 5, 3, tzinfo=UTC)
    assert end(series(datetime(2020, 2, 9, tzinfo=UTC)), Step.parse("1mo"), "UTC")[0] == datetime(
        2020, 3, 1, tzinfo=UTC
    )


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", ["1d", "2w", "3mo", "6h"])
def test_what_is_kept_of_a_calendar_tells_what_working_it_out_does(zone: str, text: str) -> None:
    """Midnights of years, moments around them, and moments beyond all that is kept; a null makes them work it out."""
    step = Step.parse(text)
    nights = starts(midnight(date(2008, 1, 1), zone), midnight(date(2012, 2, 1), zone), Step.parse("1d"), zone)
    around = [nights.dt.offset_by(offset) for offset in ("0h", "-1us", "59m", "1h", "-30m")]
    far = series(
        datetime(1950, 3, 1, 5, tzinfo=UTC), datetime(2099, 12, 31, tzinfo=UTC), datetime(2150, 1, 1, tzinfo=UTC)
    )
    for moments in (*around, far[:1], far[1:2], far):
        whole = moments.clone().extend(pl.Series([None], dtype=UTC_TIME))
        for work in (
            lambda times: floor(times, step, zone),
            lambda times: end(times, step, zone),
            lambda times: shift(times, step, zone, 13),
            lambda times: shift(times, step, zone, -400),
        ):
            assert work(moments).equals(work(whole)[:-1], null_equal=False)


@pytest.mark.parametrize("zone", ZONES)
def test_few_moments_are_moved_and_read_as_many_are(zone: str) -> None:
    """By several steps at once, and on the local clock: midnights that are kept, and moments that have to be asked."""
    nights = starts(midnight(date(2010, 1, 1), zone), midnight(date(2011, 2, 1), zone), Step.parse("1d"), zone)
    for moments in (nights, nights.dt.offset_by("-1us"), nights[:0], series(datetime(1950, 3, 1, 5, tzinfo=UTC))):
        micros = moments.cast(pl.Int64).to_numpy()
        for texts in (("1d", "2w", "364d"), ("1d", "6h"), ("1mo", "7d"), ()):
            steps = [Step.parse(text) for text in texts]
            moved = times.shifts_micros(micros, steps, zone, -1)
            assert [one.tolist() for one in moved] == [
                shift(moments, step, zone, -1).cast(pl.Int64).to_list() for step in steps
            ]
        shown = times.local(moments, zone).cast(pl.Int64).to_list()
        assert times.local_micros(micros, zone).tolist() == shown
    for day in (date(1970, 1, 1), date(2011, 12, 30), date(2018, 11, 4), date(2099, 12, 31), date(2150, 1, 1)):
        assert midnight(day, zone) == times.moment(day, zone)
