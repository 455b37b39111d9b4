"""A lookup of this project: full and half baths, out of the one number in which listings write both."""

import polars as pl

import asof


@asof.lookup
def baths(questions: pl.DataFrame, past: object) -> pl.DataFrame:  # noqa: ARG001 what the row says is enough
    """Split ``BathsTotal``: 2.1 is two full baths and one half, not two and a tenth."""
    written = questions["own.BathsTotal"]
    full = written.floor()
    return pl.DataFrame({"baths_full": full, "baths_half": ((written - full) * 10).round()})
