"""From cells of text to typed columns; cells that cannot be read are named, one fault each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from asof import clocks
from asof.data import Finding, Severity
from asof.specs import SourceSpec, TimeSpec
from asof.times import Step

AGREE: Final = 0.99
"""A column without a declared type is of the type that this share of its values can be read as."""
MIXED: Final = 0.5
"""Where this share of the values of a text are numbers, it is said which is the first that is not."""
TRUE: Final = ("true", "t", "yes", "y", "1")
FALSE: Final = ("false", "f", "no", "n", "0")
LEADING_ZERO: Final = r"^[+-]?0\d"
SHOWN: Final = 40
"""Longest text of a cell repeated in a message."""
KINDS: Final = {
    "integer": "not a whole number",
    "number": "not a number",
    "range": "not a number",
    "boolean": "neither true nor false",
    "date": "not a date",
    "text": "not text",
}
FAULTS: Final = pl.Schema({"index": pl.UInt32, "column": pl.String, "kind": pl.String, "value": pl.String})
"""Columns of a table of faults: row number, column, what is wrong, the text of the cell."""


@dataclass
class Cells:
    """The typed columns of n rows."""

    frame: pl.DataFrame
    """n rows: the user's columns, typed; a cell that could not be read is null."""
    faults: list[pl.DataFrame] = field(default_factory=list)
    """Cells that refuse their rows (see ``FAULTS``)."""
    findings: list[Finding] = field(default_factory=list)


def clean(rows: pl.DataFrame, missing: tuple[str, ...]) -> pl.DataFrame:
    """Strip every column of text, and turn what stands for a missing value into null; other columns stay."""
    names = [name for name, dtype in rows.schema.items() if dtype == pl.String]
    if not names:
        return rows
    stripped = rows.with_columns(pl.col(names).str.strip_chars())
    return stripped.with_columns(
        pl.when(pl.col(name).is_in([*missing, ""])).then(None).otherwise(pl.col(name)).alias(name) for name in names
    )


@dataclass(frozen=True)
class Known:
    """What all rows of a source show, of which some are at hand."""

    kinds: Mapping[str, str] = field(default_factory=dict)
    """``integer``, ``number`` or ``text``, by column: those whose type is found, and those with a range."""
    beside: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    """Texts of times that stand for all others (see ``facts``), by column of dates, or ``time``."""


def typed(text: pl.DataFrame, where: pl.DataFrame, name: str, spec: SourceSpec, known: Known) -> Cells:
    """Read each column of ``text`` (cleaned, n rows) as its declared type, or as the one that its values show.

    ``where`` holds ``_file`` and ``_line`` of the n rows, ``name`` is the source's, ``known`` what more rows than
    these show. A cell that is not of its column's *declared* type is a fault; one that differs from the type *found*
    becomes null with a finding.
    """
    declared = declared_types(spec)
    cells = Cells(pl.DataFrame())
    columns: list[pl.Series] = []
    for column in text.iter_columns():
        kind = declared.get(column.name)
        shown = known.kinds.get(column.name)
        if kind is None:
            values = _found(column, where, name, cells, shown)
        elif kind == "date":
            values = _dates(column, known.beside.get(column.name))
        else:
            values = read(column, shown if kind == "range" and shown else kind)
        columns.append(values)
        if kind in ("integer", "number", "range"):
            cells.findings += _changes(column, values, where, name)
        if kind is not None and kind != "text":
            cells.faults.append(faults(values.is_null() & column.is_not_null(), column, KINDS[kind]))
    cells.frame = pl.DataFrame(columns)
    return cells


def declared_types(spec: SourceSpec) -> dict[str, str]:
    """Type of each column that the project tells, by name: coordinates are numbers; keys, times and places text.

    A column with a range is of numbers, whole ones where all are (``range``).
    """
    texts = [*spec.key, *(spec.time.columns if spec.time else ())]
    texts += [spec.time.available] if spec.time and spec.time.available else []
    texts += [spec.place] if isinstance(spec.place, str) else []
    types = dict.fromkeys(texts, "text")
    if spec.place is not None and not isinstance(spec.place, str):
        types |= {spec.place.lat: "number", spec.place.lon: "number"}
    ranges = {name: "range" for name, rule in spec.checks.items() if rule.between}
    return ranges | types | {name: rule.type for name, rule in spec.checks.items() if rule.type}


def read(column: pl.Series, kind: str) -> pl.Series:
    """Read a column of clean text as ``integer``, ``number``, ``boolean``, ``date`` or ``text``; null where not."""
    if kind == "integer":
        return integers(column)
    if kind == "number":
        return numbers(column)
    if kind == "range":
        return _whole(column, numbers(column))
    if kind == "boolean":
        lower = column.str.to_lowercase()
        known = pl.when(lower.is_in(TRUE)).then(True).when(lower.is_in(FALSE)).then(False)
        return pl.select(known.alias(column.name)).to_series()
    if kind == "date":
        return _dates(column)
    return column


def fault_table(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Join tables of faults; none at all is an empty one."""
    return pl.concat([pl.DataFrame(schema=FAULTS), *parts])


def faults(wrong: pl.Series, column: pl.Series, kind: str) -> pl.DataFrame:
    """A table of faults (``FAULTS``) for the rows of ``column`` where ``wrong`` is true."""
    index = wrong.arg_true()
    return pl.DataFrame({"index": index.cast(pl.UInt32), "value": column.gather(index).cast(pl.String)}).select(
        "index", column=pl.lit(column.name), kind=pl.lit(kind), value="value"
    )


def place(where: pl.DataFrame, index: int) -> str:
    """``file:line`` of a row, for messages."""
    file, line = where.row(index)
    return f"{file}:{line}"


def short(value: object) -> str:
    """The text of a cell as it may stand in a message."""
    text = str(value)
    return repr(text if len(text) <= SHOWN else text[: SHOWN - 1] + "…")


def first_text(rows: pl.DataFrame, column: str) -> str:
    """Name the first value of a column of valid rows that is no number, and where it stands; empty where all are."""
    texts = rows.select("_file", "_line", value=pl.col(column).cast(pl.String)).drop_nulls("value")
    wrong = texts.filter(numbers(texts["value"]).is_null()).sort("_file", "_line").head(1)
    return f"{short(wrong['value'][0])} in {place(wrong.select('_file', '_line'), 0)}" if wrong.height else ""


def _found(column: pl.Series, where: pl.DataFrame, name: str, cells: Cells, shown: str | None) -> pl.Series:
    """Read a column as numbers where nearly all of its values are (or ``shown`` says so), else leave it text."""
    given = column.len() - column.null_count()
    if given == 0:
        return column if shown is None else read(column, shown)
    values = numbers(column)
    readable = given - (values.null_count() - column.null_count())
    changes = _changes(column, values, where, name) if 0 < readable < given else []
    cells.findings += changes
    wrong = (values.is_null() & column.is_not_null()).arg_true()
    example = f"{short(column[wrong[0]])} in {place(where, wrong[0])}" if readable < given else ""
    is_text = readable < AGREE * given or column.str.contains(LEADING_ZERO).any() if shown is None else shown == "text"
    if is_text:
        if MIXED * given <= readable < given and not changes:
            message = f"{readable:,} of {given:,} values are numbers; it is text for the others, the first {example}"
            share = readable / given
            cells.findings.append(
                Finding("type", Severity.NOTE, f"{name}.{column.name}", message, share, AGREE, given - readable)
            )
        return column
    if readable < given:
        message = (
            f"{len(wrong):,} of {given:,} values are not numbers, the first {example}; they count as missing "
            f"(to refuse such rows declare checks: {{{column.name}: {{type: number}}}})"
        )
        cells.findings.append(
            Finding("type", Severity.WARNING, f"{name}.{column.name}", message, len(wrong) / given, 0.0, len(wrong))
        )
    return _whole(column, values) if shown is None else read(column, shown)


def _whole(column: pl.Series, values: pl.Series) -> pl.Series:
    """Return whole numbers where all numbers of a column are."""
    whole = integers(column)
    return whole if whole.null_count() == values.null_count() else values


def _changes(column: pl.Series, numbers: pl.Series, where: pl.DataFrame, name: str) -> list[Finding]:
    """Find the row from which on a column of numbers is text, or the other way round."""
    given = column.is_not_null().arg_true()
    is_number = numbers.is_not_null().gather(given).cast(pl.Float64)
    # The point at which the two sides differ most: the extreme of the cumulated deviation from the mean.
    drift = (is_number - is_number.mean()).cum_sum().abs()
    split = int(drift.arg_max() or 0) + 1
    before, after = is_number[:split].mean(), is_number[split:].mean()
    if min(split, len(given) - split) < 10 or not isinstance(before, float) or not isinstance(after, float):
        return []
    if not (max(before, after) >= 0.95 and min(before, after) <= 0.05):
        return []
    row = given[split]
    was, now = ("numbers", "text") if before > after else ("text", "numbers")
    message = f"the column holds {was} up to here and {now} from {place(where, row)} on ({short(column[row])})"
    rows = len(given) - split
    return [Finding("type change", Severity.WARNING, f"{name}.{column.name}", message, rows / len(given), None, rows)]


def numbers(column: pl.Series) -> pl.Series:
    """Read text as Float64; null where it is no finite number."""
    values = column.cast(pl.Float64, strict=False)
    return values.set(~values.is_finite(), None)


def integers(column: pl.Series) -> pl.Series:
    """Read text as Int64, ``5.0`` too; null where it is no whole number."""
    whole = column.cast(pl.Int64, strict=False)
    if whole.null_count() == column.null_count():
        return whole
    values = numbers(column)
    exact = (values == values.floor()) & (values.abs() < 2.0**53)
    return whole.fill_null(values.set(~exact, None).cast(pl.Int64))


def _dates(column: pl.Series, beside: pl.DataFrame | None = None) -> pl.Series:
    spec = TimeSpec(columns=(column.name,))
    times = clocks.read(pl.DataFrame([column]), spec, Step(0, "h"), beside=beside).times
    return times["_event"].dt.date().set(times["_reason"].is_not_null(), None).alias(column.name)
