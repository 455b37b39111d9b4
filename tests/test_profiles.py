"""The profile of a source: one row a column."""

from datetime import UTC, datetime

import polars as pl

from asof import profiles
from asof.data import UTC_TIME


def test_one_row_a_column_with_its_figures() -> None:
    valid = pl.DataFrame(
        {
            "n": [1, 2, 2, None],
            "x": [0.5, 1.5, 2.5, 3.5],
            "t": ["a", "b", "b", "c" * 60],
            "none": [None] * 4,
            "_event": [datetime(2024, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)],
            "_key": ["1", "2", "3", "4"],
        },
        schema_overrides={"none": pl.String, "_event": UTC_TIME},
    )
    profile = profiles.of("s", valid)
    assert (profile.source, profile.rows) == ("s", 4)
    assert profile.columns.columns == ["column", "type", "missing", "distinct", "low", "median", "high", "top"]
    rows = {row[0]: row[1:] for row in profile.columns.iter_rows()}
    assert rows["n"] == ("integer", 0.25, 2, "1", "2", "2", "2 (2), 1 (1)")
    assert rows["x"] == ("number", 0.0, 4, "0.5", "2", "3.5", None)
    assert rows["t"] == ("text", 0.0, 3, None, None, None, f"b (2), a (1), {'c' * 39}… (1)")
    assert rows["none"] == ("text", 1.0, 0, None, None, None, None)
    assert rows["_event"][:3] == ("time", 0.0, 4)
    assert rows["_event"][3:6] == ("2024-01-01 00:00", "2024-01-02 12:00", "2024-01-04 00:00")
    assert "_key" not in rows


def test_a_table_without_rows_or_time_has_a_profile() -> None:
    valid = pl.DataFrame({"x": [], "_event": []}, schema={"x": pl.Float64, "_event": UTC_TIME})
    assert profiles.of("s", valid).columns.rows() == [("x", "number", 0.0, 0, None, None, None, None)]
