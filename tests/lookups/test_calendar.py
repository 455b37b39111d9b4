"""Lookup ``calendar``."""

from datetime import UTC, datetime

import polars as pl
import pytest

from asof import lookups
from asof.data import UTC_TIME
from asof.ledgers import Past
from asof.specs import FeatureSpec
from asof.testing.lookups import World


def ask(past: Past, *starts: datetime, holidays: str | None = None) -> pl.DataFrame:
    begun = pl.Series("start", starts, dtype=UTC_TIME)
    questions = pl.DataFrame(
        {"place": ["a"] * len(starts), "start": begun, "end": begun, "as_of": begun, "horizon": ["0h"] * len(starts)}
    )
    questions = questions.with_columns(as_of=pl.col("start") - pl.duration(hours=36))
    calendar = lookups.make(FeatureSpec(name="calendar", kind="calendar", options={"holidays": holidays}), past.panel)
    return lookups.features(questions, [calendar], past)


def test_days_are_those_of_the_local_calendar() -> None:
    # Thursday 4 July 2019 begins at 04:00 UTC in New York.
    answer = ask(World().past(), datetime(2019, 7, 4, 4, tzinfo=UTC)).row(0, named=True)
    assert {name: answer[name] for name in ("weekday", "weekend", "month", "day", "day_of_year", "horizon_hours")} == {
        "weekday": 3.0,
        "weekend": 0.0,
        "month": 7.0,
        "day": 4.0,
        "day_of_year": 185.0,
        "horizon_hours": 36.0,
    }
    assert answer["day_of_year_sin"] ** 2 + answer["day_of_year_cos"] ** 2 == pytest.approx(1)
    assert "hour" not in answer


def test_hours_are_told_for_periods_below_a_day() -> None:
    answer = ask(World(every="1h").past(), datetime(2019, 7, 6, 22, tzinfo=UTC)).row(0, named=True)
    assert (answer["hour"], answer["weekday"], answer["weekend"]) == (18.0, 5.0, 1.0)
    assert answer["hour_sin"] == pytest.approx(-1, abs=1e-3)


def test_holidays_have_a_name_and_a_distance() -> None:
    days = [datetime(2019, 7, day, 4, tzinfo=UTC) for day in (1, 4, 5)]
    answer = ask(World().past(), *days, datetime(2019, 8, 10, 4, tzinfo=UTC), holidays="US-NY")
    assert answer["holiday"].to_list() == ["none", "Independence Day", "none", "none"]
    assert answer["days_to_holiday"].to_list() == [3.0, 0.0, 30.0, 23.0]
    assert answer["days_from_holiday"].to_list() == [30.0, 0.0, 1.0, 30.0]


def test_where_no_holidays_are_known_they_are_far() -> None:
    """Those of Germany are known from 1991 on: of the years before there are none."""
    days = [datetime(year, month, 5, 5, tzinfo=UTC) for year, month in ((1950, 5), (1989, 12), (1990, 12))]
    answer = ask(World().past(), *days[:1], holidays="DE").vstack(ask(World().past(), *days[1:], holidays="DE"))
    assert answer["holiday"].to_list() == ["none"] * 3
    assert answer["days_to_holiday"].to_list() == [30.0, 30.0, 27.0]
    assert answer["days_from_holiday"].to_list() == [30.0] * 3


def test_the_observed_day_carries_the_name_of_the_holiday() -> None:
    answer = ask(World().past(), datetime(2020, 7, 3, 4, tzinfo=UTC), holidays="US")
    assert answer["holiday"].to_list() == ["Independence Day"]


def test_a_country_without_holidays_is_a_problem() -> None:
    past = World().past()
    calendar = lookups.make(FeatureSpec(name="calendar", kind="calendar", options={"holidays": "XX-1"}), past.panel)
    assert [str(problem) for problem in calendar.check(past)] == [
        "features.calendar.holidays: no holidays are known for 'XX-1'; expected a country such as DE, or US-NY"
    ]
