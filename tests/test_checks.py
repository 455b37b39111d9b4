"""Validation: what refuses a row, what is only said, and what refuses a source."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pytest

from asof import checks
from asof.data import Finding, Severity
from asof.errors import DataError, ProjectError, Refused
from asof.specs import CheckSpec, PointSpec, SourceSpec, TimeSpec

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SEEN = datetime(2024, 5, 1, tzinfo=UTC)


def raw(columns: dict[str, list[str | None]], *, key: str | None = None, **ours: list[Any]) -> pl.DataFrame:
    """Raw rows of one file as the lake gives them; ``ours`` replaces columns of ours."""
    frame = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    count = frame.height
    hashes = [f"h{number}" for number in range(count)]
    given = {
        "_key": frame[key].to_list() if key else hashes,
        "_hash": hashes,
        "_file": ["a.csv"] * count,
        "_line": list(range(2, 2 + count)),
        "_first_seen": [SEEN] * count,
        "_month": ["unknown"] * count,
        "_broken": [None] * count,
        "_text": [None] * count,
    } | ours
    types = {"_line": pl.Int64, "_first_seen": pl.Datetime("us", "UTC"), "_key": pl.String}
    types |= {"_broken": pl.String, "_text": pl.String}
    return frame.hstack(pl.DataFrame(given, schema_overrides=types))


def validate(frame: pl.DataFrame, **spec: Any) -> checks.Validated:
    return checks.validate(frame, SourceSpec(**spec), now=NOW, name="s")


def refused(result: checks.Validated) -> list[tuple[Any, ...]]:
    return result.quarantine.select("_line", "_column", "_reason").rows()


def found(result: checks.Validated, check: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.check == check]


def test_valid_rows_have_types_a_clock_and_their_origin() -> None:
    frame = raw({"id": ["1", "2"], "when": ["2024-03-02 10:30", "2024-03-01 09:00"], "x": ["1.5", " 2 "]}, key="id")
    result = validate(frame, key=("id",), time=TimeSpec(columns=("when",), zone="Europe/Paris"), delay="1d")
    assert result.valid.columns == [
        *("id", "when", "x"),
        *("_key", "_event", "_ended", "_available", "_first_seen", "_file", "_line"),
    ]
    first = result.valid.row(0, named=True)
    assert first["id"] == "2"
    assert first["x"] == 2.0
    assert first["_event"] == datetime(2024, 3, 1, 8, 0, tzinfo=UTC)
    assert first["_ended"] == datetime(2024, 3, 1, 8, 1, tzinfo=UTC)
    assert first["_available"] == datetime(2024, 3, 2, 8, 1, tzinfo=UTC)
    assert (first["_file"], first["_line"], first["_first_seen"]) == ("a.csv", 3, SEEN)
    assert result.quarantine.is_empty()


def test_without_a_time_the_clock_is_null() -> None:
    result = validate(raw({"x": ["1", "2"]}))
    assert result.valid["_event"].to_list() == [None, None]
    assert result.valid.schema["_available"] == pl.Datetime("us", "UTC")


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        (["1", "-2", "+3"], pl.Int64, [1, -2, 3]),
        (["1", "2.5", "1e2"], pl.Float64, [1.0, 2.5, 100.0]),
        (["1.0", "2.0", None], pl.Int64, [1, 2, None]),
        (["007", "123"], pl.String, ["007", "123"]),
        (["a", "1", "2"], pl.String, ["a", "1", "2"]),
        (["?", "NA", ""], pl.String, [None, None, None]),
        (["  ", "4"], pl.Int64, [None, 4]),
        (["0", "0.5", "-0.25"], pl.Float64, [0.0, 0.5, -0.25]),
        (["true", "false"], pl.String, ["true", "false"]),
        (["99999999999999999999", "1"], pl.Float64, [1e20, 1.0]),
        (["inf", "1"], pl.String, ["inf", "1"]),
    ],
)
def test_types_are_found_from_the_values(values: list[str | None], dtype: Any, expected: list[Any]) -> None:
    valid = validate(raw({"x": values})).valid
    assert valid.schema["x"] == dtype
    assert valid.sort("_line")["x"].to_list() == expected


def test_a_found_type_refuses_no_row_but_says_which_cells_are_lost() -> None:
    result = validate(raw({"x": [*["7"] * 199, "seven"]}))
    assert result.valid.height == 200
    assert result.valid["x"].null_count() == 1
    (finding,) = found(result, "type")
    assert finding.rows == 1
    assert finding.message.startswith(
        "1 of 200 values are not numbers, the first 'seven' in a.csv:201; they count as missing"
    )


@pytest.mark.parametrize(
    ("kind", "good", "value", "bad", "reason"),
    [
        ("integer", "4.0", 4, "4.5", "not a whole number"),
        ("integer", "007", 7, "x", "not a whole number"),
        ("number", "1e3", 1000.0, "nan!", "not a number"),
        ("boolean", "Yes", True, "maybe", "neither true nor false"),
        ("boolean", "0", False, "2", "neither true nor false"),
        ("date", "2024-02-29", date(2024, 2, 29), "2023-02-29", "not a date"),
        ("text", "007", "007", None, ""),
    ],
)
def test_a_declared_type_refuses_the_row(kind: Any, good: str, value: Any, bad: str | None, reason: str) -> None:
    result = validate(raw({"x": [good, bad]}), checks={"x": CheckSpec(type=kind)}, quarantine=1.0)
    assert result.valid.sort("_line")["x"][0] == value
    assert refused(result) == ([] if bad is None else [(3, "x", reason)])
    if bad is not None:
        assert result.quarantine["x"].to_list() == [bad]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (CheckSpec(between=(0, 10)), "not between 0 and 10"),
        (CheckSpec(one_of=("5", "6")), "none of 5, 6"),
        (CheckSpec(matches=r"\d"), r"does not match \d"),
    ],
)
def test_rules_refuse_a_value_and_let_a_missing_one_pass(rule: CheckSpec, reason: str) -> None:
    result = validate(raw({"x": ["5", "11", None]}), checks={"x": rule}, quarantine=1.0)
    assert refused(result) == [(3, "x", reason)]
    assert result.valid.sort("_line")["x"].to_list() == [5, None]


def test_a_required_value_refuses_the_row_without_it() -> None:
    result = validate(raw({"x": ["5", "?"]}), checks={"x": CheckSpec(required=True)})
    assert refused(result) == [(3, "x", "missing")]


def test_unique_keeps_the_first_row() -> None:
    result = validate(raw({"x": ["a", "b", "a", None, None]}), checks={"x": CheckSpec(unique=True)})
    assert refused(result) == [(4, "x", "not unique")]
    assert result.valid.sort("_line")["_line"].to_list() == [2, 3, 5, 6]


def test_a_row_without_its_key_is_refused() -> None:
    frame = raw({"id": ["1", None], "x": ["a", "b"]}, _key=["1", "h1"])
    assert refused(validate(frame, key=("id",))) == [(3, "id", "missing")]


def test_all_reasons_of_a_row_are_named() -> None:
    frame = raw({"x": ["a", "50"], "y": ["", "1"]})
    result = validate(frame, checks={"x": CheckSpec(type="integer"), "y": CheckSpec(required=True)}, quarantine=1.0)
    assert refused(result) == [(2, "x; y", "not a whole number; missing")]


def test_coordinates_lie_in_the_box_and_not_at_zero_zero() -> None:
    frame = raw({"lat": ["40.7", "0", "41.5", "40.7", None, "x"], "lon": ["-74", "0", "-74", None, "-74", "-74"]})
    box = (40.0, -75.0, 41.0, -73.0)
    result = validate(frame, place=PointSpec(lat="lat", lon="lon", box=box), quarantine=1.0)
    reasons = {line: reason for line, _, reason in refused(result)}
    assert reasons == {
        3: "no place on the map: the coordinates are 0, 0",
        4: "outside the box 40..41",
        7: "not a number",
    }
    (finding,) = found(result, "place")
    assert finding.rows == 2
    assert finding.message == "2 of 3 rows (66.7%) have no lat or no lon: they belong to no place"


def test_without_a_box_coordinates_lie_on_the_globe() -> None:
    frame = raw({"lat": ["40.7", "91"], "lon": ["-201", "0"]})
    result = validate(frame, place=PointSpec(lat="lat", lon="lon"), quarantine=1.0)
    assert refused(result) == [(2, "lon", "outside -180..180 degrees"), (3, "lat", "outside -90..90 degrees")]


def test_thirty_per_cent_without_coordinates_are_counted_not_refused() -> None:
    frame = raw({"lat": [*["40.5"] * 70, *[""] * 30], "lon": ["-74"] * 100})
    result = validate(frame, place=PointSpec(lat="lat", lon="lon"))
    assert result.valid.height == 100
    (finding,) = found(result, "place")
    assert (finding.severity, finding.rows, finding.figure) == (Severity.WARNING, 30, 0.3)
    checks.gate(result.findings, "s")


def test_times_that_cannot_be_are_refused_and_doubled_ones_counted() -> None:
    written = ["2024-03-10 02:30", "2023-11-05 01:30", "no time", None, "2024-01-01 00:00"]
    result = validate(
        raw({"t": written}),
        time=TimeSpec(columns=("t",), zone="America/New_York"),
        checks={"t": CheckSpec(matches=".*")},
        quarantine=1.0,
    )
    reasons = refused(result)
    assert [line for line, _, _ in reasons] == [2, 4, 5]
    assert {column for _, column, _ in reasons} == {"t"}
    assert "does not exist" in reasons[0][2]
    assert reasons[1][2].startswith("no ")
    (finding,) = found(result, "doubled time")
    assert finding.rows == 1
    assert result.valid["_event"][0] == datetime(2023, 11, 5, 6, 30, tzinfo=UTC)


def test_many_unreadable_times_are_one_finding() -> None:
    written = [f"2024-01-{day:02d}" for day in range(1, 31)] + [f"bad {number}" for number in range(6)]
    result = validate(raw({"t": written}), time=TimeSpec(columns=("t",)))
    (finding,) = found(result, "quarantine")
    assert finding.rows == 6
    assert "a.csv:32, 'bad 0'" in finding.message


def test_a_future_row_is_refused_until_it_has_happened() -> None:
    frame = raw({"t": ["2024-05-31", "2024-06-02", "2024-07-02"]})
    spec = SourceSpec(time=TimeSpec(columns=("t",)), quarantine=1.0)
    result = checks.validate(frame, spec, now=NOW)
    assert refused(result)[0] == (3, "t", "in the future (later than 2024-06-01 00:00 UTC)")
    assert result.next_due == datetime(2024, 6, 2, tzinfo=UTC)
    later = checks.validate(frame, spec, now=datetime(2025, 1, 1, tzinfo=UTC))
    assert later.valid.height == 3
    assert later.next_due is None


def test_a_forecast_with_a_column_of_its_own_for_what_is_known_may_lie_ahead() -> None:
    frame = raw({"t": ["2024-06-20"], "known": ["2024-05-01"]})
    result = validate(frame, time=TimeSpec(columns=("t",), available="known"))
    assert result.valid["_event"].to_list() == [datetime(2024, 6, 20, tzinfo=UTC)]


def test_the_last_seen_content_of_a_key_counts() -> None:
    later = datetime(2024, 5, 2, tzinfo=UTC)
    frame = raw({"id": ["1", "2", "1"], "x": ["new", "b", "old"]}, key="id", _first_seen=[later, SEEN, SEEN])
    result = validate(frame, key=("id",))
    assert result.valid.sort("id").select("id", "x").rows() == [("1", "new"), ("2", "b")]
    (finding,) = found(result, "revised")
    assert finding.message == (
        "1 row whose key comes again with different content; the last seen is used "
        "(such as key '1': a.csv:4, then a.csv:2)"
    )


def test_a_broken_correction_does_not_take_away_the_row() -> None:
    frame = raw({"id": ["1", "1"], "x": ["5", "five"]}, key="id")
    result = validate(frame, key=("id",), checks={"x": CheckSpec(type="integer")}, quarantine=1.0)
    assert result.valid["x"].to_list() == [5]
    assert refused(result) == [(3, "x", "not a whole number")]


def test_exact_duplicates_count_once() -> None:
    result = validate(raw({"id": ["1", "1"]}, key="id", _hash=["h", "h"]), key=("id",))
    assert result.valid.height == 1
    assert [finding.rows for finding in found(result, "duplicates")] == [1]


def test_nothing_is_lost() -> None:
    """Every row is valid, refused, or an earlier version of another."""
    values = [str(number % 23) if number % 7 else "bad" for number in range(500)]
    keys = [str(number % 400) for number in range(500)]
    result = validate(raw({"id": keys, "x": values}, key="id"), key=("id",), checks={"x": CheckSpec(type="integer")})
    revised = sum(finding.rows or 0 for finding in found(result, "revised"))
    assert result.valid.height + result.quarantine.height + revised == 500
    assert revised > 0


def test_broken_lines_come_out_in_quarantine() -> None:
    frame = raw({"x": [*["1"] * 9, None]}, _broken=[*[None] * 9, "3 fields, not 2"], _text=[*[None] * 9, "a,b,c"])
    result = validate(frame)
    assert result.quarantine.select("_line", "_column", "_reason", "_text").rows() == [
        (11, "", "3 fields, not 2", "a,b,c")
    ]
    assert "(such as a.csv:11: 3 fields, not 2)" in found(result, "quarantine")[0].message


def test_a_column_that_changes_type_half_way_is_named_with_the_line() -> None:
    result = validate(raw({"x": [*[str(number) for number in range(50)], *["n/k"] * 50]}))
    (finding,) = found(result, "type change")
    assert finding.message == "the column holds numbers up to here and text from a.csv:52 on ('n/k')"
    assert result.valid.schema["x"] == pl.String
    back = validate(raw({"x": [*["low"] * 20, *["3"] * 20]}))
    assert "text up to here and numbers from a.csv:22 on ('3')" in found(back, "type change")[0].message


def test_a_mixed_column_does_not_change_type() -> None:
    result = validate(raw({"x": ["1", "a"] * 100}))
    assert found(result, "type change") == []
    (finding,) = found(result, "type")
    assert finding.message == "100 of 200 values are numbers; it is text for the others, the first 'a' in a.csv:3"
    assert checks.first_text(result.valid, "x") == "'a' in a.csv:3"
    assert found(validate(raw({"x": ["1", "a", "b"] * 100})), "type") == []


def test_a_declared_column_that_changes_type_half_way_is_refused_and_named() -> None:
    frame = raw({"x": [*["1"] * 50, *["one"] * 50]})
    result = validate(frame, checks={"x": CheckSpec(type="number")})
    assert result.quarantine.height == 50
    assert "from a.csv:52 on" in found(result, "type change")[0].message
    with pytest.raises(Refused, match="50 of 100 rows are refused"):
        checks.gate(result.findings, "s")


def test_shapes_are_findings_and_refuse_nothing() -> None:
    numbers = [str(100 + number % 10) for number in range(99)]
    frame = raw({"x": [*numbers, "9999"], "same": ["k"] * 100, "empty": [""] * 100})
    result = validate(frame)
    assert result.valid.height == 100
    assert "such as 9999 (median 104" in found(result, "outliers")[0].message
    assert [(one.subject, one.message) for one in found(result, "constant")] == [
        ("s.same", "every row has the value 'k'"),
        ("s.empty", "no row has a value"),
    ]


def test_too_many_refused_rows_refuse_the_source() -> None:
    frame = raw({"x": [*["1"] * 7, *["bad"] * 3]})
    result = validate(frame, checks={"x": CheckSpec(type="integer")})
    with pytest.raises(
        Refused, match=r"source s: 3 of 10 rows are refused \(30.0%, at most 20.0%\): 3 rows refused: x:"
    ):
        checks.gate(result.findings, "s")


def test_too_many_missing_values_refuse_the_source() -> None:
    result = validate(raw({"x": ["1", "", "", "4"]}), checks={"x": CheckSpec(missing=0.25)})
    with pytest.raises(Refused, match=r"x is missing in 50.0% of the rows \(at most 25.0%\)"):
        checks.gate(result.findings, "s")


def test_no_valid_row_refuses_the_source() -> None:
    result = validate(raw({"x": ["a"]}), checks={"x": CheckSpec(type="integer")}, quarantine=1.0)
    with pytest.raises(Refused, match="no valid row is left of 1: 1 row refused: x: not a whole number"):
        checks.gate(result.findings, "s")


def test_no_rows_at_all_is_said_so() -> None:
    with pytest.raises(DataError, match="source s has no rows: the files are empty or have only a header"):
        validate(raw({"x": []}))


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(ProjectError, match="source s has no column 'latitude': did you mean 'Latitude'"):
        validate(raw({"Latitude": ["1"], "x": ["1"]}), place=PointSpec(lat="latitude", lon="x"))
    with pytest.raises(ProjectError, match=r"it has a;b;c; is the delimiter right\?"):
        validate(raw({"a;b;c": ["1;2;3"]}), key=("id",))


def test_only_the_columns_asked_for_are_kept() -> None:
    result = validate(raw({"a": ["1"], "b": ["2"], "c": ["3"]}), columns=("c",), checks={"a": CheckSpec(type="text")})
    assert result.valid.columns[:2] == ["a", "c"]
    assert result.valid["a"].to_list() == ["1"]


def test_a_file_that_lost_a_column_is_named() -> None:
    """The place, the time, what is checked: whatever the project names; a value that is rare anyway is not missed."""
    files = ["a.csv"] * 40 + ["b.csv"] * 3 + ["c.csv"] * 1
    columns: dict[str, list[str | None]] = {
        "id": [str(number) for number in range(44)],
        "zone": ["z"] * 40 + [None] * 4,
        "rare": ["1"] + [None] * 43,
        "fine": ["1"] * 44,
        "other": ["1"] * 40 + [None] * 4,
    }
    rules = {"rare": CheckSpec(between=(0, 9)), "fine": CheckSpec(between=(0, 9))}
    result = validate(raw(columns, key="id", _file=files), key=("id",), place="zone", checks=rules)
    (told,) = found(result, "columns")
    assert told == Finding(
        "columns",
        Severity.WARNING,
        "s.zone",
        "2 files have no column 'zone', or nothing in it, unlike the other files: their 4 rows lie in no place "
        "(b.csv, c.csv); bring it back",
        4 / 44,
        None,
        4,
    )
    alone = raw(columns, key="id", _file=files[:41] + ["b.csv"] * 3)
    (told,) = found(validate(alone, key=("id",), checks={"other": CheckSpec()}), "columns")
    assert told.message == (
        "b.csv has no column 'other', or nothing in it, unlike the other files: its 4 rows have none; bring it back"
    )
    assert found(validate(alone[:40], key=("id",), checks={"other": CheckSpec()}), "columns") == []
