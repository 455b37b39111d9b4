"""Numbers of one size for models with penalties."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from asof.data import Table
from asof.encoders.base import State, chosen, few, known


@dataclass(frozen=True)
class Scale:
    """Centre by the mean and divide by the standard deviation; a constant column becomes 0.

    The divisor is never below ``least``: with 1, columns that hardly vary stay small, and a penalty
    holds them back; with 0 all columns get one size. With ``clip`` a value is first brought into
    the range seen in training, so that a linear model on a log link does not run away on a value
    that it has never seen.
    """

    columns: Sequence[str] = ()
    clip: bool = True
    least: float = 0.0

    def fit(self, table: Table) -> State:
        """Learn ``columns``: low, high, centre and width of each."""
        learnt: dict[str, list[float]] = {}
        for name in chosen(table.features, self.columns, pl.Float64):
            column = known(table.features[name])
            numbers = [column.min(), column.max(), column.mean(), column.std(ddof=0)]
            found = [float(value) for value in numbers if isinstance(value, float)]
            learnt[name] = found if len(found) == 4 else [0.0, 0.0, 0.0, 0.0]
        return {"columns": learnt}

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features with scaled numbers in place of the columns learnt."""
        columns = state["columns"]
        if not columns:
            return features
        if few(features, columns, pl.Float64) and not any(features[name].null_count() for name in columns):
            return pl.DataFrame(
                [self._at_once(one, *columns[one.name]) if one.name in columns else one for one in features]
            )
        return features.with_columns(self._scaled(name, *learnt) for name, learnt in columns.items())

    def _scaled(self, name: str, low: float, high: float, centre: float, width: float) -> pl.Expr:
        column = pl.col(name)
        if _constant(centre, width):
            return pl.when(column.is_not_null()).then(pl.lit(0.0)).alias(name)
        # Polars divides a single row but multiplies many by the reciprocal: the last bit would differ
        width = max(width, self.least)
        return ((column.clip(low, high) if self.clip else column) - centre) * (1.0 / width)

    def _at_once(self, column: pl.Series, low: float, high: float, centre: float, width: float) -> pl.Series:
        """Scale few numbers, to the same bits: to put an expression together takes longer than they do."""
        if _constant(centre, width):
            return pl.Series(column.name, np.zeros(column.len()))
        values = column.to_numpy()
        if self.clip:
            values = np.where(values < low, low, values)
            values = np.where(values > high, high, values)
        return pl.Series(column.name, (values - centre) * (1.0 / max(width, self.least)))


def _constant(centre: float, width: float) -> bool:
    return not width > 1e-12 * max(abs(centre), 1e-300)
