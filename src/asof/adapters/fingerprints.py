"""Keys and content hashes of raw rows, the same on every platform and version of Polars."""

from collections.abc import Sequence
from hashlib import blake2b

import numpy as np
import polars as pl

NAMED, ENDED, ESCAPE = "\x1f", "\x1e", "\x1b"
"""Between name and value, after a value, and before one of the three where a value contains it."""


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
