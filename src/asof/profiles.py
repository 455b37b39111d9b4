"""The profile of a source: what each column looks like at a glance."""

from datetime import datetime
from typing import Final

import polars as pl

from asof.data import Profile

SHOWN: Final = 40
"""Longest text of a value that a profile repeats."""
TOP: Final = 3
"""Number of most frequent values named."""
NAMES: Final = {"String": "text", "Boolean": "boolean", "Date": "date"}


def of(name: str, valid: pl.DataFrame) -> Profile:
    """Describe the user's columns of a source's valid rows.

    Returns:
        A profile whose table has one row a column: ``column``, ``type``, ``missing`` (share 0..1), ``distinct``,
        ``low``, ``median``, ``high`` (text; of numbers and times, these to the minute) and ``top`` (the most
        frequent values with their counts, of columns in which values repeat).
    """
    user = [column for column in valid.columns if not column.startswith("_")]
    if "_event" in valid.columns and valid["_event"].null_count() < valid.height:
        user = [*user, "_event"]
    columns = pl.DataFrame([_describe(valid[column]) for column in user], schema=_SCHEMA, orient="row")
    return Profile(name, columns, valid.height)


_SCHEMA: Final = {
    "column": pl.String,
    "type": pl.String,
    "missing": pl.Float64,
    "distinct": pl.Int64,
    "low": pl.String,
    "median": pl.String,
    "high": pl.String,
    "top": pl.String,
}


def _describe(column: pl.Series) -> tuple[str, str, float, int, str | None, str | None, str | None, str | None]:
    given = column.drop_nulls()
    missing = column.null_count() / column.len() if column.len() else 0.0
    distinct = given.n_unique()
    ordered = column.dtype.is_numeric() or column.dtype.is_temporal()
    low, median, high = (
        (_text(given.min()), _text(given.median()), _text(given.max()))
        if ordered and len(given)
        else (None, None, None)
    )
    top = _top(given) if 0 < distinct < given.len() and not column.dtype.is_temporal() else None
    return column.name, _type(column.dtype), missing, distinct, low, median, high, top


def _type(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "integer"
    if dtype.is_numeric():
        return "number"
    return NAMES.get(str(dtype), "time" if dtype.is_temporal() else str(dtype).lower())


def _top(given: pl.Series) -> str:
    counts = given.rename("value").value_counts(name="count").sort("count", "value", descending=[True, False])
    return ", ".join(f"{_text(value)} ({count:,})" for value, count in counts.head(TOP).iter_rows())


def _text(value: object) -> str:
    if isinstance(value, datetime):
        text = f"{value:%Y-%m-%d %H:%M}"
    else:
        text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
