"""Tables as encoders and estimators take them: known columns, numbers or text, labels that can be learnt."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from asof.data import Table, numbers
from asof.errors import DataError


def kinds(features: pl.DataFrame) -> dict[str, str]:
    """``number`` or ``text`` by the name of each feature; raises DataError for another kind."""
    return {name: _kind(name, dtype) for name, dtype in features.schema.items()}


def _kind(name: str, dtype: pl.DataType) -> str:
    if dtype.is_numeric() or dtype in {pl.Boolean, pl.Null}:
        return "number"
    if dtype in {pl.String, pl.Categorical, pl.Enum}:
        return "text"
    raise DataError(f"feature {name} is {dtype}; expected numbers or text: make it one in the lookup")


def prepare(features: pl.DataFrame, columns: Mapping[str, str]) -> pl.DataFrame:
    """Return the columns asked for as Float64 (null = unknown, never NaN or infinite) or String, in order."""
    absent = [name for name in columns if name not in features.columns]
    extra = [name for name in features.columns if name not in columns]
    if absent or extra:
        parts = [f"missing {', '.join(absent)}"] * bool(absent) + [f"unknown {', '.join(extra)}"] * bool(extra)
        raise DataError(
            f"features do not fit the model: {'; '.join(parts)}; expected the {len(columns)} it was made with"
        )
    if list(features.columns) == list(columns) and _ready(features, columns):
        return features
    cast = []
    for name, kind in columns.items():
        dtype = features.schema[name]
        if dtype != pl.Null and _kind(name, dtype) != kind:
            raise DataError(f"feature {name} is {dtype}; the model was made with {kind}")
        wanted = pl.col(name).cast(pl.Float64 if kind == "number" else pl.String)
        cast.append(pl.when(wanted.is_finite()).then(wanted).alias(name) if kind == "number" else wanted)
    return features.select(cast)


def _ready(features: pl.DataFrame, columns: Mapping[str, str]) -> bool:
    """Whether columns are what is asked for already, and no number is NaN or infinite."""
    if any(
        dtype != (pl.Float64 if columns[name] == "number" else pl.String) for name, dtype in features.schema.items()
    ):
        return False
    told = [column for column in features.iter_columns() if column.dtype == pl.Float64]
    finite = np.isfinite(numbers(pl.DataFrame(told)))
    return bool(finite.size - np.count_nonzero(finite) == sum(column.null_count() for column in told))


def check_labels(table: Table) -> None:
    """Refuse a table without rows, or with labels that are unknown or not one each, by a DataError."""
    if len(table) == 0:
        raise DataError("no training question: nothing can be learnt; widen the training stretch")
    if table.label.len() != len(table):
        raise DataError(f"{table.label.len()} labels for {len(table)} questions")
    if not bool(table.label.cast(pl.Float64).is_finite().fill_null(value=False).all()):
        raise DataError("a training label is unknown or not finite; leave such questions out")
