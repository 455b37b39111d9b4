"""What later rows may not move: rows as they were known at a cut, and with everything later put at random."""

from datetime import datetime

import numpy as np
import polars as pl

TIMES = ("_event", "_ended", "_available")


def known(rows: pl.DataFrame, cut: datetime) -> pl.DataFrame:
    """Return the rows that were available at ``cut``."""
    return rows.filter(pl.col("_available") <= cut)


def scrambled(rows: pl.DataFrame, cut: datetime, draw: np.random.Generator) -> pl.DataFrame:
    """Return rows of which all that became available after ``cut`` is put at random, and half as many are added.

    Times are shuffled among those rows, together; every other column on its own, since a row that kept its values under
    a new time would still tell the truth. Half of the rows come twice, so that totals of whole stretches move as well.
    """
    later = rows["_available"] > cut
    stay, move = rows.filter(~later), rows.filter(later)
    if move.is_empty():
        return rows
    mixed = move.select("_key").hstack(move.select(TIMES)[draw.permutation(move.height)])
    for column in rows.columns:
        if column not in {"_key", *TIMES}:
            mixed = mixed.with_columns(move[column][draw.permutation(move.height)])
    again = mixed[: move.height // 2].with_columns(pl.lit("again ") + pl.col("_key"))
    parts = [part.select(rows.columns) for part in (stay, mixed, again)]
    return pl.concat(parts).sort("_ended", "_available", "_key")
