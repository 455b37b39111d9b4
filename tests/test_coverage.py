"""Which stretches a source covers, and where it breaks off: on made days, and on the real collisions."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from asof import coverage
from asof.data import UTC_TIME, Coverage, Finding, Severity

ZONE = "America/New_York"
FIRST = date(2023, 1, 2)
"""A Monday."""


def rows(counts: list[int], zone: str = ZONE, first: date = FIRST) -> pl.DataFrame:
    """So many rows on each local day, spread evenly over it."""
    events = []
    for number, count in enumerate(counts):
        day = first + timedelta(days=number)
        begin = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
        until = datetime.combine(day + timedelta(days=1), begin.timetz())
        low, high = begin.timestamp(), until.timestamp()
        events += [datetime.fromtimestamp(low + (high - low) * (part + 0.5) / count, UTC) for part in range(count)]
    event = pl.Series("_event", events, UTC_TIME)
    return pl.DataFrame([event, event.dt.offset_by("1m").alias("_ended")])


def days(found: Coverage, zone: str = ZONE) -> list[tuple[int, int]]:
    """Covered stretches as numbers of local days since ``FIRST``: [from, until)."""

    def number(moment: datetime) -> int:
        local = moment.astimezone(ZoneInfo(zone))
        assert (local.hour, local.minute) == (0, 0)
        return (local.date() - FIRST).days

    return [(number(low), number(high)) for low, high in zip(found.starts, found.ends, strict=True)]


WEEK = [80, 80, 80, 80, 80, 5, 3]
"""Quiet at week-ends."""


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        pytest.param([100] * 40, [(0, 40)], id="steady"),
        pytest.param([*[100] * 30, *[2] * 10, *[100] * 20], [(0, 30), (40, 60)], id="a hole"),
        pytest.param([*[100] * 30, *[0] * 10, *[100] * 20], [(0, 30), (40, 60)], id="an empty hole"),
        pytest.param([*[100] * 30, *[2] * 5, *[10] * 5, *[100] * 20], [(0, 30), (40, 60)], id="a slow return"),
        pytest.param([*[100] * 30, *[10] * 30], [(0, 60)], id="a tenth is a level, not a hole"),
        pytest.param([*[10] * 30, *[0] * 10, *[10] * 20], [(0, 60)], id="sparse sources have no holes"),
        pytest.param([*[100] * 30, 20], [(0, 30)], id="the last day goes on"),
        pytest.param([*[100] * 30, 30], [(0, 31)], id="a last day with a quarter is whole"),
        pytest.param([1, *[0] * 50, 2, *[0] * 50, *[100] * 30], [(102, 132)], id="scattered rows before the bulk"),
        pytest.param([100, *[0] * 6] * 8, [(0, 50)], id="Mondays alone"),
        pytest.param([100], [(0, 1)], id="one day"),
        pytest.param([0, 3, 0, 5, 2, 3, 1, 1, 4], [(1, 9)], id="a few rows"),
        pytest.param([*[100] * 6, 0] * 8, [(0, 55)], id="closed on Sundays"),
        pytest.param([*[100] * 5, 0, 0] * 8, [(0, 54)], id="closed at week-ends"),
        pytest.param([*[80] * 5, 12, 3] * 8, [(0, 56)], id="quiet at week-ends"),
        pytest.param([*[100] * 28, *[1] * 21, *[100] * 14], [(0, 28), (49, 63)], id="a hole of whole weeks"),
        pytest.param([*[100] * 30, *[2] * 9, 30, 60, *[100] * 9], [(0, 30), (41, 50)], id="back step by step"),
        pytest.param([*[100] * 30, *[2] * 9, *[40] * 20], [(0, 30), (46, 59)], id="back on a lower level after a week"),
        pytest.param([*[0, 30, 60], *[100] * 30], [(3, 33)], id="a beginning step by step"),
        pytest.param(
            [*WEEK * 5, 80, 0, 1, 80, 80, 5, 3, *WEEK], [(0, 49)], id="two holidays where week-ends are quiet"
        ),
        pytest.param([*WEEK * 5, 80, 80, 80, 80, 0, 5, 3, *WEEK], [(0, 49)], id="a holiday before a week-end"),
        pytest.param([*WEEK * 5, *[0] * 14, *WEEK], [(0, 37), (49, 56)], id="more than holidays"),
        pytest.param([*[80] * 35, 0, *[80] * 6], [(0, 35), (36, 42)], id="no holidays where no weekday is quiet"),
    ],
)
def test_stretches(counts: list[int], expected: list[tuple[int, int]]) -> None:
    assert days(coverage.of(rows(counts), ZONE)) == expected


def at_hours(hours: list[int], *, days: int, last: int) -> pl.DataFrame:
    """Rows at these local hours on each of ``days`` days; on the last only those before the hour ``last``."""
    moments = [
        datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=ZoneInfo(ZONE)) + timedelta(days=day)
        for day in range(days)
        for hour in hours
        if day < days - 1 or hour < last
    ]
    event = pl.Series("_event", [moment.astimezone(UTC) for moment in moments], UTC_TIME)
    return pl.DataFrame([event, event.dt.offset_by("1m").alias("_ended")])


@pytest.mark.parametrize(
    ("hours", "last", "whole"),
    [
        pytest.param(list(range(12)), 5, False, id="a few rows a day, and seven of twelve are still to come"),
        pytest.param(list(range(12)), 7, True, id="the last five may be missing by chance"),
        pytest.param([*range(8, 18)] * 10, 18, True, id="closed at six in the evening"),
        pytest.param([*range(8, 18)] * 10, 16, False, id="a hundred rows a day, and a fifth is still to come"),
        pytest.param([9], 10, True, id="a row a day"),
    ],
)
def test_a_last_day_that_ends_early_is_not_whole(hours: list[int], last: int, *, whole: bool) -> None:
    """By the hours at which the rows of other days come."""
    assert days(coverage.of(at_hours(hours, days=30, last=last), ZONE)) == [(0, 30 if whole else 29)]


def test_a_first_day_is_held_against_the_hours_of_the_others() -> None:
    """A shop that opens at eight has whole days; one whose first row comes at noon has not."""
    table = at_hours([*range(8, 18)] * 10, days=30, last=18)
    assert days(coverage.of(table, ZONE)) == [(0, 30)]
    local = table["_event"].dt.convert_time_zone(ZONE)
    noon = table.filter((local.dt.date() > FIRST) | (local.dt.hour() >= 12))
    assert days(coverage.of(noon, ZONE)) == [(1, 30)]


def test_holidays_are_told() -> None:
    """Counted as zeros, in days, by name."""
    table = rows([*WEEK * 5, 80, 0, 1, 80, 80, 5, 3, *WEEK], "UTC").with_columns(x=1.0)
    [found] = [one for one in coverage.findings(table, ["x"], "UTC", name="s") if "holidays" in one.message]
    assert (found.severity, found.subject, found.rows) == (Severity.NOTE, "s", 2)
    assert found.message.startswith("2 busy days have hardly a row (2023-02-07, 2023-02-08): the source rests on")


def scarce(count: int) -> list[int]:
    """Days of which every fourth ten has next to no rows."""
    random = np.random.default_rng(7)
    return [int(random.poisson(60 if number % 40 < 30 else 1)) + 1 for number in range(count)]


@pytest.mark.parametrize(
    "counts",
    [scarce(200), [1 if day in {53, 60, 61, 86, 87, 88, 89, 92} else WEEK[day % 7] for day in range(140)]],
    ids=["holes", "holidays and a hole"],
)
def test_later_rows_change_nothing_about_earlier_days(counts: list[int]) -> None:
    """The rows up to any evening tell the same of all days before that day, whatever comes later."""
    table = rows(counts)
    whole = days(coverage.of(table, ZONE))
    local = table["_event"].dt.convert_time_zone(ZONE).dt.date()
    assert len(whole) > 1
    for last in range(40, len(counts) - 1, 3):
        part = days(coverage.of(table.filter(local <= FIRST + timedelta(days=last)), ZONE))
        assert [(low, min(high, last)) for low, high in part if low < last] == [
            (low, min(high, last)) for low, high in whole if low < last
        ]


def test_a_first_day_that_begins_late_is_not_whole() -> None:
    table = rows([100] * 30)
    late = table.filter(pl.col("_event") >= table["_event"][50])
    assert days(coverage.of(late, ZONE)) == [(1, 30)]
    assert days(coverage.of(table.filter(pl.col("_event") >= table["_event"][3]), ZONE)) == [(0, 30)]


def test_dates_alone_cover_their_whole_days() -> None:
    event = pl.Series("_event", [datetime(2023, 1, 2 + number, 5, tzinfo=UTC) for number in range(5)], UTC_TIME)
    table = pl.DataFrame([event, event.dt.offset_by("1d").alias("_ended")])
    assert days(coverage.of(table, ZONE)) == [(0, 5)]


def test_a_row_that_describes_a_month_covers_it() -> None:
    event = pl.Series("_event", [datetime(2023, month, 1, tzinfo=UTC) for month in (1, 2, 3)], UTC_TIME)
    table = pl.DataFrame([event, event.dt.offset_by("1mo").alias("_ended")])
    found = coverage.of(table, "UTC")
    assert (found.start, found.end) == (datetime(2023, 1, 1, tzinfo=UTC), datetime(2023, 4, 1, tzinfo=UTC))


def test_declared_stretches_win_and_are_joined() -> None:
    declared = [
        (date(2023, 3, 1), date(2023, 4, 1)),
        (date(2023, 1, 1), date(2023, 2, 1)),
        (date(2023, 2, 1), date(2023, 2, 3)),
    ]
    found = coverage.of(rows([100] * 5), ZONE, declared)
    assert found.starts == (datetime(2023, 1, 1, 5, tzinfo=UTC), datetime(2023, 3, 1, 5, tzinfo=UTC))
    assert found.ends == (datetime(2023, 2, 3, 5, tzinfo=UTC), datetime(2023, 4, 1, 4, tzinfo=UTC))


def test_rows_without_a_time_cover_nothing() -> None:
    empty = pl.DataFrame({"_event": [None], "_ended": [None]}, schema={"_event": UTC_TIME, "_ended": UTC_TIME})
    assert coverage.of(empty, ZONE) == Coverage((), ())
    assert coverage.findings(empty, [], ZONE) == []


def made(level: list[float], share: list[float]) -> pl.DataFrame:
    """Months of rows with chance: ``level`` rows a day, ``share`` of them with ``x``."""
    random = np.random.default_rng(3)
    parts = []
    for number, (mean, part) in enumerate(zip(level, share, strict=True)):
        first = date(2015 + number // 12, number % 12 + 1, 1)
        until = date(2015 + (number + 1) // 12, (number + 1) % 12 + 1, 1)
        table = rows([int(random.poisson(mean)) for _ in range((until - first).days)], "UTC", first)
        parts.append(table.with_columns(x=pl.when(pl.Series(random.random(table.height) < part)).then(1.0)))
    return pl.concat(parts)


def said(table: pl.DataFrame) -> list[tuple[str, str]]:
    return [(one.subject, one.message) for one in coverage.findings(table, ["x"], "UTC", name="s")]


def test_a_steady_source_gives_no_finding() -> None:
    assert said(made([50 + 5 * np.sin(month) for month in range(30)], [0.9] * 30)) == []


def test_a_yearly_season_is_no_break() -> None:
    level = [60 * (1 + 0.5 * np.sin(month / 12 * 2 * np.pi)) for month in range(48)]
    assert said(made(level, [0.9] * 48)) == []


def test_a_level_change_of_rows_is_found_where_it_is() -> None:
    ((subject, message),) = said(made([*[80] * 12, *[40] * 12], [0.9] * 24))
    assert subject == "s"
    assert message.startswith("level change: ")
    assert "rows a day from 2016-01 on, against" in message


def test_a_thin_month_and_a_month_without_values_are_found() -> None:
    level, share = [50.0] * 24, [0.9] * 24
    level[10], share[15], share[16] = 20, 0.5, 0.3
    (first, thin), (second, bare) = said(made(level, share))
    assert (first, second) == ("s", "s.x")
    assert thin.startswith("2015-11: ")
    assert bare.startswith("2016-04 and 2016-05: 5")
    assert bare.endswith("% of rows have x, against 90% in the periods around")


def test_a_break_in_a_column_that_is_not_needed_is_a_note() -> None:
    table = made([50.0] * 24, [*[0.9] * 10, 0.3, *[0.9] * 13])
    (found,) = coverage.findings(table, [], "UTC", others=["x"])
    assert found.severity is Severity.NOTE


def test_short_sources_are_compared_by_weeks() -> None:
    table = rows([*[50] * 28, *[15] * 7, *[50] * 28], "UTC").with_columns(x=1.0)
    assert [message.split(":")[0] for _, message in said(table)] == ["2023-01-30"]


# Real data


def collisions(shared_data: Path, pattern: str, names: tuple[str, str, str, str], form: str) -> pl.DataFrame:
    day, clock, lat, lon = names
    files = sorted((shared_data / "nyc_collisions").glob(pattern))
    parts = [
        pl.read_csv(file, columns=[day, clock, lat, lon], infer_schema=False, ignore_errors=True) for file in files
    ]
    table = pl.concat(parts)
    local = (pl.col(day) + " " + pl.col(clock)).str.to_datetime(form, strict=False, time_unit="us")
    event = local.dt.replace_time_zone(ZONE, ambiguous="latest", non_existent="null").dt.convert_time_zone("UTC")
    numbers = [pl.col(name).cast(pl.Float64, strict=False) for name in (lat, lon)]
    table = table.select(event.alias("_event"), *numbers).drop_nulls("_event")
    return table.with_columns(_ended=pl.col("_event").dt.offset_by("1m"))


@pytest.mark.needs("shared data")
def test_the_break_of_spring_2016_is_found_without_being_told(shared_data: Path) -> None:
    names = ("CRASH_DATE", "CRASH_TIME", "LATITUDE", "LONGITUDE")
    table = collisions(shared_data, "nyc_collisions_201*.csv.gz", names, "%m/%d/%Y %H:%M")
    found = coverage.findings(table, ["LATITUDE", "LONGITUDE"], ZONE, name="crashes")
    messages = [finding.message for finding in found]
    assert (
        "2016-03 and 2016-04: 65% and 42% of rows have LATITUDE, LONGITUDE, against 85% in the periods around"
        in messages
    )
    (level,) = [message for message in messages if message.startswith("level change:") and "rows a day" in message]
    assert level.startswith("level change: 39")
    assert "rows a day from 2016-09 on, against 61" in level
    assert not [message for message in messages if "hole" in message]
    assert len(found) <= 8
    steady = table.filter(
        pl.col("_event").is_between(datetime(2016, 10, 1, 4, tzinfo=UTC), datetime(2020, 3, 1, 5, tzinfo=UTC))
    )
    assert coverage.findings(steady, ["LATITUDE", "LONGITUDE"], ZONE) == []
    assert days(coverage.of(table, ZONE)) == [
        ((date(2012, 7, 1) - FIRST).days, (date(2020, 3, 14) - FIRST).days),
    ]


@pytest.mark.needs("shared data")
def test_the_hole_of_autumn_2023_is_not_covered(shared_data: Path) -> None:
    names = ("crash_date", "crash_time", "latitude", "longitude")
    table = collisions(shared_data, "nyc_collisions_2023-03_2024-04.csv.gz", names, "%Y/%m/%d %H:%M")
    stretches = [(date(2023, 3, 15), date(2023, 7, 23)), (date(2023, 10, 14), date(2024, 4, 2))]
    assert days(coverage.of(table, ZONE)) == [((low - FIRST).days, (high - FIRST).days) for low, high in stretches]
    found: list[Finding] = coverage.findings(table, ["latitude", "longitude"], ZONE)
    assert found[0].message.startswith("853 rows lie before 2023-03-15")
    assert found[1].message.startswith("hole: 703 rows from 2023-07-23 up to 2023-10-14 (exclusive)")


@pytest.mark.needs("shared data")
def test_the_holidays_of_house_sales_are_no_holes(shared_data: Path) -> None:
    """Independence Day, Thanksgiving and the day after, Christmas, New Year; and the end, where they trickle out."""
    table = pl.read_csv(shared_data / "king_county" / "kc_house_data_dirty.csv.gz", columns=["date"])
    event = table["date"].str.to_datetime("%m/%d/%Y", time_unit="us").dt.replace_time_zone("America/Los_Angeles")
    event = event.dt.convert_time_zone("UTC")
    sales = pl.DataFrame({"_event": event, "_ended": event.dt.offset_by("1d")})
    first, until = date(2014, 5, 2), date(2015, 5, 19)
    zone = "America/Los_Angeles"
    assert days(coverage.of(sales, zone), zone) == [((first - FIRST).days, (until - FIRST).days)]
    [found] = [one for one in coverage.findings(sales, [], zone) if "holidays" in one.message]
    assert "2014-07-04, 2014-11-27, 2014-11-28, 2014-12-25, 2015-01-01, 2015-05-15, …" in found.message
