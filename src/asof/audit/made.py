"""Made: whether a column that comes out of a file beside the project was worked out from the very rows that are told.

A table of constants has nothing to do with the chance in the rows. What was worked out over the whole table equals a
statistic of it, group by group; or it follows the mean label of groups more closely than chance lets anything follow.
"""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl

from asof.audit import columns
from asof.audit.columns import Floats

LEAST_KINDS = 4
"""Groups that have to agree: a straight line goes through any two, and near three by chance."""
EXACT = 1e-6
"""Share that a statistic leaves untold: the file may be rounded."""
MOST_COLUMNS, MOST_KINDS = 12, 2_000
FOLLOWED = 0.35
"""A number made of labels leaves at most this share of what chance must leave (as in ``too_good``)."""
RELIABLE = 0.97
STATISTICS = ("mean", "sum", "median", "min", "max", "std")


def of(values: pl.Series, keys: Mapping[str, pl.Series], rows: pl.DataFrame, label: pl.Series, *, seed: int = 0) -> str:
    """What a column was made of, in words; empty where it may be a constant.

    Args:
        values: n numbers as questions are given them.
        keys: columns by which rows are known, as the n questions state them, by their names in ``rows``.
        rows: all rows of the source that is predicted.
        label: n labels.
        seed: of the halves into which groups are divided.
    """
    if not values.dtype.is_numeric():
        return ""
    numbers = values.cast(pl.Float64).alias("value")
    for name, key in keys.items():
        if name not in rows.columns:
            continue
        told = pl.DataFrame([key.cast(pl.String).alias("key"), numbers, label.alias("label")]).drop_nulls()
        mine = told.group_by("key").agg(pl.col("value").first(), kinds=pl.col("value").n_unique())
        if not LEAST_KINDS <= mine.height <= MOST_KINDS or (mine["kinds"] > 1).any():
            continue
        for what, table in _statistics(rows, name):
            both = mine.join(table, on="key").drop_nulls()
            if both.height >= LEAST_KINDS and _equal(both["value"].to_numpy(), both["statistic"].to_numpy()):
                return f"it is {what} of each {name.removeprefix('_')}, over all {rows.height:,} rows"
        told = told.sort("key")
        followed, bound = columns.followed(
            told["value"].to_numpy(), told["label"].to_numpy(), told["key"].to_numpy(), np.random.default_rng(seed)
        )
        if bound <= RELIABLE and 1 - followed <= FOLLOWED * (1 - bound):
            return (
                f"it follows the mean label of each {name.removeprefix('_')} by {followed:.3f}, while chance allows "
                f"{bound:.3f}"
            )
    return ""


def _statistics(rows: pl.DataFrame, key: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Number of rows of each key, and statistics of the columns of numbers."""
    grouped = rows.with_columns(pl.col(key).cast(pl.String).alias(" key")).drop_nulls(" key").group_by(" key")
    yield "the number of rows", grouped.agg(pl.len().cast(pl.Float64).alias("statistic")).rename({" key": "key"})
    numbers = [name for name, kind in rows.schema.items() if kind.is_numeric() and not name.startswith("_")]
    for name, way in itertools.product(numbers[:MOST_COLUMNS], STATISTICS):
        found = grouped.agg(getattr(pl.col(name).cast(pl.Float64), way)().alias("statistic"))
        yield f"the {way} of {name}", found.rename({" key": "key"})


def _equal(values: Floats, statistic: Floats) -> bool:
    """Whether one is a straight line of the other, or of its logarithm."""
    if np.ptp(values) == 0 or np.ptp(statistic) == 0 or not np.isfinite(statistic).all():
        return False
    ways = [(values, statistic)]
    if (statistic > 0).all():
        ways.append((values, np.log(statistic)))
    if len(np.unique(values)) < LEAST_KINDS:
        return False
    return any(1.0 - float(np.corrcoef(one, other)[0, 1] ** 2) <= EXACT for one, other in ways)
