"""Bodies of requests: the ways in which rows are written, read into one table of text."""

import csv
import functools
import io
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import polars as pl
from pydantic_core import from_json

CSV, JSON, LINES = "text/csv", "application/json", "application/jsonlines"
ALSO = {"application/x-ndjson": LINES, "application/jsonl": LINES, "text/json": JSON}
"""Other names of the same kinds."""
SPLIT = "dataframe_split"
SHAPES = ("instances", "dataframe_records", SPLIT, "rows")
"""What a JSON object may hold, one of them: rows by name (SageMaker, MLflow, ours), or columns and rows (MLflow)."""
MOST_COLUMNS = 2_000
MOST_EXPLAINED = 20
"""Rows whose reasons one request may ask for."""
MOST_NUMBER = 2.0**62
"""A number beyond it, either way, is refused."""
MOST_TEXT = 10_000
"""A cell of more characters is refused."""


class Refusal(Exception):
    """A request that is not answered: the HTTP status and, in words for its sender, why."""

    def __init__(self, status: int, reason: str) -> None:
        """Store both."""
        super().__init__(reason)
        self.status = status
        self.reason = reason


def read(kind: str, body: bytes, most_rows: int) -> list[Mapping[str, Any]]:
    """Read ``body`` of the content type ``kind`` into n rows, values by name; ``table`` makes them one.

    Raises Refusal: 400 what cannot be read, 413 too many rows, 415 an unknown kind, 422 what is no table of rows.
    """
    name, parameters = _kind(kind)
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in {"utf-8", "utf8", "us-ascii"}:
        raise Refusal(415, f"charset {charset[:40]!r} is not read; expected utf-8")
    readers: Mapping[str, Callable[[bytes], list[Mapping[str, Any]]]] = {CSV: _csv, JSON: _json, LINES: _lines}
    if name not in readers:
        raise Refusal(415, f"content type {name[:80]!r} is not read; expected one of {', '.join(readers)}")
    rows = readers[name](body)
    if not rows:
        raise Refusal(422, "there is no row to answer")
    if len(rows) > most_rows:
        raise Refusal(413, f"{len(rows):,} rows are more than the {most_rows:,} that one request may ask about")
    return rows


def need_json(kind: str) -> None:
    """Refuse (415) a body that is not said to be JSON, where nothing else is read."""
    name = _kind(kind)[0]
    if name != JSON:
        raise Refusal(415, f"content type {name[:80]!r} is not read; expected {JSON}")


@functools.lru_cache(32)
def _kind(written: str) -> tuple[str, Mapping[str, str]]:
    name, *rest = (part.strip() for part in written.split(";"))
    parameters = dict(part.split("=", 1) for part in rest if "=" in part)
    plain = name.lower()
    return ALSO.get(plain, plain), {key.lower(): value.strip('"') for key, value in parameters.items()}


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise Refusal(400, f"byte {fault.start} is not UTF-8") from fault


def _csv(body: bytes) -> list[Mapping[str, Any]]:
    text = _decoded(body)
    if "\x00" in text:
        raise Refusal(400, "there is a NUL character in the text")
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as fault:
        raise Refusal(400, f"not readable as CSV: {fault}") from fault
    if not lines:
        raise Refusal(422, "the body is empty; expected a header and at least one row")
    header = lines[0]
    _distinct(header)
    if len(lines) == 1:
        raise Refusal(422, "there is no row to answer: the first line is the header, and no line follows it")
    for number, line in enumerate(lines[1:], 1):
        if len(line) != len(header):
            raise Refusal(400, f"row {number} has {len(line)} cells, the header has {len(header)}")
    return [dict(zip(header, (cell or None for cell in line), strict=True)) for line in lines[1:]]


def _lines(body: bytes) -> list[Mapping[str, Any]]:
    lines = _decoded(body).splitlines()
    return [_record(_parsed(line), f"line {number}") for number, line in enumerate(lines, 1) if line.strip()]


def _json(body: bytes) -> list[Mapping[str, Any]]:
    try:
        told = from_json(body, allow_inf_nan=False)
    except ValueError:  # said in words, or read after all, by the reader that takes its time
        told = _parsed(_decoded(body))
    if isinstance(told, list):
        return _records(told, "row")
    given = [name for name in SHAPES if isinstance(told, dict) and name in told]
    if len(given) != 1:
        raise Refusal(422, f"expected an object with one of {', '.join(SHAPES)}, got {_words(told)}")
    rows = told[given[0]]
    if given[0] == SPLIT:
        return _split(rows)
    if not isinstance(rows, list):
        raise Refusal(
            422, f"{given[0]} holds {_words(rows)}; expected a list of rows, each an object of values by name"
        )
    return _records(rows, f"{given[0]}, row")


def _split(told: Any) -> list[Mapping[str, Any]]:
    columns, rows = (told.get(name) if isinstance(told, dict) else None for name in ("columns", "data"))
    if not isinstance(columns, list) or not isinstance(rows, list) or not all(isinstance(one, str) for one in columns):
        raise Refusal(422, "dataframe_split: expected `columns` (a list of names) and `data` (a list of rows)")
    _distinct(columns)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != len(columns):
            got = f"{len(row)} values" if isinstance(row, list) else _words(row)
            raise Refusal(
                422, f"dataframe_split, row {number} has {got}; expected one for each of {len(columns)} columns"
            )
    return [dict(zip(columns, row, strict=True)) for row in rows]


def _parsed(text: str) -> Any:
    def refuse(name: str) -> NoReturn:
        raise Refusal(400, f"{name} is not JSON; write null for a value that is not known")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError as fault:
        raise Refusal(400, "the JSON is nested too deeply") from fault
    except ValueError as fault:
        raise Refusal(400, f"not readable as JSON: {fault}") from fault


def _records(rows: list[Any], where: str) -> list[Mapping[str, Any]]:
    if set(map(type, rows)) <= {dict}:
        return rows
    return [_record(row, f"{where} {number}") for number, row in enumerate(rows, 1)]


def _record(row: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise Refusal(422, f"{where} is {_words(row)}; expected an object of values by name")
    return row


def _distinct(names: Sequence[str]) -> None:
    met: set[str] = set()
    for name in names:
        if name in met:
            raise Refusal(422, f"column {name[:80]!r} is there twice")
        met.add(name)


def table(rows: Sequence[Mapping[str, Any]], numbers: Mapping[str, frozenset[float]] | None = None) -> pl.DataFrame:
    """Rows as columns of text, null where nothing stands; Refusal 413 or 422 for what is no table.

    ``numbers``: columns that may stay what they are (Float64) where they hold nothing but numbers, each with those
    that have to be text because they stand for something else.
    """
    names = dict.fromkeys(rows[0]) if rows else {}
    for row in rows:
        if row.keys() != names.keys():
            names |= dict.fromkeys(row)
    if len(names) > MOST_COLUMNS:
        raise Refusal(413, f"{len(names):,} columns are more than {MOST_COLUMNS:,}")
    if not names:
        raise Refusal(422, "the rows hold no value")
    for number, name in enumerate(names, 1):
        if not name.isascii():
            _sound(name, 1, f"name of column {number}")
    direct = numbers or {}
    return pl.DataFrame([_column(name, [row.get(name) for row in rows], direct.get(name)) for name in names])


def _column(name: str, values: list[Any], others: frozenset[float] | None) -> pl.Series:
    kinds = set(map(type, values))
    if others is not None and kinds <= _PLAIN:
        known = [value for value in values if value is not None] if type(None) in kinds else values
        # A number that is none is larger than all: what is not within the bounds is refused below, with its row.
        if known and min(known) >= -MOST_NUMBER and max(known) <= MOST_NUMBER and others.isdisjoint(known):
            return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if kinds <= _TEXTS:
        joined = "".join(filter(None, values))
        if len(joined) <= MOST_TEXT and joined.isascii():
            return pl.Series(name, values, dtype=pl.String)
    return pl.Series(name, [_text(value, number, name) for number, value in enumerate(values, 1)], dtype=pl.String)


_PLAIN = frozenset({int, float, type(None)})
_TEXTS = frozenset({str, type(None)})


def _text(value: Any, row: int, name: str) -> str | None:
    """One value as it would stand in a CSV file."""
    if value is None:
        return None
    if isinstance(value, str):
        if len(value) > MOST_TEXT:
            raise Refusal(422, f"row {row}, {name[:80]}: {len(value):,} characters are more than {MOST_TEXT:,}")
        return _sound(value, row, name)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(_bounded(value, row, name))
    if isinstance(value, float):
        return repr(_bounded(value, row, name))
    raise Refusal(422, f"row {row}, {name[:80]}: {_words(value)}; expected text, a number, true, false or null")


def _bounded(value: float, row: int, name: str) -> float:
    if not abs(value) <= MOST_NUMBER:
        raise Refusal(422, f"row {row}, {name[:80]}: the number is too large")
    return value


def _sound(value: str, row: int, name: str) -> str:
    """Text that can be written as UTF-8: JSON can spell halves of characters, which are none."""
    try:
        value.encode()
    except UnicodeEncodeError as fault:
        raise Refusal(422, f"row {row}, {name[:80]}: character {fault.start} is no character") from fault
    return value


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return f"an object with {', '.join(map(str, list(value)[:3]))[:80] or 'nothing'}"
    names = {list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
