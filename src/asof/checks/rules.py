"""The rules of a source as a Pandera schema, and what it refuses as a table of faults."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import polars as pl

from asof.checks.cells import FAULTS, fault_table, faults
from asof.errors import Problem, ProjectError
from asof.specs import CheckSpec, PointSpec, SourceSpec

if TYPE_CHECKING:
    from pandera.polars import Check, DataFrameSchema

MISSING = "missing"
NOWHERE = "no place on the map: the coordinates are 0, 0"


@dataclass(frozen=True)
class Judged:
    """What the rules leave of n typed rows."""

    frame: pl.DataFrame
    """The n rows; a value that breaks a rule of a column declared ``otherwise: missing`` is null."""
    lost: pl.DataFrame
    """Faults of those values (see ``cells.FAULTS``)."""
    refused: pl.DataFrame
    """All other faults: each refuses its row."""


def judge(
    frame: pl.DataFrame,
    text: pl.DataFrame,
    before: Sequence[pl.DataFrame],
    spec: SourceSpec,
    *,
    now: datetime,
    name: str,
) -> Judged:
    """Hold n typed rows against the rules; ``text`` holds them as text, ``before`` the faults found in reading them.

    Columns are compared with each other last, and only values that nothing is wrong with: one bad value does not
    speak against its neighbour.
    """
    soft = [name for name, rule in spec.checks.items() if rule.otherwise == "missing"]
    early = fault_table(list(before))
    lost = early.filter(pl.col("column").is_in(soft))
    found = refused(_blank(frame, lost), text, spec, now=now)
    alone = fault_table([early, found])
    wrong = fault_table([alone, compared(_blank(frame, alone), text, spec, name)])
    gentle = pl.col("column").is_in(soft)
    return Judged(_blank(frame, wrong.filter(gentle)), wrong.filter(gentle), wrong.filter(~gentle))


def compared(frame: pl.DataFrame, text: pl.DataFrame, spec: SourceSpec, name: str) -> pl.DataFrame:
    """Faults of the values that are not above, or not below, that of another column in the same row.

    Raises:
        ProjectError: two columns are not of types that have an order; all such pairs.
    """
    found, wrong = [], []
    for column, rule in spec.checks.items():
        for side, other in (("above", rule.above), ("below", rule.below)):
            if other is None or frame.height in {frame[column].null_count(), frame[other].null_count()}:
                continue
            one, two = frame[column], frame[other]
            if not (one.dtype.is_numeric() and two.dtype.is_numeric()) and not one.dtype == two.dtype == pl.Date:
                message = f"{column} and {other} cannot be compared: declare both of type number, or date"
                wrong.append(Problem(message, where=f"sources.{name}.checks.{column}.{side}"))
                continue
            fine = one > two if side == "above" else one < two
            found.append(faults(~fine, text[column], f"not {side} {other}"))
    if wrong:
        raise ProjectError(wrong)
    return fault_table(found)


def _blank(frame: pl.DataFrame, wrong: pl.DataFrame) -> pl.DataFrame:
    """The same rows without the values of which ``wrong`` speaks."""
    parts = wrong.filter(pl.col("column").is_in(frame.columns)).partition_by("column", as_dict=True)
    return frame.with_columns(
        frame[str(column)].set(pl.int_range(frame.height, eager=True).is_in(part["index"].implode()), None)
        for (column,), part in parts.items()
    )


def schema(spec: SourceSpec, *, now: datetime) -> "DataFrameSchema":
    """Build the Pandera schema of typed rows (declared columns, and ``_event``); each check is named by its reason."""
    import pandera.polars as pa

    checks = {name: _checks(rule) for name, rule in spec.checks.items()}
    required = {name for name, rule in spec.checks.items() if rule.required} | set(spec.key)
    whole: list[Check] = []
    if isinstance(spec.place, PointSpec):
        for column, low, high in _bounds(spec.place):
            reason = f"outside the box {low:g}..{high:g}" if spec.place.box else f"outside {low:g}..{high:g} degrees"
            checks.setdefault(column, []).append(pa.Check.in_range(low, high, error=reason))
        whole.append(pa.Check(_somewhere(spec.place), error=NOWHERE))
    if spec.time is not None and spec.time.available is None:
        reason = f"in the future (later than {now:%Y-%m-%d %H:%M} UTC)"
        checks["_event"] = [pa.Check.less_than_or_equal_to(now, error=reason)]
    names = sorted({*checks, *required})
    columns = {name: pa.Column(None, checks.get(name, []), nullable=name not in required) for name in names}
    return pa.DataFrameSchema(columns, checks=whole)


def refused(frame: pl.DataFrame, text: pl.DataFrame, spec: SourceSpec, *, now: datetime) -> pl.DataFrame:
    """Faults (see ``cells.FAULTS``) of n typed rows under the rules; ``text`` holds the same rows as written."""
    from pandera.errors import SchemaErrors

    try:
        schema(spec, now=now).validate(frame, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases
    else:
        return pl.DataFrame(schema=FAULTS)
    pair = f"{spec.place.lat}, {spec.place.lon}" if isinstance(spec.place, PointSpec) else ""
    event = ", ".join(spec.time.columns) if spec.time else ""
    found = cases.select(
        pl.col("index").cast(pl.UInt32),
        column=pl.col("column").fill_null(pair).replace({"_event": event}),
        kind=pl.col("check").replace({"not_nullable": MISSING}),
        value=pl.when(pl.col("check") == "not_nullable").then(None).otherwise(pl.col("failure_case")),
    )
    return _as_written(_once_nowhere(found, spec), text)


def _once_nowhere(found: pl.DataFrame, spec: SourceSpec) -> pl.DataFrame:
    """Faults without the box for rows at 0, 0: one reason says it all."""
    if not isinstance(spec.place, PointSpec):
        return found
    nowhere = found.filter(pl.col("kind") == NOWHERE)["index"]
    boxed = pl.col("column").is_in([spec.place.lat, spec.place.lon]) & pl.col("kind").str.starts_with("outside ")
    return found.filter(~(boxed & pl.col("index").is_in(nowhere.implode())))


def repeated(frame: pl.DataFrame, text: pl.DataFrame, spec: SourceSpec) -> pl.DataFrame:
    """Faults of the rows that repeat a value of a column declared ``unique``; the first one seen stays."""
    found = []
    for name, rule in spec.checks.items():
        if rule.unique:
            again = ~frame[name].is_first_distinct() & frame[name].is_not_null()
            found.append(faults(again, text[name], "not unique"))
    return fault_table(found)


def _checks(rule: CheckSpec) -> "list[Check]":
    import pandera.polars as pa

    checks: list[Any] = []
    if rule.between is not None:
        low, high = rule.between
        checks.append(pa.Check.in_range(low, high, error=f"not between {low:g} and {high:g}"))
    if rule.one_of is not None:
        shown = ", ".join(rule.one_of[:5]) + (", …" if len(rule.one_of) > 5 else "")
        checks.append(pa.Check(_among(rule.one_of), error=f"none of {shown}"))
    if rule.matches is not None:
        checks.append(pa.Check(_like(rule.matches), error=f"does not match {rule.matches}"))
    return checks


def _among(allowed: tuple[str, ...]) -> Any:
    return lambda data: data.lazyframe.select(pl.col(data.key).cast(pl.String).is_in(list(allowed)))


def _like(pattern: str) -> Any:
    return lambda data: data.lazyframe.select(pl.col(data.key).cast(pl.String).str.contains(f"^(?:{pattern})$"))


def _somewhere(point: PointSpec) -> Any:
    zero = (pl.col(point.lat) == 0) & (pl.col(point.lon) == 0)
    return lambda data: data.lazyframe.select(~zero.fill_null(False))


def _bounds(point: PointSpec) -> tuple[tuple[str, float, float], tuple[str, float, float]]:
    south, west, north, east = point.box or (-90.0, -180.0, 90.0, 180.0)
    return (point.lat, south, north), (point.lon, west, east)


def _as_written(found: pl.DataFrame, text: pl.DataFrame) -> pl.DataFrame:
    """Replace typed values by the text of the cells they were read from."""
    parts = []
    for (column,), part in found.partition_by("column", as_dict=True).items():
        names = [name for name in str(column).split(", ") if name in text.columns]
        rows = text.select(names)[part["index"]] if names else pl.DataFrame()
        value = rows.select(pl.concat_str(names, separator=", ", ignore_nulls=True)).to_series() if names else None
        parts.append(part.with_columns(value=part["value"] if value is None else value))
    return fault_table([part.select(FAULTS.names()).cast(FAULTS) for part in parts])
