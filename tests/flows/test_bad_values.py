"""Bad values and times through the command line: refused, set aside or counted, and always told."""

import re
from pathlib import Path

import polars as pl
import pytest

import asof
from tests.flows import world
from tests.flows.commands import Capture, Finished, few, line_of, project, refused, shown

__all__ = ["few"]  # the fixture of a few months of calls


def test_a_column_that_changes_type_half_way(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Undeclared it is text and a warning names the line; declared, its rows are refused, and with them the source."""
    rows = few.with_columns(n=pl.when(pl.int_range(pl.len()) < 2000).then(pl.lit("5")).otherwise(pl.lit("many")))
    folder = world.make(tmp_path / "world", rows=rows)
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height, "valid": few.height, "quarantined": 0, "repeated": 0}
    assert [(one["subject"], one["message"]) for one in told["findings"] if one["check"] == "type change"] == [
        ("calls.n", "the column holds numbers up to here and text from calls.csv:2002 on ('many')")
    ]
    said = refused(capsys, 2, "check", folder, "--set", "predict.count=null", "--set", "predict.sum=calls.n")
    assert "predict.sum: calls.n is text, for its value 'many' in calls.csv:2002; expected a column of numbers" in said
    declared = project(("    place: zone\n", "    place: zone\n    checks: {n: {type: number}}\n"))
    (folder / "project.yaml").write_text(declared)
    lost = few.height - 2000
    assert refused(capsys, 1, "ingest", folder) == (
        f"source calls: {lost:,} of {few.height:,} rows are refused ({lost / few.height:.1%}, at most 20.0%): "
        f"{lost:,} rows refused: n: not a number (such as calls.csv:2002, 'many')"
    )
    lake = asof.open_project(str(folder)).lake
    assert lake.valid("calls").height == lake.raw("calls").height == few.height  # the tables of before stand


def test_a_third_of_the_rows_has_no_coordinates(tmp_path: Path, capsys: Capture) -> None:
    """Warned, counted, and the whole job still runs on the others."""
    rows = (
        world.calls(days=160)
        .with_row_index("row")
        .with_columns(lat=40.7 + 0.03 * pl.col("zone").str.slice(1).cast(pl.Int64), lon=-73.9)
    )
    lost = pl.col("row") * 7919 % 10 < 3
    rows = rows.with_columns(pl.when(lost).then(None).otherwise(name).alias(name) for name in ("lat", "lon")).drop(
        "row"
    )
    text = project(
        ("    place: zone\n", "    place: {lat: lat, lon: lon}\n"), ("per: {place: zone", "per: {place: h3:7")
    )
    folder = world.make(tmp_path / "world", project=text, rows=rows)
    told = shown(capsys, "run", folder)
    missing = rows["lat"].null_count()
    assert told["promoted"] is True
    assert told["rows"] == {"read": rows.height, "valid": rows.height, "quarantined": 0, "repeated": 0}
    found = {one["check"]: one for one in told["findings"] if one["check"] in {"place", "places"}}
    assert found["place"]["severity"] == found["places"]["severity"] == "warning"
    assert found["place"]["rows"] == found["places"]["rows"] == missing
    assert found["places"]["message"] == (
        f"{missing:,} rows ({missing / rows.height:.1%}) have no coordinates or lie outside every place; "
        "they are not counted"
    )


def test_keys_that_come_again_with_different_content(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """All versions are kept, the last seen is used, and they are counted."""
    revised = few.head(5).with_columns(zone=pl.lit("z9"))
    folder = world.make(tmp_path / "world", rows=pl.concat([few, revised]))
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height + 5, "valid": few.height, "quarantined": 0, "repeated": 5}
    [found] = [one for one in told["findings"] if one["check"] == "revised"]
    assert found["rows"] == 5
    assert "5 rows whose key comes again with different content; the last seen is used" in found["message"]
    lake = asof.open_project(str(folder)).lake
    assert lake.raw("calls").height == few.height + 5
    assert lake.valid("calls").filter(pl.col("zone") == "z9")["id"].sort().to_list() == revised["id"].sort().to_list()


def test_times_that_do_not_exist_or_exist_twice(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """In New York 02:30 was skipped on 2021-03-14, and 01:30 came twice on 2020-11-01: read as the later."""
    rows = few.with_columns(
        at=pl.when(id="c5")
        .then(pl.lit("2021-03-14 02:30"))
        .when(id="c6")
        .then(pl.lit("2020-11-01 01:30"))
        .otherwise("at")
    )
    folder = world.make(tmp_path / "world", rows=rows)
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height, "valid": few.height - 1, "quarantined": 1, "repeated": 0}
    assert told["sources"][0]["reasons"] == [{"reason": "at: time does not exist in America/New_York", "rows": 1}]
    [found] = [one for one in told["findings"] if one["check"] == "doubled time"]
    assert found["rows"] == 1
    assert "exists twice (end of summer time), read as the later" in found["message"]
    lake = asof.open_project(str(folder)).lake
    assert lake.quarantine("calls").select("id", "at").rows() == [("c5", "2021-03-14 02:30")]
    [event] = lake.valid("calls").filter(pl.col("id") == "c6")["_event"]
    assert f"{event:%F %R}" == "2020-11-01 06:30"


# time


def test_a_lag_that_cannot_be_known_in_time(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Refused before anything is fitted: the line of the feature, and the shortest legal lag, which is taken."""
    folder = world.make(tmp_path / "world", project=project(("lags: [7d]", "lags: [3d]")), rows=few)
    message = (
        f"{line_of(folder, 'history')}: features.history.lags: a lag of 3d is not known in time: "
        "one period of 1d + horizon 2d + delay 1d; the shortest legal lag is 4d"
    )
    for verb in ("check", "run", "train"):
        assert refused(capsys, 2, verb, folder) == message
    assert shown(capsys, "check", folder, "--set", "features.history.lags=[4d]")["refused"] is False


def test_no_rows_after_the_cut(copied: Finished, capsys: Capture) -> None:
    """Until when the source is known is said; no file is written."""
    folder, _ = copied
    out = folder / "answers.parquet"
    said = refused(capsys, 2, "backtest", folder, "--cut", "2022-01-01", "--out", out)
    assert said == "no rows of calls after the cut 2022-01-01: it is known until 2021-07-21"
    assert not out.exists()


COVERED = ("    place: zone\n", "    place: zone\n    covered: [[2021-01-01, 2021-07-20]]\n")


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2021-05-20", "2021-06-10", "test questions of the cut 2021-05-25"),
        ("2021-06-18", "2021-07-25", "test questions of the cut 2021-06-22"),
    ],
    ids=["in a fold", "in the holdout"],
)
def test_a_label_that_is_constant_in_a_fold(first: str, last: str, said: str, tmp_path: Path, capsys: Capture) -> None:
    """No call at all in days that are declared to be complete: judged, and said; an R2 is null."""
    day = pl.col("at").str.slice(0, 10)
    rows = world.calls().filter(~day.is_between(pl.lit(first), pl.lit(last)))
    folder = world.make(tmp_path / "world", project=project(COVERED), rows=rows)
    told = shown(capsys, "run", folder)
    found = [one["message"] for one in told["findings"] if one["check"] == "constant label"]
    assert any(message.startswith("the label is 0 in all") and said in message for message in found)
    assert not any("declare covered" in one["message"] for one in told["findings"])
    if "holdout" in said:
        assert told["holdout"]["r2"]["value"] is None


def test_a_label_that_is_constant_everywhere(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """There is nothing to learn."""
    text = project(("  count: calls", "  mean: calls.n"), ("[poisson]", "[linear]"))
    folder = world.make(tmp_path / "world", project=text, rows=few.with_columns(n=3))
    assert re.fullmatch(
        r"the label is 3 in all \d+ questions: there is nothing to learn; "
        "look at predict: and at the rows of calls",
        refused(capsys, 2, "run", folder),
    )
    assert asof.open_project(str(folder)).registry.releases() == []


def test_rows_that_are_equal_and_have_no_key_are_counted(tmp_path: Path) -> None:
    """Nothing tells a row that came twice from two that are alike: one is kept, and how many were not is said."""
    (tmp_path / "calls.csv").write_text("day,zone\n2021-01-01,a\n2021-01-01,a\n2021-01-02,b\n2021-01-01,a\n")
    (tmp_path / "project.yaml").write_text(
        "name: x\nsources:\n  calls: {files: calls.csv, time: {columns: [day]}, place: zone}\n"
        "predict: {count: calls, per: {place: zone, every: 1d}}\n"
    )
    told = asof.ingest(asof.open_project(str(tmp_path)))
    assert told["rows"] == {"read": 4, "valid": 2, "quarantined": 0, "repeated": 2}
    (found,) = [one for one in told["findings"] if one["check"] == "equal rows"]
    assert (found["subject"], found["rows"]) == ("calls", 2)
    assert "give the source a key" in found["message"]
