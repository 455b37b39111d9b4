"""JSON values as the text that was sent: a number keeps its digits, an object stays JSON."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl


class _Number(str):
    """The digits of a number, told apart from a quoted text."""

    __slots__ = ()


def parse(text: str | bytes) -> Any:
    """Read JSON, keeping the digits of numbers; raises ValueError (``json.JSONDecodeError``) where it is broken."""
    return json.loads(text, parse_float=_Number, parse_int=_Number, parse_constant=_Number)


def as_text(value: Any) -> str | None:
    """Return a parsed value as text: a text itself, a number's digits, ``true``, JSON for what is nested, or none."""
    if value is None or type(value) is str:
        return value
    return str(value) if isinstance(value, _Number) else _dumps(value)


def frame(rows: Sequence[Mapping[str, Any]], names: Iterable[str] = ()) -> pl.DataFrame:
    """Parsed objects as String columns: those of ``names`` first, then others as they appear; a missing key is null."""
    columns = dict.fromkeys(names)
    for row in rows:
        columns.update(dict.fromkeys(row))
    return pl.DataFrame(
        {name: [as_text(row.get(name)) for row in rows] for name in columns}, schema=dict.fromkeys(columns, pl.String)
    )


def _dumps(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_dumps(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_dumps(inner) for inner in value) + "]"
    return json.dumps(value, ensure_ascii=False)
