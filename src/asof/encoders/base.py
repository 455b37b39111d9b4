"""What an encoder is: a feature step that is fitted, on training questions only."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Protocol

import numpy as np
import polars as pl

from asof.data import FEW, Table
from asof.errors import DataError

State = dict[str, Any]
"""What an encoder has learnt: a visible set of names with values that JSON can hold, bit for bit."""

CODE = pl.UInt32
"""Columns of this dtype are category codes; estimators with native categories treat them so, others read numbers."""


@dataclass(frozen=True)
class EncoderPlan:
    """An encoder as plain data: its name, and the options that its constructor stores."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


class Encoder(Protocol):
    """A feature step; the object holds options only, what was learnt is a separate ``State``.

    A plug-in author writes ``fit`` and ``encode``. An encoder that reads labels also writes
    ``encode_training(table, state)``, which gives training rows values that their own labels
    did not enter; without it training rows are encoded as any other.
    """

    def fit(self, table: Table) -> State:
        """Learn from training questions; the state holds JSON values only."""
        ...

    def encode(self, features: pl.DataFrame, state: State) -> pl.DataFrame:
        """Return features of the same height and order; each row depends on itself and the state alone."""
        ...


def chosen(features: pl.DataFrame, wanted: Sequence[str], dtype: pl.DataType | type[pl.DataType]) -> list[str]:
    """Columns of one dtype whose name matches one of the patterns ``wanted`` (``*`` and ``?``); none given: all."""
    return [
        name
        for name, kind in features.schema.items()
        if kind == dtype and (not wanted or any(fnmatchcase(name, pattern) for pattern in wanted))
    ]


def few(features: pl.DataFrame, names: Iterable[str], dtype: pl.DataType | type[pl.DataType]) -> bool:
    """Whether rows are so few that to put expressions together takes longer than to work them out at once.

    A frame of several pieces is left to Polars: it stays in them, and sums of later steps are taken piece by piece. So
    are columns of another type than is expected: Polars knows what to do with them, or says that it cannot.
    """
    plain = features.height <= FEW and all(count == 1 for count in features.n_chunks("all"))
    return plain and all(features.schema.get(name, dtype) == dtype for name in names)


def known(column: pl.Series) -> pl.Series:
    """Values of a column that are not null; itself where all are known."""
    return column.drop_nulls() if column.null_count() else column


def weights_of(table: Table) -> pl.Series:
    """Weights of a table, ones where it has none; n Float64."""
    if table.weight is None:
        return pl.Series(np.ones(len(table)))
    return table.weight.cast(pl.Float64)


def weighted_mean(table: Table) -> float:
    """Weighted mean of the labels; raises DataError for a table without rows or weight."""
    weight = weights_of(table)
    total = float(weight.sum())
    if not len(table) or not total > 0:
        raise DataError("no training question has weight: nothing can be learnt; widen the training stretch")
    return float((table.label * weight).sum()) / total
