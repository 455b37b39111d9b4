"""Connections to PostgreSQL and SQLite for reading: read-only, with a limit of time, every value as text."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from asof.adapters import addresses
from asof.adapters.addresses import Address
from asof.adapters.moments import is_zoned, moment_of
from asof.errors import DataError, OutsideError
from asof.times import Step

if TYPE_CHECKING:
    from sqlalchemy import Connection

_BOOLEAN, _UNZONED, _ZONED, _DATE = 16, 1114, 1184, 1082
"""Numbers of types in PostgreSQL (pg_type.dat)."""
_WRONG: Final = ("42P01", "42703", "42601", "3F000", "42883", "42702", "42P10", "22007", "22P02", "42804")
"""SQLSTATE of what the question itself gets wrong: table, column, syntax, schema, function, type."""
_WRONG_WORDS: Final = ("no such table", "no such column", "syntax error", "row value misused", "incomplete input")
_LATE: Final = ("57014", "interrupted")
_TICK: Final = 100_000
"""Steps of SQLite's machine between two looks at the clock."""


@contextmanager
def connect(address: Address, limit: Step) -> "Iterator[Connection]":
    """Open a connection in a read-only transaction of one view of the data; no statement takes longer than ``limit``.

    Raises ``DataError`` where there is no such file, ``OutsideError`` where the database refuses or does not answer.
    """
    if address.dialect == "sqlite":
        address = _existing(address)
    engine = addresses.open_engine(address)
    from sqlalchemy import exc

    with told(address, "connect"):
        link = engine.connect()
    try:
        with told(address, "begin a read-only transaction"):
            if address.dialect == "sqlite":
                _limit_sqlite(link, limit)
            else:
                link = _prepared(link, limit)
        yield link
    finally:
        # A database that has ended the connection says so once more; nothing was written, so nothing is taken back.
        with suppress(exc.SQLAlchemyError):
            link.close()
        engine.dispose()


def _existing(address: Address) -> Address:
    """The same file, opened for reading only: what is not there is not made."""
    file = Path(str(address.url.database))
    if not file.is_file():
        raise DataError(f"{address.written}: there is no such file ({file})")
    url = address.url.set(database=f"file:{file.resolve().as_posix().replace('?', '%3f').replace('#', '%23')}")
    return replace(address, url=url.update_query_dict({"mode": "ro", "uri": "true"}))


def _limit_sqlite(link: "Connection", limit: Step) -> None:
    raw: Any = link.connection.driver_connection
    began = [time.monotonic()]
    seconds = limit.nominal.total_seconds()
    raw.set_progress_handler(lambda: int(time.monotonic() - began[0] > seconds), _TICK)
    link.info["began"] = began


def _prepared(link: "Connection", limit: Step) -> "Connection":
    from psycopg.types.string import TextLoader

    link = link.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    raw: Any = link.connection.driver_connection
    for kind in list(raw.adapters.types):
        for oid in (kind.oid, kind.array_oid):
            if oid:
                raw.adapters.register_loader(oid, TextLoader)
    link.exec_driver_sql(f"SET LOCAL statement_timeout = {int(limit.nominal.total_seconds() * 1000)}")
    for setting in ("TimeZone = 'UTC'", "DateStyle = 'ISO, YMD'", "IntervalStyle = 'iso_8601'", "bytea_output = 'hex'"):
        link.exec_driver_sql(f"SET LOCAL {setting}")
    return link


def literal(link: "Connection", text: str) -> str:
    """A part of a statement in which nothing is a parameter."""
    return text.replace("%", "%%") if link.dialect.name == "postgresql" else text


def hole(link: "Connection", name: str) -> str:
    """Where the parameter ``name`` stands in a statement."""
    return f"%({name})s" if link.dialect.name == "postgresql" else f":{name}"


def columns(link: "Connection", address: Address, source: str) -> list[str]:
    """Names of the columns of a table or query, in their order."""
    with told(address, "read"):
        return list(link.exec_driver_sql(f"SELECT * FROM {source} LIMIT 0", {}).keys())  # noqa: S608


def kind(link: "Connection", address: Address, source: str, column: str) -> str:
    """Whether a column holds moments with a zone (``zoned``) or without (``unzoned``), or something ``other``."""
    quoted = literal(link, link.dialect.identifier_preparer.quote_identifier(column))
    with told(address, "read"):
        if link.dialect.name == "postgresql":
            asked = link.exec_driver_sql(f"SELECT {quoted} FROM {source} LIMIT 0", {})  # noqa: S608
            return {_ZONED: "zoned", _UNZONED: "unzoned", _DATE: "unzoned"}.get(_types(asked)[0], "other")
        asked = link.exec_driver_sql(f"SELECT {quoted} FROM {source} WHERE {quoted} IS NOT NULL LIMIT 1", {})  # noqa: S608
        value = asked.scalar()
    if not isinstance(value, str) or moment_of(value) is None:
        return "other"
    return "zoned" if is_zoned(value) else "unzoned"


def _types(result: Any) -> list[int]:
    return [column.type_code for column in result.cursor.description]


def stream(
    link: "Connection", address: Address, statement: str, params: Mapping[str, Any], page: int
) -> Iterator[tuple[Sequence[tuple[Any, ...]], pl.DataFrame]]:
    """Run one SELECT and yield its rows page by page: as the driver gives them, and as String columns."""
    from sqlalchemy.exc import SQLAlchemyError

    with told(address, "read"):
        result = link.execution_options(stream_results=True, max_row_buffer=page).exec_driver_sql(
            statement, dict(params)
        )
    try:
        names = list(result.keys())
        types = _types(result) if link.dialect.name == "postgresql" else []
        while True:
            if "began" in link.info:
                link.info["began"][0] = time.monotonic()
            with told(address, "read"):
                rows = [tuple(row) for row in result.fetchmany(page)]
            if not rows:
                return
            if types:
                rows = _written(rows, types)
            yield rows, _texts(rows, names)
    finally:
        with suppress(SQLAlchemyError):  # where the connection is lost there is nothing left to close
            result.close()


def _written(rows: list[tuple[Any, ...]], types: Sequence[int]) -> list[tuple[Any, ...]]:
    """PostgreSQL's texts, moments with ``T`` and ``Z`` and booleans in full."""
    changed = {place: oid for place, oid in enumerate(types) if oid in {_BOOLEAN, _UNZONED, _ZONED}}
    if not changed:
        return rows
    parts = list(zip(*rows, strict=True))
    for place, oid in changed.items():
        parts[place] = tuple(None if text is None else _text_of(text, oid) for text in parts[place])
    return list(zip(*parts, strict=True))


def _text_of(text: str, oid: int) -> str:
    if oid == _BOOLEAN:
        return "true" if text == "t" else "false"
    written = text.replace(" ", "T", 1)
    return written.replace("+00", "Z", 1) if oid == _ZONED else written


def _texts(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pl.DataFrame:
    parts = zip(*rows, strict=True)
    series = [pl.Series(name, list(map(_as_text, part)), pl.String) for name, part in zip(names, parts, strict=True)]
    return pl.DataFrame(series)


def _as_text(value: Any) -> str | None:
    if value is None or type(value) is str:
        return value
    return value.hex() if isinstance(value, bytes) else repr(value)


@contextmanager
def told(address: Address, doing: str) -> Iterator[None]:
    """Turn what a database says into one line without a secret: what is asked wrongly, refused, late, or broken."""
    from sqlalchemy import exc

    with addresses.guarded(address, doing):
        try:
            yield
        except exc.SQLAlchemyError as fault:
            origin: Any = getattr(fault, "orig", None) or fault
            said = " ".join(str(origin).split())
            for secret in address.secrets:
                said = said.replace(secret, "…")
            state = str(getattr(origin, "sqlstate", "") or "")
            if state in _WRONG or any(words in said for words in _WRONG_WORDS):
                raise DataError(f"{address.written}: {said}; check table:, query:, watermark: and key:") from None
            if "Could not decode to UTF-8" in said:
                raise DataError(f"{address.written}: {said}: the file holds text in another encoding") from None
            if state in _LATE or any(words in said for words in _LATE):
                raise OutsideError(
                    f"{address.written}: a statement took longer than allowed; an index on watermark and key makes it "
                    "fast, a larger timeout: lets it take its time; what was read is kept"
                ) from None
            for words, advice in _CREDENTIALS.items():
                if words in said:
                    raise OutsideError(f"{address.written}: {advice} ({said})") from None
            raise


_CREDENTIALS: Final = {
    "no password supplied": "credentials are missing: set PGPASSWORD, or a variable in the address",
    "password authentication failed": "credentials are wrong or have expired; check user and password",
    "PAM authentication failed": "credentials are wrong or have expired; renew the token",
    "has expired": "credentials have expired; renew them",
}
