"""Keys and content hashes of raw rows, the same on every platform and version of Polars."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b

import numpy as np
import polars as pl

from asof.data import UTC_TIME
from asof.errors import DataError
from asof.ports import Batch

OURS = ("_key", "_hash", "_file", "_line", "_first_seen", "_month", "_broken", "_text")
"""Columns of raw rows that are not the user's."""

NAMED, ENDED, ESCAPE = "\x1f", "\x1e", "\x1b"
"""Between name and value, after a value, and before one of the three where a value contains it."""


def marked(batch: Batch, key: Sequence[str], month: pl.Series, seen: datetime) -> pl.DataFrame:
    """Rows of a batch, broken lines included, with our columns; see ``once``."""
    user = [name for name in batch.rows.columns if name not in ("_file", "_line")]
    taken = sorted(set(user) & set(OURS))
    if taken:
        raise DataError(f"column {taken[0]!r} has a name that Asof uses itself: rename it in the source")
    rows = batch.rows.with_columns(
        hashes(batch.rows.select(user)).alias("_hash"), month.fill_null("unknown").alias("_month")
    )
    rows = rows.with_columns(keys(rows, key).alias("_key"))
    if batch.broken is not None and not batch.broken.is_empty():
        lost = batch.broken.select("_file", "_line", _text="text", _broken="reason", _month=pl.lit("unknown"))
        marks = hashes(lost.select("_text", "_broken"))
        rows = pl.concat([rows, lost.with_columns(marks.alias("_hash"), marks.alias("_key"))], how="diagonal")
    else:
        rows = rows.with_columns(_text=pl.lit(None, pl.String), _broken=pl.lit(None, pl.String))
    return once(rows.with_columns(_first_seen=pl.lit(seen).cast(UTC_TIME)))


def once(rows: pl.DataFrame) -> pl.DataFrame:
    """Leave out the rows that say the same of their ``_key`` as the row of that key before them."""
    # To count hashes is far cheaper than to compare rows, and nearly always shows that there is nothing to drop.
    if rows["_hash"].n_unique() == rows.height:
        return rows
    return rows.filter(pl.col("_hash").ne_missing(pl.col("_hash").shift().over("_key")))


def news(rows: pl.DataFrame, versions: pl.DataFrame, *, again: bool = False) -> pl.DataFrame:
    """Rows of a batch that are versions of their own: with a new content, or with a former one that came back.

    What is read once more is no news: of a key of which all contents are known the last one told counts, and it is
    held against the newest version. A file that has changed also repeats what other files have corrected since, so
    with ``again`` it is held against the newest version out of the same file; where there is none nothing came back.

    Args:
        rows: n rows as ``marked`` gives them, in the order in which they were told.
        versions: kept versions of their keys: ``_key``, ``_hash``, ``_first_seen``, ``_file``, ``_line``.
        again: whether the file of the batch was read before, in another state.
    """
    known = versions.select("_key", "_hash", _known=pl.lit(True)).unique()
    told = rows.with_row_index("_at").join(known, on=["_key", "_hash"], how="left", maintain_order="left")
    told = told.with_columns(pl.col("_known").fill_null(value=False))
    former = versions.sort("_first_seen", "_file", "_line", nulls_last=True)
    by = ["_key", "_file"] if again else ["_key"]
    newest = former.group_by(by, maintain_order=True).agg(_newest=pl.col("_hash").last())
    told = told.join(newest, on=by, how="left", maintain_order="left")
    begun = pl.col("_at").filter(~pl.col("_known")).min().over("_key")
    back = begun.is_null() & (pl.col("_at") == pl.col("_at").max().over("_key"))
    back &= pl.col("_hash") != pl.col("_newest")  # unknown, and so no news, where there is no newest
    return told.filter((pl.col("_at") >= begun).fill_null(value=False) | back.fill_null(value=False)).select(
        rows.columns
    )


def hashes(rows: pl.DataFrame) -> pl.Series:
    """Content hash of each row of text columns: 32 hexadecimal digits (BLAKE2b, 128 bits).

    It is taken over the pairs of name and value in the order of the names, values that are missing left out: neither
    the order of the columns nor a new column without values changes it.
    """
    parts = [_pair(rows[name]) for name in sorted(rows.columns)]
    if not parts:
        return pl.Series("_hash", [], pl.String)
    texts = pl.select(pl.concat_str(parts, ignore_nulls=True).alias("_hash")).to_series().cast(pl.Binary)
    digests = b"".join([blake2b(text, digest_size=16).digest() for text in texts])
    digits = np.frombuffer(digests.hex().encode(), dtype="S32")
    return pl.Series("_hash", digits, pl.Binary).cast(pl.String)


def keys(rows: pl.DataFrame, key: Sequence[str]) -> pl.Series:
    r"""Key of each row as text; its ``_hash`` where no key is declared or a part of it is missing.

    Several columns are joined by ``|``; a ``|`` or ``\`` within a value is marked by a ``\`` before it.
    """
    if not key or any(name not in rows.columns for name in key):
        return rows["_hash"].rename("_key")
    if len(key) == 1:
        return rows.select(pl.coalesce(key[0], "_hash").alias("_key")).to_series()
    marked = [pl.col(name).str.replace_all(r"([\\|])", r"\$1") for name in key]
    return rows.select(pl.coalesce(pl.concat_str(marked, separator="|"), "_hash").alias("_key")).to_series()


def _pair(column: pl.Series) -> pl.Series:
    """``name NAMED value ENDED`` of each value that is not missing; no two rows give the same text."""
    name = column.name
    for sign in (ESCAPE, NAMED, ENDED):
        name = name.replace(sign, ESCAPE + sign)
        if column.str.contains(sign, literal=True).any():
            column = column.str.replace_all(sign, ESCAPE + sign, literal=True)
    frame = pl.DataFrame({"value": column})
    return frame.select(pl.concat_str(pl.lit(name + NAMED), "value", pl.lit(ENDED))).to_series().rename(column.name)
