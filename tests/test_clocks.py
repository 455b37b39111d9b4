"""Written times become periods on the time line: starts, ends, and reasons where there is none."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asof import clocks
from asof.adapters.files import FilesReader
from asof.clocks import TimesRead
from asof.errors import DataError, UserError
from asof.specs import FilesSpec, TimeSpec
from asof.times import Step

NEW_YORK = "America/New_York"


def read(
    *columns: list[str | None],
    zone: str = "UTC",
    delay: str = "0h",
    formats: tuple[str, ...] = (),
    resolution: str | None = None,
    available: list[str | None] | None = None,
) -> TimesRead:
    names = ("day", "hour")[: len(columns)]
    rows = pl.DataFrame(dict(zip(names, columns, strict=True)), schema=dict.fromkeys(names, pl.String))
    if available is not None:
        rows = rows.with_columns(known=pl.Series(available, dtype=pl.String))
    spec = TimeSpec(
        columns=names,
        zone=zone,
        formats=formats,
        resolution=resolution,
        available="known" if available is not None else None,
    )
    return clocks.read(rows, spec, Step.parse(delay))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def periods(got: TimesRead) -> list[tuple[str, str]]:
    """Start and end of each row, as short UTC texts."""
    shown = got.times.select(pl.col("_event", "_ended").dt.to_string("%Y-%m-%d %H:%M:%S"))
    return shown.rows()


@pytest.mark.parametrize(
    ("written", "start", "end"),
    [
        ("2023-03-14 20:08", "2023-03-14 20:08:00", "2023-03-14 20:09:00"),
        ("2023/03/14 20:08:30", "2023-03-14 20:08:30", "2023-03-14 20:08:31"),
        ("2020-08-01 06:07:00.250", "2020-08-01 06:07:00", "2020-08-01 06:07:01"),
        ("20140502T101500", "2014-05-02 10:15:00", "2014-05-02 10:15:01"),
        ("20140502T1015", "2014-05-02 10:15:00", "2014-05-02 10:16:00"),
        ("2014-05-02T00:00:01.000", "2014-05-02 00:00:01", "2014-05-02 00:00:02"),
        ("2011-12-31T13:30:00Z", "2011-12-31 13:30:00", "2011-12-31 13:30:01"),
        ("2011-12-31T13:30:00+02:00", "2011-12-31 11:30:00", "2011-12-31 11:30:01"),
        ("2011-12-31 13:30:00 -0530", "2011-12-31 19:00:00", "2011-12-31 19:00:01"),
        ("1/31/19 3:09 AM", "2019-01-31 03:09:00", "2019-01-31 03:10:00"),
        ("1/31/19 12:09 am", "2019-01-31 00:09:00", "2019-01-31 00:10:00"),
        ("1/31/19 12:09 p.m.", "2019-01-31 12:09:00", "2019-01-31 12:10:00"),
        ("31.01.2019 3:09", "2019-01-31 03:09:00", "2019-01-31 03:10:00"),
        ("31-01-99", "1999-01-31 00:00:00", "1999-02-01 00:00:00"),
        ("12 Mar 2020 10:15", "2020-03-12 10:15:00", "2020-03-12 10:16:00"),
        ("12-Mar-20", "2020-03-12 00:00:00", "2020-03-13 00:00:00"),
        ("March 12, 2020", "2020-03-12 00:00:00", "2020-03-13 00:00:00"),
        ("Mar 12 2020 3 PM", "2020-03-12 15:00:00", "2020-03-12 16:00:00"),
        ("20140502", "2014-05-02 00:00:00", "2014-05-03 00:00:00"),
        ("  2014-05-02  ", "2014-05-02 00:00:00", "2014-05-03 00:00:00"),
        ("2024-02-29", "2024-02-29 00:00:00", "2024-03-01 00:00:00"),
    ],
)
def test_a_usual_form_states_its_smallest_period(written: str, start: str, end: str) -> None:
    got = read([written])
    assert periods(got) == [(start, end)]
    assert got.times["_reason"].to_list() == [None]
    again = read([written], formats=got.formats)
    assert periods(again) == [(start, end)], "the format met reads the same alone"


def test_a_fraction_of_a_second_is_kept() -> None:
    assert read(["2020-08-01 06:07:00.250"]).times["_event"][0].microsecond == 250_000


@pytest.mark.parametrize(
    ("hour", "start", "end"),
    [
        ("0:05", "00:05:00", "00:06:00"),
        ("20:08", "20:08:00", "20:09:00"),
        ("3:09 AM", "03:09:00", "03:10:00"),
        ("23:59:59", "23:59:59", "00:00:00"),
        ("300", "03:00:00", "03:01:00"),
        ("1530", "15:30:00", "15:31:00"),
    ],
)
@pytest.mark.parametrize("day", ["07/31/2012", "2012-07-31", "2012-07-31T00:00:00.000"])
def test_a_date_and_a_time_of_day_in_two_columns(day: str, hour: str, start: str, end: str) -> None:
    [(begun, over)] = periods(read([day], [hour]))
    assert begun == f"2012-07-31 {start}"
    assert over == f"2012-{'08-01' if end == '00:00:00' else '07-31'} {end}"

    again = read([day], [hour], formats=read([day], [hour]).formats)
    assert periods(again) == [(begun, over)], "the formats met read the same alone"


def test_bare_numbers_are_hours_only_where_no_number_is_larger() -> None:
    days = ["2017-12-01"] * 3
    hours = read(days, ["0", "7", "23"])
    assert [start[11:] for start, _ in periods(hours)] == ["00:00:00", "07:00:00", "23:00:00"]
    assert hours.resolution == Step(1, "h")
    minutes = read(days, ["0", "300", "2100"])
    assert [start[11:] for start, _ in periods(minutes)] == ["00:00:00", "03:00:00", "21:00:00"]
    assert minutes.resolution == Step(1, "m")
    for got, texts in ((hours, ["0", "7", "23"]), (minutes, ["0", "300", "2100"])):
        assert periods(read(days, texts, formats=got.formats)) == periods(got)


def test_several_forms_in_one_column_and_their_frequency() -> None:
    got = read(["07/01/2012", "07/31/2012", "2023/03/14"], ["0:05", "1:05", "3:09 AM"])
    assert got.times["_reason"].null_count() == 3
    assert got.formats == ("%m/%d/%Y %H:%M", "%Y/%m/%d %I:%M %p")


def test_the_formats_met_read_the_same_alone() -> None:
    many = read(["1/31/19 3:09 AM", "2/1/19 4:09 PM"])
    one = read(["2/1/19 4:09 PM"], formats=many.formats)
    assert one.times["_event"][0] == many.times["_event"][1] == utc("2019-02-01T16:09")


class TestDayOrMonth:
    def test_a_number_above_twelve_decides_for_the_whole_column(self) -> None:
        assert periods(read(["01/02/2019", "31/01/2019"]))[0][0] == "2019-02-01 00:00:00"
        assert periods(read(["01/02/2019", "01/31/2019"]))[0][0] == "2019-01-02 00:00:00"

    def test_nothing_proves_it(self) -> None:
        with pytest.raises(
            DataError, match="day: nothing tells whether '01/02/2019' is day first or month first"
        ) as told:
            read(["01/02/2019", "03/03/2019"])
        assert "formats: ['%d/%m/%Y'] or ['%m/%d/%Y']" in str(told.value)

    def test_nothing_needs_to_prove_it_where_both_are_equal(self) -> None:
        assert periods(read(["03/03/2019"]))[0][0] == "2019-03-03 00:00:00"

    def test_both_are_proved(self) -> None:
        with pytest.raises(DataError, match="'31/01/2019' can only be day first and '01/30/2019' only month first"):
            read(["31/01/2019", "01/30/2019", "01/02/2019"])

    def test_a_number_that_is_neither_proves_nothing(self) -> None:
        got = read(["45/99/2019", "31/01/2019"])
        assert got.times["_reason"].to_list() == ["day: '45/99/2019' is no date", None]

    def test_declared_formats_decide(self) -> None:
        got = read(["01/02/2019", "31/01/2019", "01/31/2019"], formats=("%d/%m/%Y",))
        assert periods(got)[0][0] == "2019-02-01 00:00:00"
        assert got.times["_reason"].to_list() == [None, None, "day: '01/31/2019' is no time of %d/%m/%Y"]


class TestDeclared:
    def test_the_first_that_fits(self) -> None:
        got = read(["01/02/19", "01/02/2019", "2019-02-01"], formats=("%d/%m/%Y", "%d/%m/%y"))
        assert [start for start, _ in periods(got)] == ["2019-02-01 00:00:00"] * 2 + [None]

    def test_seconds_and_milliseconds_since_1970(self) -> None:
        got = read(["1398988800", "1398988800.5", "1398988800123", "soon"], formats=("%s",))
        assert [moment and moment.timestamp() for moment in got.times["_event"]] == [
            1398988800,
            1398988800.5,
            1398988800.123,
            None,
        ]

    def test_an_offset(self) -> None:
        got = read(["02.05.2014 10:00 +0200"], formats=("%d.%m.%Y %H:%M %z",), zone=NEW_YORK)
        assert periods(got) == [("2014-05-02 08:00:00", "2014-05-02 08:01:00")]

    def test_dates_alone_or_hours_alone_of_two_columns(self) -> None:
        dates = read(["02/01/2019"], ["3:09 AM"], formats=("%d/%m/%Y",))
        hours = read(["2019-01-02"], ["03h09"], formats=("%Hh%M",))
        both = read(["02/01/2019"], ["03h09"], formats=("%d/%m/%Y", "%Hh%M"))
        joined = read(["02/01/2019"], ["03h09"], formats=("%d/%m/%Y %Hh%M",))
        for got in (dates, hours, both, joined):
            assert periods(got) == [("2019-01-02 03:09:00", "2019-01-02 03:10:00")]


class TestZones:
    def test_a_local_time_that_does_not_exist(self) -> None:
        got = read(["2012-03-11 01:59", "2012-03-11 02:30", "2012-03-11 03:00"], zone=NEW_YORK)
        assert got.times["_reason"].to_list() == [None, "time does not exist in America/New_York", None]
        assert got.times["_event"].to_list() == [utc("2012-03-11T06:59"), None, utc("2012-03-11T07:00")]
        assert got.times["_available"][1] is None

    def test_a_local_time_that_exists_twice_is_the_later_and_counted(self) -> None:
        got = read(["2012-11-04 00:59", "2012-11-04 01:30", "2012-11-04 02:00"], zone=NEW_YORK)
        assert got.times["_event"].to_list() == [
            utc("2012-11-04T04:59"),
            utc("2012-11-04T06:30"),
            utc("2012-11-04T07:00"),
        ]
        assert got.doubled == 1

    def test_a_date_is_a_local_day_of_23_or_25_hours(self) -> None:
        got = read(["2012-03-11", "2012-11-04"], zone=NEW_YORK)
        lengths = (got.times["_ended"] - got.times["_event"]).to_list()
        assert lengths == [timedelta(hours=23), timedelta(hours=25)]
        assert got.doubled == 0

    def test_a_day_without_midnight_starts_when_it_starts(self) -> None:
        got = read(["2018-11-04"], zone="America/Sao_Paulo")  # clocks leapt from 00:00 to 01:00
        assert periods(got) == [("2018-11-04 03:00:00", "2018-11-05 02:00:00")]

    def test_a_day_that_a_zone_left_out(self) -> None:
        got = read(["2011-12-30", "2011-12-31"], zone="Pacific/Apia")
        assert got.times["_reason"].to_list() == ["time does not exist in Pacific/Apia", None]

    def test_an_offset_is_believed_over_the_zone(self) -> None:
        assert periods(read(["2012-03-11T02:30:00Z"], zone=NEW_YORK))[0][0] == "2012-03-11 02:30:00"

    def test_an_unknown_zone(self) -> None:
        with pytest.raises(UserError, match="'Mars/Base' is no time zone"):
            read(["2012-03-11"], zone="Mars/Base")

    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(st.datetimes(datetime(1995, 1, 1), datetime(2030, 1, 1)), min_size=1, max_size=20),  # noqa: DTZ001
        st.sampled_from([NEW_YORK, "Europe/Dublin", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    )
    def test_it_agrees_with_the_standard_library(self, moments: list[datetime], zone: str) -> None:
        known = ZoneInfo(zone)
        moments = [moment.replace(microsecond=0) for moment in moments]
        got = read([moment.strftime("%Y-%m-%d %H:%M:%S") for moment in moments], zone=zone)
        if all(moment.time() == datetime.min.time() for moment in moments):
            return  # such a column states dates
        for moment, event, reason in zip(moments, got.times["_event"], got.times["_reason"], strict=True):
            there = moment.replace(tzinfo=known, fold=1).astimezone(UTC)
            if there.astimezone(known).replace(tzinfo=None) != moment:
                assert reason == f"time does not exist in {zone}"
            else:
                assert event == there


class TestPeriods:
    def test_timestamps_that_are_all_at_midnight_state_dates(self) -> None:
        got = read(["2014-05-02T00:00:00.000", "2014-05-03T00:00:00.000"], zone=NEW_YORK)
        assert periods(got)[0] == ("2014-05-02 04:00:00", "2014-05-03 04:00:00")
        assert got.resolution == Step(1, "d")

    def test_one_other_time_of_day_makes_them_timestamps(self) -> None:
        got = read(["2014-05-02T00:00:00.000", "2014-05-03T00:00:01.000"])
        assert periods(got)[0] == ("2014-05-02 00:00:00", "2014-05-02 00:00:01")

    def test_midnights_of_another_zone_are_timestamps(self) -> None:
        got = read(["2014-05-02T00:00:00Z"], zone=NEW_YORK)
        assert got.resolution == Step(1, "s")

    def test_each_row_states_its_own_and_the_longest_is_told(self) -> None:
        got = read(["2014-05-02", "2014-05-02 10:15", "2014-05-02 10:15:30"])
        assert [over for _, over in periods(got)] == [
            "2014-05-03 00:00:00",
            "2014-05-02 10:16:00",
            "2014-05-02 10:15:31",
        ]
        assert got.resolution == Step(1, "d")

    def test_a_declared_resolution_widens(self) -> None:
        got = read(["2014-05-02 10:15:30", "2014-05-02"], resolution="1h", zone=NEW_YORK)
        assert periods(got) == [
            ("2014-05-02 14:00:00", "2014-05-02 15:00:00"),
            ("2014-05-02 04:00:00", "2014-05-03 04:00:00"),
        ]
        assert read(["2014-05-02 10:15:30"], resolution="1d").resolution == Step(1, "d")

    @pytest.mark.parametrize(
        ("delay", "known"),
        [
            ("0h", "2012-03-10 15:16"),
            ("90m", "2012-03-10 16:46"),
            ("24h", "2012-03-11 15:16"),
            ("1d", "2012-03-11 14:16"),  # clocks leap in between: the same time of day, 23 hours later
            ("1mo", "2012-04-10 14:16"),
        ],
    )
    def test_available_is_the_end_plus_the_delay_in_the_local_calendar(self, delay: str, known: str) -> None:
        got = read(["2012-03-10 10:15"], zone=NEW_YORK, delay=delay)
        assert got.times["_available"].to_list() == [utc(known)]

    def test_available_of_a_column_of_its_own_replaces_the_delay(self) -> None:
        got = read(["2012-03-10", "2012-03-10", "2012-03-10"], available=["2012-03-12 09:00", None, "soon"], delay="7d")
        assert got.times["_available"].to_list() == [utc("2012-03-12 09:01"), None, None]
        assert got.times["_reason"].to_list() == [None, "no value in known", "known: 'soon' is no date"]

    def test_available_may_be_written_in_another_form_than_declared(self) -> None:
        for known in (["2012-03-12 09:00"], ["12/03/2012"]):
            got = read(["10/03/2012"], available=known, formats=("%d/%m/%Y",))
            assert got.times["_available"].to_list() == [utc("2012-03-12 09:01" if ":" in known[0] else "2012-03-13")]

    def test_an_event_at_midnight_is_not_over_at_that_midnight(self) -> None:
        got = read(["2012-03-10 00:00", "2012-03-10 00:01"])
        assert got.times["_ended"][0] > utc("2012-03-10")


class TestUnreadable:
    @pytest.mark.parametrize(
        ("written", "reason"),
        [
            (None, "no value in day"),
            ("", "no value in day"),
            ("   ", "no value in day"),
            ("PARKING LOT", "day: 'PARKING LOT' is no date"),
            ("2012-02-30", "day: '2012-02-30' is no date"),
            ("2012-13-01", "day: '2012-13-01' is no date"),
            ("2012-02-03 24:00", "day: '24:00' is no time"),
            ("2012-02-03 10:60", "day: '10:60' is no time"),
            ("2012-02-03 13:10 PM", "day: '13:10 PM' is no time"),
            ("2012-02-03 noon", "day: 'noon' is no time"),
            ("{braces}", "day: '{braces}' is no date"),
        ],
    )
    def test_a_reason_stands_in_place_of_a_time(self, written: str | None, reason: str) -> None:
        got = read([written, "2012-02-03"])
        assert got.times["_reason"].to_list() == [reason, None]
        assert got.times.row(0)[:3] == (None, None, None)

    def test_a_missing_time_of_day_is_not_midnight(self) -> None:
        got = read(["2012-02-03", "2012-02-03"], [None, "10:61"])
        assert got.times["_reason"].to_list() == ["no value in hour", "hour: '10:61' is no time"]

    def test_a_missing_column(self) -> None:
        with pytest.raises(DataError, match="the column of time 'day' is missing; the columns are other"):
            clocks.read(pl.DataFrame({"other": ["x"]}), TimeSpec(columns=("day",)), Step(0, "h"))

    def test_no_rows(self) -> None:
        got = read([])
        assert got.times.height == 0
        assert got.times.schema["_event"] == pl.Datetime("us", "UTC")

    def test_no_row_that_can_be_read(self) -> None:
        got = read([None, "x"], zone=NEW_YORK, delay="1d", resolution="1d")
        assert got.times["_event"].null_count() == 2


@pytest.mark.needs("shared data")
@pytest.mark.parametrize(
    ("file", "columns", "forms"),
    [
        ("demand/SeoulBikeData.csv.gz", ("Date", "Hour"), "%d/%m/%Y %H"),
        ("demand/JC-201901-citibike-tripdata.csv.gz", ("starttime",), "%m/%d/%y %I:%M %p"),
        ("demand/wolt_helsinki_orders_autumn_2020.csv.gz", ("TIMESTAMP",), "%Y-%m-%d %H:%M:%S%.f"),
        ("king_county/kc_house_data_dirty.csv.gz", ("date",), "%m/%d/%Y"),
        ("electricity/vic_elec.csv.gz", ("Time",), "%Y-%m-%dT%H:%M:%S%z"),
        ("nyc_collisions/nyc_weather_3hourly_2013_2024-03.csv.gz", ("date", "time"), "%Y-%m-%d %H%M"),
        ("courier_regina/courier_restaurant_orders.csv.gz", ("courier_location_timestamp",), "%Y-%m-%dT%H:%M:%S%.f%z"),
    ],
)
def test_real_columns(shared_data: Path, file: str, columns: tuple[str, ...], forms: str) -> None:
    source = FilesSpec(paths=(file,), encoding="latin-1" if "Seoul" in file else "utf-8")
    [batch] = FilesReader(source, shared_data, columns=columns).batches(None)
    rows = batch.rows
    got = clocks.read(rows, TimeSpec(columns=columns), Step(0, "h"))
    assert got.formats[0] == forms
    assert got.times["_reason"].null_count() == rows.height


@pytest.mark.needs("shared data")
def test_a_million_rows_of_collisions_take_little_time(shared_data: Path) -> None:
    file = shared_data / "nyc_collisions" / "nyc_collisions_2012-2014.csv.gz"
    rows = pl.read_csv(file, infer_schema=False, columns=["CRASH_DATE", "CRASH_TIME"])
    spec = TimeSpec(columns=("CRASH_DATE", "CRASH_TIME"), zone=NEW_YORK)
    begun = time.process_time()
    got = clocks.read(rows, spec, Step(1, "d"))
    assert time.process_time() - begun < 10, "a text at a time it would take minutes"
    assert got.times["_reason"].value_counts(sort=True).rows()[0] == (
        None,
        493_891,
    )  # counted with the standard library
    assert got.doubled == 56
