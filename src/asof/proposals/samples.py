"""The first rows of a table, every value as text, whatever the form of the file."""

import csv
import gzip
import io
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import polars as pl

from asof.errors import DataError
from asof.specs import SourceSpec

MOST_ROWS = 100_000
MOST_BYTES = 64 * 1024 * 1024
_DELIMITERS = ",;\t|"
_MISSING = tuple(SourceSpec.model_fields["missing_values"].default)


@dataclass(frozen=True)
class Sample:
    """The first rows of a table."""

    path: Path
    rows: pl.DataFrame
    """String columns; missing values are null."""
    whole: bool
    """Whether these are all rows of the table."""
    delimiter: str = ","
    encoding: str = "utf-8"


def read(path: Path) -> Sample:
    """Read at most 100,000 rows and 64 MiB.

    Raises:
        DataError: no such file, nothing in it, or not a form that is read.
    """
    ending = path.name.lower().removesuffix(".gz")
    try:
        if ending.endswith((".parquet", ".pq")):
            sample = _parquet(path)
        else:
            data, whole = _start(path)
            sample = (
                _json(path, data, whole=whole) if data.lstrip()[:1] in {b"[", b"{"} else _csv(path, data, whole=whole)
            )
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; expected a table: CSV, JSON or Parquet") from None
    except (OSError, EOFError, pl.exceptions.PolarsError) as fault:
        raise DataError(
            f"{path}: cannot be read as a table: {str(fault).splitlines()[0] if str(fault) else fault!r}"
        ) from fault
    if sample.rows.height == 0 or sample.rows.width == 0:
        raise DataError(f"{path}: no rows; expected a table with a header and rows")
    return sample


def _start(path: Path) -> tuple[bytes, bool]:
    """First bytes of a file, unpacked, and whether they are all."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        stream = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
        data = stream.read(MOST_BYTES + 1)
    data = data.removeprefix(b"\xef\xbb\xbf")
    if not data.strip():
        raise DataError(f"{path}: the file is empty; expected a table with a header and rows")
    return data[:MOST_BYTES], len(data) <= MOST_BYTES


def _csv(path: Path, data: bytes, *, whole: bool) -> Sample:
    encoding = "utf-8"
    end = len(data) if whole else data.rfind(b"\n") + 1
    try:
        text = data[:end].decode("utf-8")
    except UnicodeDecodeError:
        encoding = "latin-1"
        text = data[:end].decode("latin-1")
    if "\x00" in text[:10_000]:
        raise DataError(f"{path}: not a text; expected CSV, JSON or Parquet")
    delimiter = _delimiter(text)
    rows = pl.read_csv(
        io.StringIO(text),
        separator=delimiter,
        infer_schema=False,
        n_rows=MOST_ROWS + 1,
        truncate_ragged_lines=True,
        ignore_errors=True,
        null_values=list(_MISSING),
    )
    return _sample(path, rows, whole=whole, delimiter=delimiter, encoding=encoding)


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first lines into the same number of columns, and the most of them."""
    lines = text[:50_000].splitlines()[:50]
    best, score = ",", (0.0, 0)
    for delimiter in _DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter)]
        header = widths[0] if widths else 0
        if header > 1:
            same = Counter(widths)[header] / len(widths)
            best, score = max((best, score), (delimiter, (round(same, 1), header)), key=lambda found: found[1])
    return best


def _json(path: Path, data: bytes, *, whole: bool) -> Sample:
    """An array of objects, or an object a line."""
    try:
        if data.lstrip()[:1] == b"[":
            if not whole:
                raise DataError(
                    f"{path}: a JSON array of more than {MOST_BYTES >> 20} MiB; write one object a line, or CSV"
                )
            found = json.loads(data)
        else:
            found = [
                json.loads(line) for line in data.splitlines()[: None if whole else -1][: MOST_ROWS + 1] if line.strip()
            ]
    except ValueError as fault:
        raise DataError(f"{path}: no JSON: {fault}; expected an array of objects, or an object a line") from fault
    records = [row for row in found[: MOST_ROWS + 1] if isinstance(row, dict)]
    names = list(dict.fromkeys(name for row in records for name in row))
    rows = pl.DataFrame(
        {name: [_word(row.get(name)) for row in records] for name in names}, schema=dict.fromkeys(names, pl.String)
    )
    return _sample(path, rows, whole=whole)


def _word(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return None if value is None or value in _MISSING else value
    return json.dumps(value)


def _parquet(path: Path) -> Sample:
    lazy = pl.scan_parquet(path)
    rows = lazy.head(MOST_ROWS + 1).collect()
    flat = [name for name, dtype in rows.schema.items() if not dtype.is_nested() and dtype != pl.Binary]
    return _sample(path, rows.select(pl.col(flat).cast(pl.String)), whole=True)


def _sample(path: Path, rows: pl.DataFrame, *, whole: bool, delimiter: str = ",", encoding: str = "utf-8") -> Sample:
    return Sample(path, rows.head(MOST_ROWS), whole and rows.height <= MOST_ROWS, delimiter, encoding)
