"""Labels: the truth of each question, and when it could be known."""

import difflib

import polars as pl

from asof.data import UTC_TIME, SourceTable
from asof.errors import DataError
from asof.ledgers import Moments, Past
from asof.panels import Panel
from asof.times import shift


def labels(questions: pl.DataFrame, past: Past) -> pl.DataFrame:
    """Give each question the count, distinct values, sum, mean or maximum of its place's rows, start < _ended <= end.

    Returns ``label`` (Float64) and ``known_at`` (UTC; end of the period + delay of the source, or later, when the last
    of its rows became available; of distinct values, when the last of them was first known), of the height and order
    of ``questions``. A covered period without rows counts and sums to 0, and has no mean or maximum (null). A period
    that the source does not cover whole is unknown (null), never 0.

    Raises:
        DataError: the periods overlap, a column is missing or holds no numbers, or the rows of the source state their
            times more coarsely than the period.
    """
    panel = past.panel
    table = past.table(panel.source)
    periods = questions.select("start", "end").unique().sort("start", "end")
    if (periods["start"] < periods["end"].shift(1)).any():
        raise DataError("labels: the periods of the questions overlap; expected the periods of one panel")
    measured = _measured(table, panel, periods)
    low, high = Moments.of(periods["start"]), Moments.of(periods["end"])
    whole = past.covered(panel.source, low, high) >= high.micros() - low.micros()
    periods = periods.with_columns(
        pl.Series("_covered", whole),
        known_at=shift(periods["end"].cast(UTC_TIME), past.delay(panel.source), panel.zone),
    )
    joined = questions.select("place", "start").join(periods.drop("end"), on="start", how="left", maintain_order="left")
    joined = joined.join(measured, on=["place", "start"], how="left", maintain_order="left")
    label = pl.col("label").fill_null(0.0) if panel.measure in {"count", "distinct", "sum"} else pl.col("label")
    known_at = pl.max_horizontal("known_at", "_complete")
    return joined.select(pl.when("_covered").then(label).alias("label"), known_at.alias("known_at"))


def _measured(table: SourceTable, panel: Panel, periods: pl.DataFrame) -> pl.DataFrame:
    """One row a place and period that has rows: place, start, label, and when the last of them became available."""
    rows = table.rows.select(
        place=pl.col("_place"),
        event=pl.col("_event").cast(UTC_TIME),
        ended=pl.col("_ended").cast(UTC_TIME),
        available=pl.col("_available").cast(UTC_TIME),
        value=_value(table, panel),
    )
    edges = periods.with_columns(start=pl.col("start").cast(UTC_TIME), end=pl.col("end").cast(UTC_TIME))
    edges = edges.with_columns(opens=pl.col("start"))
    # half open at the start: a row that ended exactly then belongs to the period before
    found = rows.sort("ended").join_asof(
        edges.sort("opens"), left_on="ended", right_on="opens", strategy="backward", allow_exact_matches=False
    )
    found = found.filter(pl.col("ended") <= pl.col("end"))
    _refuse_coarse(found, table, panel)
    found = found.filter(pl.col("place").is_not_null())
    if panel.measure == "distinct":
        # a value is there from the earliest row on that tells it, so that later ones change nothing
        values = found.drop_nulls("value").group_by("place", "start", "value", maintain_order=True)
        found = values.agg(pl.col("available").min())
    measure = {
        "distinct": pl.len().cast(pl.Float64),
        "count": pl.len().cast(pl.Float64),
        "sum": pl.col("value").sum(),
        "mean": pl.col("value").mean(),
        "max": pl.col("value").max(),
    }[panel.measure]
    # sums do not depend on the order of loading: rows are in the order of the clock and, within it, of the source
    return found.group_by("place", "start", maintain_order=True).agg(label=measure, _complete=pl.col("available").max())


def _value(table: SourceTable, panel: Panel) -> pl.Expr:
    if panel.measure == "count":
        return pl.lit(None, dtype=pl.Float64)
    column = panel.column or ""
    if column not in table.rows.columns:
        near = difflib.get_close_matches(column, table.rows.columns, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"{table.name}: no column {column!r} to take the {panel.measure} of{hint}")
    if panel.measure == "distinct":
        return pl.col(column)
    kind = table.rows.schema[column]
    if not (kind.is_numeric() or kind == pl.Boolean):
        raise DataError(f"{table.name}.{column} is {kind}, not a number; state its type in checks:, or clean it first")
    return pl.col(column).cast(pl.Float64).fill_nan(None)


def _refuse_coarse(found: pl.DataFrame, table: SourceTable, panel: Panel) -> None:
    if found.is_empty():
        return
    stated = found.select(
        rows=(pl.col("ended") - pl.col("event")).median(), periods=(pl.col("end") - pl.col("start")).median()
    ).row(0)
    if stated[0] > stated[1]:
        raise DataError(
            f"{table.name}: half of its rows state times no finer than {stated[0]}, longer than a period of "
            f"{panel.every}; "
            "choose a longer predict.per.every, or name a column with the time of day"
        )
