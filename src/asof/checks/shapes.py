"""What the values of valid rows look like: outliers, constants, empty columns, rows without a place."""

from typing import Final

import polars as pl

from asof.data import Finding, Severity
from asof.specs import PointSpec, SourceSpec

FENCES: Final = 6.0
"""An outlier lies this many robust standard deviations from the median."""
MAD_TO_SD: Final = 1.4826
"""A standard deviation is this many median absolute deviations of normal values."""
IQR_TO_SD: Final = 0.7413
"""And this many interquartile ranges."""


def findings(valid: pl.DataFrame, spec: SourceSpec, name: str, *, whole: bool = True) -> list[Finding]:
    """Findings on the distribution of each column; none of them refuses a row.

    Of a part (not ``whole``) only what adds up: an outlier of a month is none of the year.
    """
    found = _without_place(valid, spec, name)
    for column in valid.iter_columns() if whole else ():
        if not column.name.startswith("_"):
            found += _constant(column, name) + _outliers(column, name)
    return found


def _without_place(valid: pl.DataFrame, spec: SourceSpec, name: str) -> list[Finding]:
    if spec.place is None or valid.is_empty():
        return []
    columns = [spec.place.lat, spec.place.lon] if isinstance(spec.place, PointSpec) else [spec.place]
    count = int(valid.select(pl.any_horizontal(pl.col(columns).is_null()).sum()).item())
    if count == 0:
        return []
    share = count / valid.height
    message = (
        f"{count:,} of {valid.height:,} rows ({share:.1%}) have no {' or no '.join(columns)}: they belong to no place"
    )
    severity = Severity.WARNING if share > 0.05 else Severity.NOTE
    return [Finding("place", severity, f"{name}.{columns[0]}", message, share, 0.05, count)]


def _constant(column: pl.Series, name: str) -> list[Finding]:
    subject = f"{name}.{column.name}"
    given = column.drop_nulls()
    if column.len() == 0:
        return []
    if given.is_empty():
        return [Finding("constant", Severity.WARNING, subject, "no row has a value", 0.0, None, column.len())]
    if column.len() >= 10 and given.n_unique() == 1 and column.null_count() == 0:
        return [
            Finding(
                "constant", Severity.WARNING, subject, f"every row has the value {given[0]!r}", 1.0, None, column.len()
            )
        ]
    return []


def _outliers(column: pl.Series, name: str) -> list[Finding]:
    """Values far from the median by the median absolute deviation, or by the interquartile range where that is zero."""
    if not column.dtype.is_numeric() or column.len() - column.null_count() < 30:
        return []
    values = column.drop_nulls().cast(pl.Float64)
    middle = float(values.median() or 0.0)  # type: ignore[arg-type]
    away = (values - middle).abs()
    spread = MAD_TO_SD * float(away.median() or 0.0)  # type: ignore[arg-type]
    if spread == 0:
        spread = IQR_TO_SD * (float(values.quantile(0.75) or 0.0) - float(values.quantile(0.25) or 0.0))
    if spread == 0:
        return []
    count = int((away > FENCES * spread).sum())
    if count == 0:
        return []
    share, far = count / values.len(), values[int(away.arg_max() or 0)]
    low, high = middle - FENCES * spread, middle + FENCES * spread
    lie = "1 value lies" if count == 1 else f"{count:,} values ({share:.2%}) lie"
    message = f"{lie} outside {low:.6g}..{high:.6g}, such as {far:.6g} (median {middle:.6g})"
    return [Finding("outliers", Severity.NOTE, f"{name}.{column.name}", message, share, FENCES, count)]
