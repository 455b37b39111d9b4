"""Panels: which questions are asked, and as of when."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from asof.errors import DataError
from asof.panels import Panel, questions
from asof.places import Places
from asof.times import Step, midnight

NEW_YORK = "America/New_York"


def panel(*ids: str, every: str = "1d", zone: str = NEW_YORK, horizons: tuple[str, ...] = ("0h",)) -> Panel:
    steps = tuple(Step.parse(horizon) for horizon in horizons)
    return Panel(Places(pl.Series(ids, dtype=pl.String)), Step.parse(every), zone, "events", horizons=steps)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_every_place_and_period_is_asked_at_every_horizon_in_order() -> None:
    asked = questions(panel("a", "b", horizons=("1d", "2d")), at(2019, 1, 1, 5), at(2019, 1, 3, 5))
    assert asked.columns == ["place", "start", "end", "as_of", "horizon"]
    assert asked.height == 2 * 2 * 2
    assert asked["place"].to_list() == ["a", "a", "b", "b"] * 2
    assert asked["horizon"].to_list() == ["1d", "2d"] * 4
    assert asked["start"].to_list() == [at(2019, 1, 1, 5)] * 4 + [at(2019, 1, 2, 5)] * 4
    assert asked["as_of"].to_list()[:2] == [at(2018, 12, 31, 5), at(2018, 12, 30, 5)]
    assert asked.schema["start"] == asked.schema["end"] == asked.schema["as_of"] == pl.Datetime("us", "UTC")


def test_days_of_the_clock_change_have_23_and_25_hours() -> None:
    spring = questions(panel("a"), at(2019, 3, 9, 5), at(2019, 3, 12, 4))
    assert (spring["end"] - spring["start"]).to_list() == [timedelta(hours=hours) for hours in (24, 23, 24)]
    autumn = questions(panel("a"), at(2019, 11, 2, 4), at(2019, 11, 5, 5))
    assert (autumn["end"] - autumn["start"]).to_list() == [timedelta(hours=hours) for hours in (24, 25, 24)]
    assert autumn["end"].to_list()[:-1] == autumn["start"].to_list()[1:]


def test_a_horizon_of_days_is_local_and_one_of_hours_absolute() -> None:
    days = questions(panel("a", horizons=("1d", "24h")), at(2019, 3, 11, 4), at(2019, 3, 12, 4))
    assert days["as_of"].to_list() == [at(2019, 3, 10, 5), at(2019, 3, 10, 4)]


def test_the_first_moment_of_the_range_is_in_and_the_last_is_out() -> None:
    asked = questions(panel("a", every="1h"), at(2019, 1, 1), at(2019, 1, 1, 3))
    assert asked["start"].to_list() == [at(2019, 1, 1), at(2019, 1, 1, 1), at(2019, 1, 1, 2)]
    assert questions(panel("a", every="1h"), at(2019, 1, 1), at(2019, 1, 1)).height == 0


def test_months_begin_on_the_local_first() -> None:
    asked = questions(
        panel("a", every="1mo", horizons=("1mo",)), midnight(at(2019, 1, 1).date(), NEW_YORK), at(2019, 4, 1)
    )
    assert asked["start"].to_list() == [at(2019, 1, 1, 5), at(2019, 2, 1, 5), at(2019, 3, 1, 5)]
    assert asked["end"].to_list()[-1] == at(2019, 4, 1, 4)
    assert asked["as_of"].to_list()[0] == at(2018, 12, 1, 5)


def test_horizons_given_replace_those_of_the_panel() -> None:
    asked = questions(panel("a", horizons=("1d",)), at(2019, 1, 1, 5), at(2019, 1, 2, 5), (Step.parse("3d"),))
    assert asked["horizon"].to_list() == ["3d"]
    assert asked["as_of"].to_list() == [at(2018, 12, 29, 5)]


def test_a_moment_without_zone_and_a_panel_without_places_are_refused() -> None:
    with pytest.raises(DataError, match="must carry a zone"):
        questions(panel("a"), datetime(2019, 1, 1), at(2019, 1, 2))  # noqa: DTZ001
    with pytest.raises(DataError, match="the panel has no places"):
        questions(panel(), at(2019, 1, 1), at(2019, 1, 2))
