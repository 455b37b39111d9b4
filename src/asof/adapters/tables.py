"""One file in bounded pieces: rows as text with their physical lines, and the lines that are broken."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import chain
from typing import Any, Final, Literal

import polars as pl

from asof.adapters import delimited, jsontext, objects
from asof.errors import DataError, OutsideError
from asof.specs import FilesSpec

ROWS: Final = 500_000
"""Rows read at once from formats that count rows."""
BROKEN: Final = {"_line": pl.Int64, "text": pl.String, "reason": pl.String}
"""Columns of lines that cannot be split."""
_OURS: Final = frozenset(
    {"_file", "_line", "_key", "_hash", "_event", "_ended", "_available", "_first_seen", "_reason"}
)
_SUFFIXES: Final = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".psv": "csv", ".dat": "csv",
    ".json": "json", ".jsonl": "json", ".ndjson": "json",
    ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip

Format = Literal["csv", "json", "parquet"]


@dataclass(frozen=True)
class Piece:
    """Some rows of a file: String columns and ``_line`` (Int64), and its broken lines as in ``BROKEN``."""

    rows: pl.DataFrame
    broken: pl.DataFrame
    last: int
    """The last line or row that this piece takes account of."""


@dataclass(frozen=True)
class Columns:
    """Which columns are read, and how their names are written."""

    keep: tuple[str, ...] = ()
    """Empty: all."""
    header: Literal["as is", "lower"] = "as is"
    missing_values: tuple[str, ...] = ()

    def named(self, names: Sequence[str], file: str) -> list[str]:
        """Names as the source will know them; raises DataError where two are equal or one is ours."""
        made = [name.strip() or f"column_{place}" for place, name in enumerate(names, start=1)]
        if self.header == "lower":
            made = [name.lower() for name in made]
        twice = sorted({name for name in made if made.count(name) > 1})
        if twice:
            raise DataError(
                f"{file}: the header names {', '.join(map(repr, twice))} more than once; rename all but one"
            )
        ours = sorted(_OURS.intersection(made))
        if ours:
            raise DataError(f"{file}: the column name {ours[0]!r} is reserved; rename the column")
        return made

    def wanted(self, names: Sequence[str], file: str) -> list[str]:
        """Those of ``names`` that are read, in their order; raises DataError where one is missing."""
        for name in self.keep:
            if name not in names:
                near = get_close_matches(name, names, 1, 0.5) or [
                    have for have in names if have.lower() == name.lower()
                ]
                hint = f"did you mean {near[0]!r}?" if near else f"the header has {', '.join(names[:12])}"
                raise DataError(f"{file}: there is no column {name!r}; {hint}")
        return [name for name in names if not self.keep or name in self.keep]


def format_of(address: str, spec: FilesSpec) -> Format:
    """Format as declared, else by the end of the name."""
    if spec.format != "auto":
        return spec.format
    name = address.lower().removesuffix(".gz")
    suffix = "." + name.rsplit(".", 1)[-1]
    found = _SUFFIXES.get(suffix)
    if found is None:
        raise DataError(
            f"{address}: cannot tell the format from the name; say format: csv, json or parquet (only .gz is unpacked)"
        )
    return found  # type: ignore[return-value]


def read(address: str, file: str, spec: FilesSpec, columns: Columns) -> Iterator[Piece]:
    """Read one file in bounded pieces.

    Args:
        address: path or ``s3://`` address.
        file: how messages name it.
        spec: format, delimiter, encoding.
        columns: which columns, and how their names are written.

    Raises:
        DataError: empty, damaged, half-written, in another encoding, with another delimiter, or without a needed
            column.
        OutsideError: it cannot be had now.
    """
    found = format_of(address, spec)
    if found == "parquet":
        yield from _parquet(address, file, columns)
        return
    bytes_in = delimited.inflate(objects.pieces(address), file)
    text = delimited.blocks(delimited.decode(bytes_in, spec.encoding, file))
    if found == "csv":
        yield from _csv(text, address, file, spec, columns)
    else:
        yield from _json(text, file, columns)


def _csv(text: Iterator[bytes], address: str, file: str, spec: FilesSpec, columns: Columns) -> Iterator[Piece]:
    delimiter = (
        "\t" if address.lower().removesuffix(".gz").endswith(".tsv") and spec.delimiter == "," else spec.delimiter
    )
    if len(delimiter) != 1 or not delimiter.isascii():
        raise DataError(f"{file}: the delimiter {delimiter!r} is not one character")
    first = next(text, b"")
    if not first.strip():
        raise DataError(f"{file}: is empty; expected a header line and rows")
    _check_text(first, 1, file, spec.encoding)
    names, start, lines = delimited.header(first, delimiter)
    _check_delimiter(names, delimiter, file)
    names = columns.named(names, file)
    wanted = columns.wanted(names, file)
    places = [names.index(name) for name in wanted]
    block, line = first[start:], 1 + lines
    for following in chain(text, [None]):
        records = delimited.split(block, delimiter, len(names), line=line, last=following is None)
        yield _parsed(records, delimiter, places, wanted, columns)
        if following is not None:
            _check_text(following, records.rest_line + records.rest.count(b"\n"), file, spec.encoding)
            block, line = records.rest + following, records.rest_line


def _parsed(
    records: delimited.Records, delimiter: str, places: Sequence[int], wanted: Sequence[str], columns: Columns
) -> Piece:
    """Hand records that are in order to the fast parser."""
    broken = pl.DataFrame(records.broken, schema=BROKEN, orient="row")
    if len(records.lines) == 0:
        empty = pl.DataFrame(schema=dict.fromkeys(wanted, pl.String) | {"_line": pl.Int64})
        return Piece(empty, broken, records.rest_line - 1)
    rows = pl.read_csv(
        records.text,
        has_header=False,
        infer_schema=False,
        columns=list(places),
        separator=delimiter,
        null_values=list(columns.missing_values) or None,
    )
    rows.columns = list(wanted)
    if b'""' in records.text:  # the parser reads an empty field in quotes as null or as text, by where it stands
        rows = rows.with_columns(pl.when(pl.all() != "").then(pl.all()))
    if rows.height != len(records.lines):
        raise AssertionError(
            f"{rows.height} rows parsed of {len(records.lines)} records"
        )  # a fault of ours: never go on
    return Piece(rows.with_columns(_line=pl.Series(records.lines)), broken, records.rest_line - 1)


def _check_delimiter(names: Sequence[str], delimiter: str, file: str) -> None:
    if len(names) != 1:
        return
    counts = {other: names[0].count(other) for other in ";\t|," if other != delimiter}
    likely, count = max(counts.items(), key=lambda item: item[1])
    if count:
        shown = "a tab (\\t)" if likely == "\t" else repr(likely)
        raise DataError(
            f"{file}: split at {delimiter!r} the header is one column, {names[0][:60]!r}; "
            f"it looks delimited by {shown}: write delimiter: {json.dumps(likely)}"
        )


def _check_text(block: bytes, line: int, file: str, encoding: str) -> None:
    if block.isascii():
        found = block.find(b"\0")
        if found < 0:
            return
        at = line + block.count(b"\n", 0, found)
        raise DataError(
            f"{file}:{at}: holds zero bytes, so it is no plain text; is it utf-16? Declare encoding: utf-16"
        )
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as fault:
        at = line + block.count(b"\n", 0, fault.start)
        raise DataError(
            f"{file}:{at}: is not {encoding} text; declare its encoding, often encoding: latin-1"
        ) from fault


def _json(text: Iterator[bytes], file: str, columns: Columns) -> Iterator[Piece]:
    first = next(text, b"")
    while not first.strip():
        following = next(text, None)
        if following is None:
            raise DataError(f"{file}: is empty; expected a JSON array of objects, or an object a line")
        first = following
    if first.lstrip().startswith(b"["):
        yield from _array(b"".join([first, *text]), file, columns)
        return
    line = 1
    for block in chain([first], text):
        lines = block.split(b"\n")
        yield _json_lines(lines if lines[-1] else lines[:-1], line, file, columns)
        line += block.count(b"\n")


def _json_lines(lines: Sequence[bytes], start: int, file: str, columns: Columns) -> Piece:
    rows: list[dict[str, Any]] = []
    numbers: list[int] = []
    broken: list[tuple[int, str, str]] = []
    for number, line in enumerate(lines, start=start):
        if not line.strip():
            continue
        try:
            value = jsontext.parse(line)
        except ValueError as fault:
            broken.append((number, line.decode("utf-8", errors="replace"), f"not JSON: {fault}"))
            continue
        if isinstance(value, dict):
            rows.append(value)
            numbers.append(number)
        else:
            broken.append((number, line.decode("utf-8", errors="replace"), "not a JSON object"))
    if broken and not rows and len(broken) == len([line for line in lines if line.strip()]) and start == 1:
        raise DataError(f"{file}:{broken[0][0]}: {broken[0][2]}; expected a JSON array of objects, or an object a line")
    return _objects(rows, numbers, broken, start + len(lines) - 1, (file, columns))


def _array(text: bytes, file: str, columns: Columns) -> Iterator[Piece]:
    try:
        values = jsontext.parse(text)
    except json.JSONDecodeError as fault:
        raise DataError(
            f"{file}:{fault.lineno}: the JSON array is broken ({fault.msg}); the file may be half-written"
        ) from fault
    except UnicodeDecodeError as fault:
        raise DataError(f"{file}: is not utf-8 text; declare its encoding") from fault
    bad = next((place for place, value in enumerate(values, start=1) if not isinstance(value, dict)), None)
    if bad is not None:
        raise DataError(f"{file}: element {bad} of the JSON array is no object; expected one object a row")
    for start in range(0, max(len(values), 1), ROWS):
        part = values[start : start + ROWS]
        yield _objects(part, range(start + 1, start + len(part) + 1), [], start + len(part), (file, columns))


def _objects(
    rows: Sequence[dict[str, Any]],
    numbers: Sequence[int],
    broken: Sequence[tuple[int, str, str]],
    last: int,
    known_as: tuple[str, Columns],
) -> Piece:
    file, columns = known_as
    frame = jsontext.frame(rows)
    frame.columns = columns.named(frame.columns, file)
    absent = [name for name in columns.keep if name not in frame.columns]
    if rows and len(absent) == len(columns.keep) and absent:
        columns.wanted(frame.columns, file)
    # An object without a key has no value there: services leave out what is null.
    frame = frame.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    frame = frame.select(columns.wanted(frame.columns, file))
    if columns.missing_values:
        frame = frame.with_columns(pl.when(~pl.all().is_in(list(columns.missing_values))).then(pl.all()))
    lines = pl.Series("_line", list(numbers), pl.Int64)
    return Piece(frame.with_columns(lines), pl.DataFrame(list(broken), schema=BROKEN, orient="row"), last)


def _parquet(address: str, file: str, columns: Columns) -> Iterator[Piece]:
    options = objects.scan_options(address) if objects.is_remote(address) else None
    nothing = pl.DataFrame(schema=BROKEN)
    try:
        lazy = pl.scan_parquet(address, glob=False, storage_options=options)
        schema = lazy.collect_schema()
        height = int(lazy.select(pl.len()).collect().item())
    except (pl.exceptions.PolarsError, FileNotFoundError, OSError) as fault:
        raise _no_parquet(file, fault) from fault
    names = columns.named(schema.names(), file)
    lazy = lazy.rename(dict(zip(schema.names(), names, strict=True)))
    wanted = columns.wanted(names, file)
    texts = [_as_text(name, kind) for name, kind in zip(names, schema.dtypes(), strict=True) if name in wanted]
    for start in range(0, max(height, 1), ROWS):
        try:
            rows = lazy.select(texts).slice(start, ROWS).collect()
        except (pl.exceptions.PolarsError, OSError) as fault:
            raise _no_parquet(file, fault) from fault
        lines = pl.Series("_line", range(start + 1, start + rows.height + 1), pl.Int64)
        yield Piece(rows.with_columns(lines), nothing, start + rows.height)


def _no_parquet(file: str, fault: Exception) -> DataError | OutsideError:
    if isinstance(fault, FileNotFoundError):
        return DataError(f"{file}: there is no such file")
    reason = " ".join(str(fault).split())[:200]
    return DataError(f"{file}: cannot be read as Parquet ({reason}); it may be half-written, or of another format")


def _as_text(name: str, kind: pl.DataType) -> pl.Expr:
    """Values of a typed column as text that reads back the same."""
    column = pl.col(name)
    if isinstance(kind, pl.Datetime):
        form = "%Y-%m-%dT%H:%M:%S%.f"
        return (
            column.dt.convert_time_zone("UTC").dt.strftime(form + "Z") if kind.time_zone else column.dt.strftime(form)
        )
    if kind.is_nested():
        wrapped = pl.struct(pl.col(name).alias("v")).struct.json_encode().str.slice(5)
        return pl.when(column.is_not_null()).then(wrapped.str.head(-1)).alias(name)
    return column.cast(pl.String)
