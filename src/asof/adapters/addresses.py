"""Addresses of SQL databases: what may stand in one, where its password comes from, and what a message may show.

``postgresql://user@host:5432/database`` and ``sqlite:///file.db``, relative to a folder (four slashes: a whole path).
A password stands in the environment and nowhere else: as ``${NAME}`` in the address, in ``PGPASSWORD``, or in the file
``.pgpass``. An address that is nothing but ``${NAME}`` is the value of that variable, password and all.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from asof.errors import Busy, DataError, OutsideError, UserError

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

SCHEMES: Final = ("postgresql://", "sqlite:///")
EXPECTED: Final = "expected postgresql://user@host:port/database or sqlite:///file.db"
ADVICE: Final = (
    "a password is never written here: put it into a variable and write its name, such as "
    "postgresql://user:${NAME}@host/database (in a shell within single quotes), or set PGPASSWORD"
)
CONNECT_SECONDS: Final = 10
BUSY_SECONDS: Final = 30
"""How long another writer of an SQLite file is waited for."""
_VARIABLE: Final = re.compile(r"\$\{(\w+)\}")
_DRIVERS: Final = {"postgresql": "postgresql+psycopg", "sqlite": "sqlite+pysqlite"}
_NO_RIGHTS: Final = ("42501", "25006", "readonly database")
"""SQLSTATE of PostgreSQL (privilege, read-only), and what SQLite says."""


@dataclass(frozen=True)
class Address:
    """A database, as written."""

    written: str
    """Without a password: fit for messages."""
    url: "URL" = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """What no message may hold."""

    @property
    def dialect(self) -> str:
        """``postgresql`` or ``sqlite``."""
        return self.url.get_backend_name()


def is_address(text: str) -> bool:
    """Whether a text means a database and not a file."""
    return text.startswith(("postgresql:", "postgres:", "sqlite:")) or bool(_VARIABLE.match(text))


def check(written: str) -> str:
    """Say what is wrong with an address as written, without any variable's value; empty where nothing is."""
    try:
        if not _VARIABLE.fullmatch(written):
            _parts(written)
    except DataError as fault:
        return str(fault)
    return ""


def read(written: str, folder: Path, environ: Mapping[str, str] = os.environ) -> Address:
    """Read an address; the file of SQLite is relative to ``folder``.

    Raises:
        DataError: it is no address, it holds a password, or a variable is not set.
    """
    whole = _VARIABLE.fullmatch(written)
    if whole:
        url = _url(_value(whole[1], environ), f"the value of {written}")
    else:
        url = _parts(written)
        named = {"username": url.username, "password": url.password, "host": url.host, "database": url.database}
        filled: dict[str, Any] = {part: _filled(str(text), environ) for part, text in named.items() if text}
        url = url.set(**filled)
    url = url.set(drivername=_DRIVERS[url.get_backend_name()])
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(folder / str(url.database)))
    return Address(written, url, (str(url.password),) if url.password else ())


def _parts(written: str) -> "URL":
    """Parts of an address, its variables as they stand."""
    url = _url(written, "")
    if url.password is not None and not _VARIABLE.fullmatch(str(url.password)):
        raise DataError(ADVICE)
    return url


def _url(text: str, called: str) -> "URL":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    said = f"{called}: {EXPECTED}" if called else EXPECTED
    if not text.startswith(SCHEMES):
        raise DataError(said)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # what it says would repeat the address
        raise DataError(said) from None
    if {name.lower() for name in url.query} & {"password", "sslpassword"}:
        raise DataError(ADVICE)
    if not url.database:
        raise DataError(said)
    return url


def _filled(text: str, environ: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: _value(found[1], environ), text)


def _value(name: str, environ: Mapping[str, str]) -> str:
    if name not in environ:
        message = f"the variable {name} is not set"
        raise DataError(message)
    return environ[name]


def open_engine(address: Address, **options: Any) -> "Engine":
    """Make an engine; nothing is opened yet. A transaction of SQLite is a real one, tables made in it included."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import NullPool

    if address.dialect == "postgresql":
        try:
            import psycopg  # noqa: F401
        except ImportError as fault:
            message = f"{address.written}: PostgreSQL needs one more package: pip install 'asof[sql]'"
            raise UserError(message) from fault
        told: dict[str, Any] = {} if "connect_timeout" in address.url.query else {"connect_timeout": CONNECT_SECONDS}
        return create_engine(address.url, poolclass=NullPool, hide_parameters=True, connect_args=told, **options)
    waiting = {"timeout": BUSY_SECONDS}
    engine = create_engine(address.url, poolclass=NullPool, hide_parameters=True, connect_args=waiting, **options)

    @event.listens_for(engine, "connect")
    def leave_transactions_to_us(link: Any, record: Any) -> None:
        del record
        link.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(link: Any) -> None:
        link.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def guarded(address: Address, doing: str) -> Iterator[None]:
    """Turn what a database says into one line without a secret: bad input, a missing right, or something outside.

    ``doing`` says what was tried, such as "read the table orders".
    """
    from sqlalchemy import exc

    try:
        yield
    except exc.SQLAlchemyError as fault:
        origin = getattr(fault, "orig", None) or fault
        said = _hidden((str(origin).strip().splitlines() or [type(origin).__name__])[0], address)
        state = str(getattr(origin, "sqlstate", "") or "")
        where = f"{address.written}: could not {doing}: {said}"
        if isinstance(fault, exc.IdentifierError | exc.DataError) or "is not a database" in said:
            raise DataError(where) from None
        if state in _NO_RIGHTS or any(part in said for part in _NO_RIGHTS[2:]):
            raise OutsideError(f"{where}; ask its owner for the right to do so") from None
        if "database is locked" in said:
            raise Busy(f"{where}: another program writes to it; try again later") from None
        raise OutsideError(where) from None


def _hidden(text: str, address: Address) -> str:
    for secret in address.secrets:
        text = text.replace(secret, "…")
    return text
