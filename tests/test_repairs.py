"""Declared repairs of cells: what each does, in which order, how it is counted, and what real station files need."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from asof import checks, repairs, verbs
from asof.cli import main
from asof.data import Severity
from asof.errors import ProjectError, Refused
from asof.flows import checking, intake
from asof.repairs import Repaired
from asof.specs import CheckSpec, RepairSpec, SourceSpec
from tests.flows import commands
from tests.test_checks import raw, refused

NOW = datetime(2024, 6, 1, tzinfo=UTC)
Text = dict[str, list[str | None]]


def repair(text: Text, *items: dict[str, Any], kept: tuple[str, ...] = ()) -> Repaired:
    frame = pl.DataFrame(text, schema=dict.fromkeys(text, pl.String))
    return repairs.apply(frame, [RepairSpec(**item) for item in items], "s", kept=kept)


def counted(done: Repaired) -> list[tuple[str, str, int | None]]:
    return [(one.subject, one.message, one.rows) for one in done.findings]


def validate(frame: pl.DataFrame, **spec: Any) -> checks.Validated:
    return checks.validate(frame, SourceSpec(**{"quarantine": 1.0, **spec}), now=NOW, name="s")


def test_a_sentinel_is_a_number_however_it_is_written_or_a_text() -> None:
    text: Text = {"x": ["9999.9", "9999.90", " 9999.9"[1:], "99.99", "none", "9999", None]}
    done = repair(text, {"columns": ("x",), "missing": ("9999.9", "none")})
    assert done.text["x"].to_list() == [None, None, None, "99.99", None, "9999", None]
    assert counted(done) == [("s.x", "9999.9, none means missing", 4)]
    assert done.findings[0].figure == pytest.approx(4 / 6)
    assert done.findings[0].severity is Severity.NOTE


def test_characters_are_taken_off_the_end_alone() -> None:
    done = repair({"x": ["64.9*", "*64.9", "0.00 G", "*", "7", None]}, {"columns": ("x",), "strip": "*G"})
    assert done.text["x"].to_list() == ["64.9", "*64.9", "0.00", None, "7", None]
    assert counted(done) == [("s.x", "'*G' taken off the end", 3)]


def test_numbers_are_multiplied_then_added_to_and_stay_short() -> None:
    item = {"columns": ("x",), "times": 0.5, "add": 1000}
    assert repair({"x": ["34.2", "-2", "text", None]}, item).text["x"].to_list() == ["1017.1", "999.0", "text", None]
    lost = {"columns": ("x",), "under": 500, "add": 1000}
    done = repair({"x": ["028.2", "17.1", "000.0", "999.8", "500", "nan", "?"]}, lost)
    assert done.text["x"].to_list() == ["1028.2", "1017.1", "1000.0", "999.8", "500", "nan", "?"]
    assert counted(done) == [("s.x", "numbers below 500 plus 1000", 3)]


def test_within_an_item_the_order_is_that_of_the_page_and_items_follow_each_other() -> None:
    one = {"columns": ("x",), "strip": "*", "missing": ("999.9",), "under": 500, "add": 1000}
    assert repair({"x": ["999.9*", "28*"]}, one).text["x"].to_list() == [None, "1028.0"]
    first, second = {"columns": ("x",), "add": 1}, {"columns": ("x",), "times": 10}
    assert repair({"x": ["1"]}, first, second).text["x"].to_list() == ["20.0"]
    assert repair({"x": ["1"]}, second, first).text["x"].to_list() == ["11.0"]


def test_flags_take_the_place_of_their_column_and_lost_zeros_are_put_back() -> None:
    text: Text = {"a": ["x"] * 6, "f": ["010", "10", "0", "012", "0101", None], "b": ["y"] * 6}
    done = repair(text, {"columns": ("f",), "flags": ("fog", "rain", "snow")})
    assert done.text.columns == ["a", "fog", "rain", "snow", "b"]
    assert done.text.select("fog", "rain", "snow").rows() == [
        ("0", "1", "0"),
        ("0", "1", "0"),
        ("0", "0", "0"),
        *[(None, None, None)] * 3,
    ]
    lost = done.findings[1]
    assert (lost.severity, lost.rows, lost.figure) == (Severity.WARNING, 2, 2 / 5)
    assert lost.message == "2 of 5 values are not 3 digits 0 or 1, such as '012': they are missing"


def test_patterns_mean_the_columns_that_match_but_never_the_key() -> None:
    text: Text = {"k_ID": ["1"], "a_ID": ["2"], "b_id": ["3"], "b": ["4"]}
    done = repair(text, {"columns": ("*_ID",), "drop": True}, kept=("k_ID",))
    assert done.text.columns == ["k_ID", "b_id", "b"]
    assert counted(done) == [("s.a_ID", "left out", 1)]


def test_a_pattern_without_a_column_and_a_flag_that_is_there_are_told_together() -> None:
    with pytest.raises(ProjectError) as caught:
        repair({"f": ["01"], "rain": ["1"]}, {"columns": ("f", "*_ATTR"), "flags": ("fog", "rain")})
    assert [(one.where, one.message) for one in caught.value.problems] == [
        ("sources.s.repairs.0.columns", "no column is '*_ATTR': there are f, rain"),
        ("sources.s.repairs.0.flags", "the flag 'rain' has the name of a column that is there: call it otherwise"),
    ]


def test_a_column_that_a_repair_names_must_be_there() -> None:
    with pytest.raises(ProjectError, match=r"sources\.s\.repairs\.0\.columns: .*no column 'TMP': did you mean 'TEMP'"):
        validate(raw({"TEMP": ["1"]}), repairs=(RepairSpec(columns=("TMP",), missing=("1",)),))


def test_columns_made_by_a_repair_are_checked_and_kept_as_others_are() -> None:
    spec = {
        "repairs": (RepairSpec(columns=("f",), flags=("fog", "rain")),),
        "checks": {"rain": CheckSpec(between=(0, 0)), "fog": CheckSpec(type="integer")},
        "columns": ("rain",),
    }
    assert checks.needed(SourceSpec(**spec)) == ("f",)
    result = validate(raw({"f": ["10", "01"], "other": ["a", "b"]}), **spec)
    assert result.valid.select("fog", "rain").rows() == [(1, 0)]
    assert result.quarantine.select("f", "_column", "_reason").rows() == [("01", "rain", "not between 0 and 0")]
    assert "other" not in result.valid.columns


def test_refused_rows_are_kept_as_they_came() -> None:
    items = (RepairSpec(columns=("x",), strip="*", add=1000),)
    result = validate(raw({"x": ["5*", "1"]}), repairs=items, checks={"x": CheckSpec(between=(0, 1003))})
    assert result.valid["x"].to_list() == [1001]
    assert result.quarantine["x"].to_list() == ["5*"]


# Checks of single values --------------------------------------------------------------------------


def test_a_bad_value_counts_as_missing_where_the_check_says_so() -> None:
    frame = raw({"x": ["1", "200", "no", None], "y": ["1", "200", "3", "4"]})
    soft = CheckSpec(type="number", between=(0, 100), otherwise="missing")
    result = validate(frame, checks={"x": soft, "y": CheckSpec(between=(0, 100))})
    assert refused(result) == [(3, "y", "not between 0 and 100")]
    assert result.valid.sort("_line").select("_line", "x", "y").rows() == [(2, 1.0, 1), (4, None, 3), (5, None, 4)]
    told = {one.message for one in result.findings if one.check == "faulty"}
    assert told == {
        "1 of 3 values count as missing: not between 0 and 100 (such as a.csv:3, '200')",
        "1 of 3 values count as missing: not a number (such as a.csv:4, 'no')",
    }


def test_what_is_no_number_lies_in_no_range() -> None:
    frame = raw({"x": ["007", "3", "four", "12"], "whole": ["1", "2", "3", "4"]})
    rules = {"x": CheckSpec(between=(0, 10)), "whole": CheckSpec(between=(0, 10))}
    result = validate(frame, checks=rules)
    assert refused(result) == [(4, "x", "not a number"), (5, "x", "not between 0 and 10")]
    assert result.valid.schema["x"] == result.valid.schema["whole"] == pl.Int64
    assert result.valid["x"].sort().to_list() == [3, 7]


def test_columns_are_compared_and_a_bad_value_does_not_speak_against_its_neighbour() -> None:
    frame = raw(
        {"low": ["1", "5", "5", None, "1"], "mid": ["2", "4", "5", "3", "900"], "top": ["3", "6", "9", "1", "4"]}
    )
    rules = {
        "mid": CheckSpec(between=(0, 100), above="low", otherwise="missing"),
        "top": CheckSpec(above="mid"),
        "low": CheckSpec(below="top"),
    }
    result = validate(frame, checks=rules)
    assert result.valid.sort("_line").select("_line", "low", "mid", "top").rows() == [
        (2, 1, 2, 3),
        (3, 5, None, 6),
        (4, 5, None, 9),
        (6, 1, None, 4),
    ]
    assert refused(result) == [(5, "top", "not above mid")]


def test_what_cannot_be_compared_is_told_with_its_setting() -> None:
    frame = raw({"a": ["x", "y"], "b": ["1", "2"], "empty": [None, None], "day": ["2024-01-01", "2024-01-02"]})
    rules = {"b": CheckSpec(above="a", below="empty"), "a": CheckSpec(below="day")}
    with pytest.raises(ProjectError) as caught:
        validate(frame, checks=rules)
    assert [str(one) for one in caught.value.problems] == [
        "sources.s.checks.b.above: b and a cannot be compared: declare both of type number, or date",
        "sources.s.checks.a.below: a and day cannot be compared: declare both of type number, or date",
    ]


def test_dates_are_compared_as_dates() -> None:
    frame = raw({"from": ["2024-01-09", "2024-01-02"], "to": ["2024-01-10", "2024-01-01"]})
    rules = {"from": CheckSpec(type="date"), "to": CheckSpec(type="date", above="from")}
    assert refused(validate(frame, checks=rules)) == [(3, "to", "not above from")]


@pytest.mark.parametrize("otherwise", ["missing", "quarantine"])
def test_the_share_of_bad_values_is_held_against_a_share(otherwise: Any) -> None:
    frame = raw({"x": [*["1"] * 92, *["999"] * 8, None]})
    for limit, fine in ((0.08, True), (0.0799, False)):
        rule = CheckSpec(between=(0, 10), otherwise=otherwise, faulty=limit)
        found = validate(frame, checks={"x": rule}).findings
        errors = [one for one in found if one.severity is Severity.ERROR]
        assert (not errors) is fine
        if errors:
            assert (errors[0].figure, errors[0].limit, errors[0].rows) == (0.08, limit, 8)
            with pytest.raises(Refused, match=r"x: 8\.0% of the values break a rule \(at most 8\.0%\)"):
                checks.gate(found, "s")


# Real station files -------------------------------------------------------------------------------

PAGE = """\
name: weather
sources:
  stations:
    files: raw/*.csv.gz
    key: [STATION, DATE]
    time: {columns: DATE, zone: UTC}
    place: STATION
    repairs:
      - {columns: "*_ATTRIBUTES", drop: true}
      - {columns: [TEMP, DEWP, MAX, MIN, SLP], strip: "*", missing: 9999.9}
      - {columns: [GUST, SNDP, STP, WDSP, MXSPD, VISIB], missing: 999.9}
      - {columns: PRCP, strip: "ABCDEFGHI", missing: 99.99}
      - {columns: STP, under: 500, add: 1000}
      - {columns: FRSHTT, flags: [fog, rain, snow, hail, thunder, tornado]}
    checks:
      TEMP: {between: [-30, 110], above: MIN, otherwise: missing, faulty: 0.05}
      DEWP: {between: [0, 110], otherwise: missing, faulty: 0.05}
      MAX: {between: [-30, 130], above: TEMP, otherwise: missing, faulty: 0.05}
      MIN: {between: [-50, 110], otherwise: missing, faulty: 0.05}
      SLP: {between: [870, 1085], otherwise: missing, faulty: 0.05}
      STP: {between: [870, 1085], otherwise: missing, faulty: 0.05}
      WDSP: {between: [0, 150], otherwise: missing, faulty: 0.05}
      MXSPD: {between: [0, 200], otherwise: missing, faulty: 0.05}
      GUST: {between: [0, 250], otherwise: missing, faulty: 0.05}
      VISIB: {between: [0, 100], otherwise: missing, faulty: 0.05}
      SNDP: {between: [0, 100], otherwise: missing, faulty: 0.05}
      PRCP: {between: [0, 500], otherwise: missing, faulty: 0.05}
  outcomes:
    files: outcome_of_interest.parquet
    time: date
    checks: {outcome_of_int: {type: number, between: [0, 1.0e+12], required: true}}
predict: {sum: outcomes.outcome_of_int, per: {every: 1d}, horizon: 1d}
"""
SENTINELS = {"9999.9": ("TEMP", "DEWP", "MAX", "MIN", "SLP"), "99.99": ("PRCP",)}
SENTINELS["999.9"] = ("GUST", "SNDP", "STP", "WDSP", "MXSPD", "VISIB")


@pytest.fixture
def stations(tmp_path: Path, shared_data: Path) -> Path:
    """Both stations and the outcomes, not yet read: the first reading is what is counted."""
    folder = tmp_path / "weather"
    (folder / "raw").mkdir(parents=True)
    for file in ("kpdx.csv.gz", "ksle.csv.gz"):
        shutil.copyfile(shared_data / "station_weather" / file, folder / "raw" / file)
    shutil.copyfile(
        shared_data / "station_weather" / "outcome_of_interest.parquet", folder / "outcome_of_interest.parquet"
    )
    (folder / "project.yaml").write_text(PAGE)
    return folder


@pytest.fixture
def written(stations: Path) -> pl.DataFrame:
    """The cells as they stand in the files, without blanks."""
    frames = [pl.read_csv(file, infer_schema_length=0) for file in sorted((stations / "raw").glob("*.gz"))]
    return pl.concat(frames).with_columns(pl.all().str.strip_chars())


@pytest.mark.needs("shared data")
def test_station_files_are_repaired_and_every_cell_counted(stations: Path, written: pl.DataFrame) -> None:
    workspace = verbs.open_project(str(stations))
    told = checking.check(workspace)
    assert told["rows"] == {"read": 7845, "valid": 7845, "quarantined": 0, "repeated": 0}
    valid = workspace.lake.valid("stations").sort("_key")
    assert not [name for name in valid.columns if name.endswith("_ATTRIBUTES")]
    done = {(one["subject"], one["message"]): one["rows"] for one in told["findings"] if one["check"] == "repair"}
    for sentinel, columns in SENTINELS.items():
        for column in columns:
            count = int((written[column].cast(pl.Float64) == float(sentinel)).sum())
            assert done[f"stations.{column}", f"{sentinel} means missing"] == count
            assert valid[column].null_count() == count
    short = written["STP"].cast(pl.Float64) < 500
    assert 0.95 < short.mean() < 0.97  # type: ignore[operator]
    assert done["stations.STP", "numbers below 500 plus 1000"] == int(short.sum())
    assert not [one for one in told["findings"] if one["check"] == "faulty"]


@pytest.mark.needs("shared data")
def test_station_pressure_follows_that_at_sea_level_once_repaired(stations: Path, written: pl.DataFrame) -> None:
    workspace = verbs.open_project(str(stations))
    intake.ingest(workspace)
    valid = workspace.lake.valid("stations")
    for (station,), rows in valid.group_by("STATION"):
        found = rows.select(pl.corr("STP", "SLP")).item()
        assert round(found, 3) in {0.998, 0.999}, station
        before = written.filter(pl.col("STATION") == station).select(pl.col("STP", "SLP").cast(pl.Float64))
        assert before.filter(pl.col("SLP") < 9999, pl.col("STP") < 999.9).select(pl.corr("STP", "SLP")).item() < 0.5


@pytest.mark.needs("shared data")
def test_the_text_of_flags_becomes_six_columns(stations: Path, written: pl.DataFrame) -> None:
    workspace = verbs.open_project(str(stations))
    intake.ingest(workspace)
    valid = workspace.lake.valid("stations").sort("STATION", "DATE")
    text = written.sort("STATION", "DATE")["FRSHTT"]
    for place, flag in enumerate(("fog", "rain", "snow", "hail", "thunder", "tornado")):
        assert valid[flag].dtype == pl.Int64
        assert valid[flag].to_list() == [int(cell[place]) for cell in text]
    assert valid["rain"].sum() > 2000


@pytest.mark.needs("shared data")
def test_several_events_a_day_with_dates_as_text_are_all_valid(stations: Path) -> None:
    workspace = verbs.open_project(str(stations))
    intake.ingest(workspace)
    events = pl.read_parquet(stations / "outcome_of_interest.parquet")
    assert events.schema["date"] == pl.String
    valid = workspace.lake.valid("outcomes")
    assert valid.height == events.height == 2000
    assert valid["outcome_of_int"].sum() == pytest.approx(events["outcome_of_int"].sum(), rel=1e-12)
    assert valid.group_by("date").len()["len"].max() == events.group_by("date").len()["len"].max() == 96


@pytest.mark.needs("shared data")
def test_a_page_without_the_repair_is_refused_by_its_limit_and_says_so(
    stations: Path, tmp_path: Path, capsys: commands.Capture
) -> None:
    folder = without_pressure(stations, tmp_path, faulty=0.05)
    told = commands.refused(capsys, 1, "ingest", folder)
    assert told == "source stations: STP: 96.3% of the values break a rule (at most 5.0%)"


@pytest.mark.needs("shared data")
def test_changed_repairs_are_noticed_by_the_next_run_and_by_a_replay(
    stations: Path, tmp_path: Path, capsys: commands.Capture
) -> None:
    folder = without_pressure(stations, tmp_path, faulty=1.0)
    commands.shown(capsys, "ingest", folder)
    lake = verbs.open_project(str(folder)).lake
    assert lake.valid("stations")["STP"].count() == 216
    (folder / "project.yaml").write_text(PAGE)
    assert notes(commands.shown(capsys, "ingest", folder)) == {"stations": "", "outcomes": "unchanged"}
    assert lake.valid("stations")["STP"].count() == 5830
    assert notes(commands.shown(capsys, "ingest", folder)) == {"stations": "unchanged", "outcomes": "unchanged"}
    shutil.rmtree(folder / "raw")  # a replay needs no more than what is kept, which is as it came
    (folder / "project.yaml").write_text(PAGE.replace("add: 1000", "add: 2000, times: -1"))
    commands.refused(capsys, 1, "ingest", folder, "--replay")
    assert lake.valid("stations")["STP"].count() == 5830
    (folder / "project.yaml").write_text(PAGE.replace("under: 500, add: 1000", "under: 500, add: 1000.5"))
    commands.shown(capsys, "ingest", folder, "--replay")
    changed = lake.valid("stations").filter(pl.col("DATE") == "2016-01-01", pl.col("STATION") == "72698024229")
    assert changed["STP"].to_list() == [1028.7]
    assert lake.raw("stations").filter(pl.col("DATE") == "2016-01-01")["STP"].str.strip_chars().sort().to_list() == [
        "021.5",
        "028.2",
    ]


def without_pressure(stations: Path, tmp_path: Path, *, faulty: float) -> Path:
    """The same project where nothing repairs the pressure, with another limit."""
    folder = Path(shutil.copytree(stations, tmp_path / "copy", ignore=shutil.ignore_patterns(".asof")))
    page = yaml.safe_load(PAGE)
    assert page["sources"]["stations"]["repairs"].pop(4) == {"columns": "STP", "under": 500, "add": 1000}
    page["sources"]["stations"]["checks"]["STP"]["faulty"] = faulty
    (folder / "project.yaml").write_text(yaml.safe_dump(page, sort_keys=False))
    return folder


def notes(told: dict[str, Any]) -> dict[str, str]:
    return {one["source"]: one["note"] for one in told["sources"]}


@pytest.mark.needs("shared data")
def test_check_shows_the_repairs_that_changed_something(stations: Path, capsys: commands.Capture) -> None:
    assert main(["check", str(stations)]) == 0
    told = capsys.readouterr().out
    shown = told[told.index("Repairs") : told.index("Findings")]
    assert re.search(r"stations\.STP +numbers below 500 plus 1000 +5,614 +96\.3 %", shown)
    assert re.search(r"stations\.SLP +9999\.9 means missing +20 +0\.3 %", shown)
    assert re.search(r"\d+\s+more\s+rules\s+changed\s+no\s+cell", shown), shown
    assert "(repair)" not in told
