"""Answers as they go back: one a row, in its place, in the kind that was asked for."""

import functools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

import polars as pl
from pydantic_core import to_json

from asof.api.bodies import ALSO, CSV, JSON, LINES, Refusal
from asof.api.turns import Answered
from asof.flows.oracles import CHANCE

WRITES = (JSON, CSV, LINES)


@functools.lru_cache(32)
def choose(accept: str) -> str:
    """Choose the kind of answer by the header ``Accept``, JSON where anything will do; Refusal 406 where none fits."""
    wanted = []
    for position, part in enumerate(accept.split(",")):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((_weight(piece[2:]) for piece in parameters if piece.startswith("q=")), 1.0)
        if name and weight > 0:
            wanted.append((-weight, position, ALSO.get(name, name)))
    for _, _, name in sorted(wanted):
        if name in {"*/*", "application/*"}:
            return JSON
        if name == "text/*":
            return CSV
        if name in WRITES:
            return name
    if not accept.strip():
        return JSON
    raise Refusal(406, f"no answer of the kind {accept[:80]!r} is written; expected one of {', '.join(WRITES)}")


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def only_json(accept: str) -> None:
    """Refuse (406) a request that takes no JSON, where nothing else is written."""
    wanted = {part.split(";")[0].strip().lower() for part in accept.split(",")}
    if accept.strip() and not wanted & {JSON, "*/*", "application/*"}:
        raise Refusal(406, f"no answer of the kind {accept[:80]!r} is written; expected {JSON}")


def write_plain(told: Any) -> bytes:
    """Write plain values as JSON; moments in UTC."""
    return json.dumps(told, default=_moment, allow_nan=False).encode()


def _moment(value: datetime) -> str:
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write(answers: pl.DataFrame, kind: str) -> bytes:
    """Write answers: JSON as ``{"predictions": [...]}``, CSV with a header, or an object a line."""
    if kind == CSV:
        return _plain(answers).write_csv().encode()
    told = records(answers)
    if kind == LINES:
        return b"".join(to_json(one) + b"\n" for one in told)
    return b'{"predictions":' + to_json(told) + b"}"


def part(answers: pl.DataFrame, sizes: Sequence[int], kind: str, *, numbered: bool) -> list[Answered]:
    """Write the answers to several requests, each of so many rows, as if it had been alone.

    ``numbered``: units are the numbers of rows, which begin anew with each request.
    """
    if len(sizes) == 1:
        return [Answered(write(answers, kind), _refused(answers))]
    if numbered:
        units = [str(number) for size in sizes for number in range(1, size + 1)]
        answers = answers.clone().replace_column(answers.columns.index("unit"), pl.Series("unit", units))
    ends = list(accumulate(sizes))
    parts = [answers.slice(end - size, size) for size, end in zip(sizes, ends, strict=True)]
    if kind != JSON:
        return [Answered(write(one, kind), _refused(one)) for one in parts]
    lines = [to_json(one) for one in records(answers)]
    told = [join(lines[end - size : end]) for size, end in zip(sizes, ends, strict=True)]
    return [Answered(body, _refused(one)) for body, one in zip(told, parts, strict=True)]


def _refused(answers: pl.DataFrame) -> int:
    return answers.height - answers["reason"].null_count()


def join(lines: Sequence[bytes]) -> bytes:
    """Join answers, an object each, to what ``write`` makes of them as JSON."""
    return b'{"predictions":[' + b",".join(lines) + b"]}"


def records(answers: pl.DataFrame) -> list[dict[str, Any]]:
    """Answers as JSON tells them: moments as text in UTC, chances of classes as one object by name."""
    columns = _plain(answers)
    called = columns.columns
    told: list[dict[str, Any]] = [
        dict(zip(called, row, strict=True))
        for row in zip(*(column.to_list() for column in columns.iter_columns()), strict=True)
    ]
    names = [name for name in answers.columns if name.startswith(CHANCE)]
    if names:
        for one in told:
            one["chances"] = {name.removeprefix(CHANCE): one.pop(name) for name in names}
    return told


def _plain(answers: pl.DataFrame) -> pl.DataFrame:
    timed = [name for name, dtype in answers.schema.items() if dtype == pl.Datetime]
    if not timed:
        return answers
    # By Polars, which writes the end of the last day of the year 9999 as well: Python has no such moment.
    return answers.with_columns(pl.col(timed).dt.convert_time_zone("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
