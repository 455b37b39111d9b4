"""Answers of a released model: in order, one a row, with a reason where there is none."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.cli import main
from asof.errors import DataError
from asof.flows import asking, inputs, intake, oracles, predicting, preparation
from asof.flows.predicting import Asked
from tests.flows import world

Finished = tuple[Path, Mapping[str, Any]]


def test_rows_of_a_file_get_one_answer_each_in_order(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """Repeated, unknown, unreadable and too late rows keep their place; the user's own columns come along."""
    folder, result = copied
    asked = folder / "asked.csv"
    asked.write_text(
        "mine,place,date,horizon\n"
        "a,z3,2021-07-10,1d\n"
        "b,nowhere,2021-07-10,1d\n"
        "c,z3,not a day,1d\n"
        "d,z0,2021-09-01,1d\n"
        "e,z3,2021-07-10,1d\n"
        "f,z1,2021-07-22,2d\n"
        "g,z1,2021-07-22,9d\n"
    )
    out = folder / "answers.csv"
    assert main(["predict", str(folder), "--input", str(asked), "--out", str(out), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["answered"], told["unanswered"]) == (3, 4)
    answers = pl.read_csv(out)
    assert answers["mine"].to_list() == list("abcdefg")
    assert answers["prediction"].is_null().to_list() == [False, True, True, True, False, False, True]
    assert answers["prediction"][0] == answers["prediction"][4]
    reasons = answers["reason"].to_list()
    assert reasons[1] == "the place is missing or outside every place"
    assert reasons[2] == "date is no time that can be read"
    assert "asked after the last moment at which calls is known" in reasons[3]
    assert reasons[6] == "the horizon is none of 1d, 2d"
    assert set(answers["release"]) == {result["release"]}


def test_a_file_with_nothing_beyond_the_question(copied: Finished) -> None:
    """Place and start alone are enough: there need be no column of the user's own."""
    folder, _ = copied
    asked, out = folder / "asked.csv", folder / "answers.csv"
    asked.write_text("place,start\nz3,2021-07-10\nnowhere,2021-07-10\n")
    assert main(["predict", str(folder), "--input", str(asked), "--out", str(out)]) == 0
    answers = pl.read_csv(out)
    assert answers["prediction"].is_null().to_list() == [False, True]
    assert answers.columns[:2] == ["place", "start"]


def test_a_range_and_one_location(copied: Finished) -> None:
    """``--start`` and ``--end`` answer every horizon of each day of one place."""
    folder, result = copied
    out = folder / "answers.parquet"
    command = ["predict", str(folder), "--start", "2021-07-01", "--end", "2021-07-04", "--location", "z2"]
    assert main([*command, "--out", str(out), "--release", "1"]) == 0
    answers = pl.read_parquet(out)
    assert answers.select("place", "horizon").rows() == [("z2", "1d"), ("z2", "2d")] * 3
    assert answers["prediction"].null_count() == 0
    again = folder / "again.parquet"
    release = str(result["files"]["release"])
    moved = str(next((folder / ".asof" / "models").rglob("manifest.json")).parent)
    assert release != moved
    assert main([*command, "--out", str(again), "--release", moved]) == 0
    assert pl.read_parquet(again).equals(answers)


def test_one_question_gets_the_bits_of_the_batch(copied: Finished) -> None:
    """Features and prediction of a question do not depend on which others are asked with it."""
    folder, _ = copied
    workspace = asof.open_project(str(folder))
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    oracle = oracles.open_release(workspace, "champion")
    asked = predicting.next_questions(prepared, oracle.places)
    whole = oracles.answer(workspace, prepared, oracle, asked)
    for row in (0, 5, 11):
        assert oracles.answer(workspace, prepared, oracle, asked[row : row + 1]).equals(whole[row : row + 1])


def test_what_cannot_be_asked(copied: Finished, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with exit code 2 and a line that says what was expected."""
    folder, _ = copied
    (folder / "no_time.csv").write_text("place\nz1\n")
    (folder / "empty.csv").write_text("place,date\n")
    cases = {
        ("--input", str(folder / "no_time.csv")): "no column tells the time; expected one of start, time, date",
        ("--input", str(folder / "empty.csv")): "there is no row to answer",
        ("--input", str(folder / "gone.csv")): "no such file",
        ("--start", "2021-07-01"): "--start and --end belong together",
        ("--release", "7"): "no release '7' of world",
        ("--location", "mars"): "no place 'mars' is known to release",
    }
    for options, message in cases.items():
        assert main(["predict", str(folder), *options]) == 2
        assert message in capsys.readouterr().err


def test_a_horizon_that_is_none_costs_its_own_row_only(copied: Finished) -> None:
    """Text that is no length of time; an empty cell means the nearest; a time that cannot be read is none."""
    folder, _ = copied
    asked = folder / "asked.csv"
    asked.write_text("place,start,horizon\nz1,2021-07-10,soon\nz1,2021-07-10,\nz1,2021-07-10,2d\nz1,some day,1d\n")
    out = folder / "answers.parquet"
    told = asof.predict(asof.open_project(str(folder)), asof.Asked(input=asked), out)
    assert (told["answered"], told["unanswered"]) == (2, 2)
    answers = pl.read_parquet(out)
    assert answers["horizon"].to_list() == ["soon", "1d", "2d", "1d"]
    assert answers["reason"].to_list() == [
        "the horizon is none of 1d, 2d",
        None,
        None,
        "start is no time that can be read",
    ]
    assert answers["start"].is_null().to_list() == [False, False, False, True]
    assert answers["as_of"][2] == datetime(2021, 7, 8, 4, tzinfo=UTC)


def test_without_a_horizon_the_nearest_that_can_be_answered_is_taken(copied: Finished) -> None:
    """Two days ahead where one day ahead is not yet known; the place is repeated as it was written."""
    folder, _ = copied
    asked = folder / "asked.csv"
    asked.write_text("Zone,start\nz1,2021-07-18\nz1,2021-07-22\nz1,2021-07-23\nz1,2021-07-29\nz9,2021-07-18\n")
    out = folder / "answers.parquet"
    asof.predict(asof.open_project(str(folder)), asof.Asked(input=asked), out)
    answers = pl.read_parquet(out)
    assert answers["horizon"].to_list() == ["1d", "1d", "2d", "1d", "1d"]
    assert answers["prediction"].is_null().to_list() == [False, False, False, True, True]
    assert answers["place"].to_list() == ["z1"] * 4 + ["z9"]


def test_places_of_digits_keep_their_zeros(tmp_path: Path) -> None:
    """A code such as 00501 is text, though every row of the file is made of digits."""
    file = tmp_path / "asked.csv"
    file.write_text("Place,date,mine\n00501,2021-07-10,007\n10001,2021-07-10,008\n")
    assert inputs.read_table(file).rows() == [("00501", "2021-07-10", 7), ("10001", "2021-07-10", 8)]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("2021-07-01T06:00", datetime(2021, 7, 1, 10, tzinfo=UTC)),
        ("2021-07-01T06:00+02:00", datetime(2021, 7, 1, 4, tzinfo=UTC)),
        ("2021-03-14T02:30", datetime(2021, 3, 14, 7, tzinfo=UTC)),  # the clocks go from 02:00 to 03:00
        ("2021-11-07T01:30", datetime(2021, 11, 7, 5, 30, tzinfo=UTC)),  # twice: the earlier
    ],
)
def test_moments_are_read_as_utc(written: str, read: datetime) -> None:
    told = asking.moment(written, "America/New_York")
    assert (told, told.tzinfo) == (read, UTC)


@pytest.mark.parametrize("written", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00", "9999-12-31", "soon"])
def test_what_lies_at_the_edge_of_the_calendar_is_no_moment(copied: Finished, written: str) -> None:
    """It costs its own row alone, and is refused on the command line."""
    folder, _ = copied
    with pytest.raises(asof.DataError, match="is no day or moment; expected 2019-09-01 or 2019-09-01T06:00"):
        asking.moment(written, "America/New_York")
    asked = folder / "asked.csv"
    asked.write_text(f"place,start\nz1,{written}\nz1,2021-03-14T02:30\n")
    out = folder / "answers.parquet"
    asof.predict(asof.open_project(str(folder)), asof.Asked(input=asked), out)
    assert pl.read_parquet(out)["reason"].to_list() == ["start is no time that can be read", None]


def test_a_range_of_moments_with_an_hour(copied: Finished) -> None:
    """Periods that begin within it, as of days."""
    folder, _ = copied
    for end, days in (("2021-07-03T12:00", 3), ("2021-07-03", 2)):
        asked = asof.Asked(start="2021-06-30T06:00", end=end)
        out = folder / "answers.parquet"
        told = asof.predict(asof.open_project(str(folder)), asked, out)
        assert told["answered"] == 6 * 2 * days


def test_a_row_without_a_place_is_found_by_where_it_lies(tmp_path: Path) -> None:
    """Rows that name their place and rows that lie in one may stand in one file."""
    rows = world.calls(days=150).with_columns(lat=40.7 + 0.03 * pl.col("zone").str.slice(1).cast(pl.Int64), lon=-73.9)
    text = world.PROJECT.replace("    place: zone\n", "    place: {lat: lat, lon: lon}\n")
    folder = world.make(tmp_path / "world", project=text.replace("{place: zone,", "{place: h3:7,"), rows=rows)
    workspace = asof.open_project(str(folder))
    intake.take_in(workspace)
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    cell = prepared.panel.places.ids[0]
    given = pl.DataFrame(
        {"place": [cell, None, None, "z"], "lat": [None, 40.73, None, 40.73], "lon": [None, -73.9, None, -73.9]}
    ).with_columns(start=pl.lit("2021-05-20"))
    asked = asking.of_frame(workspace, prepared, given, "given")
    there = prepared.counted.rows.filter(pl.col("zone") == "z1")["_place"][0]
    assert asked["place"].to_list() == [cell, there, None, "z"]
    assert asked["reason"].is_null().to_list() == [True, True, False, False]


def test_faults_of_a_file_name_its_line(tmp_path: Path) -> None:
    """Columns that nobody reads may hold anything."""
    file = tmp_path / "asked.csv"
    lines = [f"z1,2021-07-10,{number}" for number in range(150)]
    file.write_text("place,start,note\n" + "\n".join([*lines, "z1,2021-07-10,abc"]) + "\n")
    assert inputs.read_table(file)["note"][-2:].to_list() == ["149", "abc"]
    file.write_text("place,start\nz1,2021-07-10\nz1,2021-07-10,more\n")
    with pytest.raises(asof.DataError, match=r"asked\.csv: line 3: 3 fields, the header names 2; quote what holds"):
        inputs.read_table(file)
    file.write_bytes("place,start\nz1,2021-07-10\nZürich,2021-07-10\n".encode("latin-1"))
    with pytest.raises(asof.DataError, match=r"asked\.csv: line 3: no UTF-8 text; save it as UTF-8"):
        inputs.read_table(file)
    with pytest.raises(asof.DataError, match="no plain file"):
        inputs.read_table(tmp_path)


def test_a_header_that_names_a_column_twice_is_refused(tmp_path: Path) -> None:
    """Either of the two could be meant."""
    file = tmp_path / "asked.csv"
    file.write_text("place,day,place\nz1,2021-07-10,z2\n")
    for read in (inputs.read_table, inputs.read_texts):
        with pytest.raises(asof.DataError, match="the header names 'place' more than once; rename all but one"):
            read(file)


def test_a_range_that_ends_before_it_begins_is_refused(copied: Finished) -> None:
    """Nothing would be answered, and nothing said."""
    folder, _ = copied
    asked = asof.Asked(start="2021-07-04", end="2021-07-01")
    with pytest.raises(asof.DataError, match="--start 2021-07-04 is not before --end 2021-07-01"):
        asof.predict(asof.open_project(str(folder)), asked, folder / "answers.parquet")


def test_the_next_period_is_the_last_that_may_be_asked_about(tmp_path: Path) -> None:
    """Weeks asked a day ahead, rows up to a Saturday: on Sunday the week that begins on Monday is asked about."""
    week = world.PROJECT.replace("every: 1d", "every: 1w").replace("[1d, 2d]", "[1d]").replace("delay: 1d", "delay: 0h")
    rows = world.calls(days=191)  # up to Saturday 10 July
    world.make(tmp_path / "world", project=week.replace("{windows: [7d, 28d], lags: [7d]}", "{}"), rows=rows)
    workspace = asof.open_project(str(tmp_path / "world"))
    asof.ingest(workspace)
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    asked = predicting.next_questions(prepared, prepared.panel.places.ids)
    assert set(asked["start"]) == {datetime(2021, 7, 12, 4, tzinfo=UTC)}
    assert set(asked["as_of"]) == {datetime(2021, 7, 11, 4, tzinfo=UTC)}
    assert asked.height == 6


def test_a_release_answers_only_for_the_page_that_made_it(copied: tuple[Path, Mapping[str, Any]]) -> None:
    """Features of the same names may mean something else: another delay is refused, another file is not."""
    folder, _ = copied
    asked = Asked(start="2021-07-01", end="2021-07-02")
    with pytest.raises(DataError, match="was made by another page"):
        asof.predict(asof.open_project(str(folder), overrides=["sources.calls.delay=2d"]), asked)
    elsewhere = asof.open_project(str(folder), overrides=["sources.calls.quarantine=0.5", "train.budget=1s"])
    assert asof.predict(elsewhere, asked)["answered"] == 12


def test_columns_of_a_file_that_are_called_like_an_answer_are_kept(
    copied: tuple[Path, Mapping[str, Any]], tmp_path: Path
) -> None:
    """What was asked stays beside what is answered, under a name of its own."""
    folder, _ = copied
    rows = pl.DataFrame({"place": ["z1"], "start": ["2021-07-20"], "prediction": ["mine"], "release": ["v9"]})
    rows.write_csv(tmp_path / "rows.csv")
    asof.predict(asof.open_project(str(folder)), Asked(input=tmp_path / "rows.csv"), tmp_path / "told.parquet")
    told = pl.read_parquet(tmp_path / "told.parquet")
    assert told.select("prediction_given", "release_given", "place").row(0) == ("mine", "v9", "z1")
    assert told["prediction"][0] > 0
