"""Offsets: what a recipe is learnt against, a feature that says by itself what the label should be."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof.data import Table
from asof.errors import DataError


@dataclass(frozen=True)
class Offset:
    """A column that is taken off the label before it is learnt, and put back on what is predicted."""

    column: str
    log: bool
    """Whether log(1 + column) is taken off log(1 + label)."""
    level: float
    """Stands for the column where that is unknown: its median over the training rows, on the scale that is learnt."""

    @classmethod
    def of(cls, column: str, features: pl.DataFrame, *, log: bool) -> "Offset":
        """Find the level; raises DataError for a column that is not there, holds text, or is never known."""
        if column not in features.columns:
            raise DataError(f"nothing to learn against: there is no feature {column}; name one of numbers")
        dtype = features.schema[column]
        if not (dtype.is_numeric() or dtype in {pl.Boolean, pl.Null}):
            raise DataError(f"feature {column} is {dtype}; expected numbers to learn against")
        known = _scaled(features[column], log=log).drop_nulls()
        if known.is_empty():
            raise DataError(f"feature {column} is known of no training question; nothing can be learnt against it")
        return cls(column, log, float(np.median(known.to_numpy())))

    def read(self, features: pl.DataFrame) -> NDArray[np.float64]:
        """What is taken off and put back, one number a row."""
        return _scaled(features[self.column], log=self.log).fill_null(self.level).to_numpy()

    def off(self, table: Table) -> Table:
        """Return the table with labels, on the scale that is learnt, that lack the offset."""
        label = table.label.cast(pl.Float64).to_numpy() - self.read(table.features)
        return replace(table, label=pl.Series(table.label.name, label))

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"column": self.column, "log": self.log, "level": self.level}


def _scaled(column: pl.Series, *, log: bool) -> pl.Series:
    """Float64, null where unknown; logarithms by Polars, so that a row has the same bits among many."""
    numbers = column.cast(pl.Float64).to_frame("x")
    wanted = pl.col("x").log1p() if log else pl.col("x")
    fits = pl.col("x").is_finite() & ((pl.col("x") >= 0) if log else pl.lit(value=True))
    return numbers.select(pl.when(fits).then(wanted))["x"]
