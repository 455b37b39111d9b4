"""Remarks: single words within text that come with one class alone."""

import numpy as np
import polars as pl

from asof.audit.columns import Ints
from asof.data import Finding, Severity

EXPECTED = 15.0
"""In the rows with a word so many of other classes are expected, and next to none come."""
PURE = 0.01
MOST_ROWS = 20_000


def telling(column: pl.Series, codes: Ints) -> Finding | None:
    """The word of a column of text that comes with one class alone; none where there is no such word.

    Args:
        column: n texts.
        codes: n classes.
    """
    if column.dtype != pl.String or column.len() > MOST_ROWS:
        return None
    share = np.bincount(codes) / len(codes)
    words = pl.DataFrame({"word": column.str.to_lowercase().str.extract_all(r"\w+").list.unique(), "code": codes})
    counts = words.explode("word").drop_nulls().group_by("word", "code").len()
    most = counts.sort("len", "code", descending=[True, False]).group_by("word", maintain_order=True)
    found = most.agg(rows=pl.col("len").sum(), code=pl.col("code").first(), own=pl.col("len").first())
    others = pl.Series(1.0 - share)
    found = found.with_columns(expected=pl.col("rows") * others.gather(found["code"]))
    pure = found.filter(
        (pl.col("expected") >= EXPECTED)
        & (pl.col("rows") - pl.col("own") <= PURE * pl.col("expected"))
        & (pl.col("rows") < len(codes))
    ).sort("expected", "word", descending=[True, False])
    if pure.height == 0:
        return None
    word, rows, code, own, expected = pure.row(0)
    message = (
        f"where {column.name} holds the word {word!r}, all but {rows - own} of {rows:,} rows are of class {code}, "
        f"while {expected:.0f} others were expected: it comes with the outcome"
    )
    return Finding("too good", Severity.ERROR, column.name, message, limit=PURE, rows=rows)
