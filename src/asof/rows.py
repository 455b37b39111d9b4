"""Single rows as units: one question about each row of a source, and its label."""

import difflib
from collections.abc import Sequence

import polars as pl

from asof.data import UTC_TIME, SourceTable
from asof.errors import DataError
from asof.lookups.base import OWN
from asof.panels import Panel
from asof.times import shift

ASKED = ("place", "start", "end", "as_of", "horizon")
MOST_CLASSES = 100
"""More classes than this are no classes."""


def questions(table: SourceTable, panel: Panel, group: Sequence[str] = ()) -> pl.DataFrame:
    """Ask about every row of ``table`` at every horizon, as of the start of the period that its time states.

    Returns ``place`` (String), ``start``, ``end``, ``as_of`` (UTC; null for rows without a time), ``horizon``,
    ``unit`` (the row's key), ``own.NAME`` for each column of ``panel.own``, ``label`` (Float64; null = not yet
    known), ``known_at`` (UTC: when the row became available), and ``group`` (String) where rows belong together: by
    the columns in ``group``; and for rows without a time those of one place, or without places those that are equal in
    all that is known of them. The order is that of the table.

    Raises:
        DataError: the label's column is missing or holds no numbers, or a column of ``group`` is missing.
    """
    rows = table.rows
    asked = pl.DataFrame(
        {
            "place": rows["_place"],
            "start": rows["_event"].cast(UTC_TIME),
            "end": rows["_ended"].cast(UTC_TIME),
        }
    )
    told = asked.with_columns(
        rows["_key"].cast(pl.String).alias("unit"),
        *(own(rows[name]).alias(OWN + name) for name in panel.own),
        label(table, panel),
        rows["_available"].cast(UTC_TIME).alias("known_at"),
    )
    together = _together(rows, told, panel, group)
    if together is not None:
        told = told.with_columns(together)
    parts = [
        told.with_columns(
            shift(told["start"], step, panel.zone, -1).alias("as_of"), pl.lit(str(step)).alias("horizon")
        ).with_row_index("_row")
        for step in panel.horizons
    ]
    made = pl.concat(parts).sort("_row", maintain_order=True) if len(parts) > 1 else parts[0]
    return made.select(*ASKED, pl.exclude("_row", *ASKED))


def own(column: pl.Series) -> pl.Series:
    """A column of the user's as a question carries it: numbers as Float64, days since 1970 for dates, else text."""
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return column.cast(pl.Datetime("us")).to_physical().cast(pl.Float64) / 86_400_000_000
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64).fill_nan(None)
    return column.cast(pl.String)


def label(table: SourceTable, panel: Panel) -> pl.Series:
    """Label of each row (Float64, null = not yet known): the number, or the position of its class in ``panel.classes``.

    Raises:
        DataError: there is no such column, or it holds no numbers.
    """
    column = _column(table, panel.column or "")
    if panel.measure == "classes":
        codes = pl.Series(range(len(panel.classes)), dtype=pl.Float64)
        names = pl.Series(panel.classes, dtype=pl.String)
        return written(column).replace_strict(names, codes, default=None, return_dtype=pl.Float64).alias("label")
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        message = (
            f"{table.name}.{panel.column} is {column.dtype}, not a number; state its type in checks:, or predict its "
            "classes"
        )
        raise DataError(message)
    return column.cast(pl.Float64).fill_nan(None).alias("label")


def classes(table: SourceTable, name: str) -> tuple[str, ...]:
    """Classes of a column, in the order of numbers or of the alphabet.

    Raises:
        DataError: there is no such column, there is one class only, or there are too many.
    """
    column = _column(table, name)
    found = column.drop_nulls().unique().sort()
    texts = tuple(written(found).to_list())
    if len(texts) < 2:
        held = f"only the class {texts[0]!r}" if texts else "no class at all"
        raise DataError(f"{table.name}.{name} holds {held}: there is nothing to tell apart; look at predict.classes")
    if len(texts) > MOST_CLASSES:
        message = (
            f"{table.name}.{name} holds {len(texts)} different values, at most {MOST_CLASSES} can be classes; "
            "predict its value instead, or put values together first"
        )
        raise DataError(message)
    return texts


def written(column: pl.Series) -> pl.Series:
    """Return classes as text: whole numbers without a point."""
    if column.dtype.is_float() and bool((column.drop_nulls() == column.drop_nulls().round()).all()):
        column = column.cast(pl.Int64)
    return column.cast(pl.String)


def _together(rows: pl.DataFrame, told: pl.DataFrame, panel: Panel, group: Sequence[str]) -> pl.Series | None:
    """Name of the group of each row, or none where each stands alone."""
    missing = [name for name in group if name not in rows.columns]
    if missing:
        near = difflib.get_close_matches(missing[0], rows.columns, n=1)
        raise DataError(f"judge.group: no column {missing[0]!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    if group:
        named = rows.select(
            pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in group], separator=" ")
        )
        alone = rows.select(pl.all_horizontal(pl.col(name).is_null() for name in group)).to_series()
        return pl.select(pl.when(alone).then(told["unit"]).otherwise(named.to_series())).to_series().alias("group")
    if panel.timed:
        return None
    if panel.places.kind != "all":
        return told["place"].fill_null(told["unit"]).alias("group")
    content = [OWN + name for name in panel.own]
    return told.select(group=pl.struct("place", *content).rank("dense").cast(pl.String)).to_series()


def _column(table: SourceTable, name: str) -> pl.Series:
    if name not in table.rows.columns or name.startswith("_"):
        there = [column for column in table.rows.columns if not column.startswith("_")]
        near = difflib.get_close_matches(name, there, n=1, cutoff=0.5)
        raise DataError(f"{table.name}: no column {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return table.rows[name]
