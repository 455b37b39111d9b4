"""The fingerprint of a release: SHA-256 over what the model is, not over when and where it was made.

Every value is written into the hash with its kind and its length, so that no two different
contents share a byte string: ``["ab"]`` and ``["a", "b"]`` differ, as do 1 and 1.0.
"""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, datetime, timedelta
from enum import Enum
from typing import Any, Protocol

import numpy as np
import polars as pl

from asof.errors import DataError


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def fingerprint(contents: Mapping[str, Any]) -> str:
    """Return the SHA-256 (64 hexadecimal digits) of ``contents``, independent of the order of its keys.

    Values may be text, bytes, numbers, booleans, none, dates, lists, mappings, dataclasses,
    numpy arrays and Polars frames; floats count by their bits (all NaN are one). Give no
    times of running, ids or addresses: the same inputs, plan, threads and platform must
    give the same fingerprint. Raises ``DataError`` for a value of another kind.
    """
    state = hashlib.sha256()
    _add(state, contents, "contents")
    return state.hexdigest()


def _add(state: _Hash, value: Any, where: str) -> None:
    if isinstance(value, Mapping):
        _tag(state, "map", len(value))
        for key in sorted(value, key=str):
            _text(state, "key", str(key))
            _add(state, value[key], f"{where}.{key}")
    elif is_dataclass(value) and not isinstance(value, type):
        _add(state, {field.name: getattr(value, field.name) for field in fields(value)}, where)
    elif isinstance(value, pl.DataFrame):
        _tag(state, "frame", value.width)
        for column in value.iter_columns():
            _text(state, "key", column.name)
            _series(state, column)
    elif isinstance(value, pl.Series):
        _series(state, value)
    elif isinstance(value, np.ndarray):
        _array(state, value, where)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        _tag(state, "list", len(value))
        for index, item in enumerate(value):
            _add(state, item, f"{where}[{index}]")
    else:
        _scalar(state, value, where)


def _scalar(state: _Hash, value: Any, where: str) -> None:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, np.generic):
        value = value.item()
    if value is None:
        _tag(state, "none", 0)
    elif isinstance(value, bool):
        _text(state, "bool", str(value))
    elif isinstance(value, int):
        _text(state, "int", str(value))
    elif isinstance(value, float):
        _bytes(state, "float", struct.pack("<d", float("nan") if value != value else value))  # noqa: PLR0124 - NaN alone differs from itself
    elif isinstance(value, str):
        _text(state, "text", value)
    elif isinstance(value, bytes):
        _bytes(state, "bytes", value)
    elif isinstance(value, datetime | date):
        _text(state, "time", value.isoformat())
    elif isinstance(value, timedelta):
        _text(state, "span", str(value))
    else:
        message = (
            f"{where}: a {type(value).__name__} cannot be part of a fingerprint: give plain values, arrays or frames"
        )
        raise DataError(message)


def _array(state: _Hash, value: np.ndarray[Any, Any], where: str) -> None:
    if value.dtype.kind not in "biufSU":
        _add(state, value.tolist(), where)
        return
    plain = np.ascontiguousarray(value)
    if plain.dtype.kind == "f":
        plain = np.where(np.isnan(plain), np.array(np.nan, plain.dtype), plain)
    _text(state, "array", json.dumps([plain.dtype.kind, plain.dtype.itemsize, list(plain.shape)]))
    _bytes(state, "data", plain.astype(plain.dtype.newbyteorder("<"), copy=False).tobytes())


def _series(state: _Hash, column: pl.Series) -> None:
    _text(state, "series", str(column.dtype))
    if column.dtype.is_numeric() and not column.dtype.is_decimal():
        known = column.is_not_null()
        _array(state, known.to_numpy(), column.name)
        _array(state, column.filter(known).to_numpy(), column.name)
    elif column.dtype.is_temporal():
        _series(state, column.to_physical())
    else:
        _add(state, column.to_list(), column.name)


def _text(state: _Hash, kind: str, value: str) -> None:
    _bytes(state, kind, value.encode())


def _bytes(state: _Hash, kind: str, value: bytes) -> None:
    _tag(state, kind, len(value))
    state.update(value)


def _tag(state: _Hash, kind: str, length: int) -> None:
    state.update(f"{kind}:{length};".encode())
