"""Files of questions as users give them: tables of places and times, or of rows."""

import csv
import gzip
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import polars as pl

from asof.errors import DataError

PLACE_NAME = "place"
"""Name of the column of places, whatever its case."""


def read_table(file: Path, *, texts: bool = False) -> pl.DataFrame:
    """Read a table of questions, all cells of CSV as text where ``texts``.

    Raises DataError where it cannot be read or has no rows.
    """
    if not file.is_file():
        message = f"{file}: {'no plain file' if file.exists() else 'no such file'}"
        raise DataError(message)
    readers: Mapping[str, Callable[..., pl.DataFrame]] = {
        ".csv": _read_texts if texts else _read_csv,
        ".parquet": pl.read_parquet,
        ".json": pl.read_json,
        ".ndjson": pl.read_ndjson,
    }
    suffix = file.suffix if file.suffix != ".gz" else Path(file.stem).suffix
    if suffix not in readers:
        message = f"{file}: expected one of {', '.join(readers)} (CSV also as .csv.gz)"
        raise DataError(message)
    try:
        rows = readers[suffix](file)
    except pl.exceptions.PolarsError as fault:
        message = f"{file}: {_misread(file, suffix) or str(fault).splitlines()[0]}"
        raise DataError(message) from fault
    if rows.height == 0:
        message = f"{file}: there is no row to answer"
        raise DataError(message)
    return rows


def read_texts(file: Path) -> pl.DataFrame:
    """Read a table with every column as text, as sources are read; raises ``DataError`` as ``read_table`` does."""
    return as_texts(read_table(file, texts=True))


def as_texts(rows: pl.DataFrame) -> pl.DataFrame:
    """Write every value as text, as it would stand in a CSV file."""
    return rows.with_columns(pl.exclude(pl.String).cast(pl.String))


def _read_csv(file: Path) -> pl.DataFrame:
    """Read a CSV file; the column of places stays text, so that no leading zero is lost."""
    places = [name for name in _header(file) if name.lower() == PLACE_NAME]
    # Types by all rows: a column of numbers that has one text, read by nobody, is no hindrance.
    return pl.read_csv(file, schema_overrides=dict.fromkeys(places, pl.String), infer_schema_length=None)


def _misread(file: Path, suffix: str) -> str:
    """Say in which line a CSV file is at fault; empty where that cannot be told."""
    if suffix != ".csv":
        return ""
    data = file.read_bytes()
    try:
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode()
        lines = csv.reader(io.StringIO(text, newline=""))
        width = len(next(lines, []))
        wrong = next((row for row in lines if len(row) > width), None)
    except UnicodeDecodeError as fault:
        line = fault.object.count(b"\n", 0, fault.start) + 1
        return f"line {line}: no UTF-8 text; save it as UTF-8"
    except (OSError, EOFError, csv.Error):
        return ""
    if wrong is None:
        return ""
    return f"line {lines.line_num}: {len(wrong)} fields, the header names {width}; quote what holds a comma"


def _read_texts(file: Path) -> pl.DataFrame:
    _header(file)
    return pl.read_csv(file, infer_schema=False)


def _header(file: Path) -> list[str]:
    """Names of the columns of a CSV file; raises DataError where one is there twice, for either could be meant."""
    first = pl.read_csv(file, has_header=False, n_rows=1, infer_schema=False)
    names = [str(name) for name in first.row(0)] if first.height else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        message = f"{file}: the header names {', '.join(map(repr, twice))} more than once; rename all but one"
        raise DataError(message)
    return names
