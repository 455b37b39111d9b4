"""Places outside for the exam of sources: one of each kind that Asof reads."""

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from asof.adapters import objects
from asof.adapters.calls import Patience
from asof.adapters.files import FilesReader
from asof.adapters.jsonapi import ApiReader
from asof.adapters.socrata import SocrataReader
from asof.adapters.sql import SqlReader
from asof.specs import ApiSpec, FilesSpec, SocrataSpec, SqlSpec, TimeSpec
from asof.testing.jsonapi import ApiServer
from asof.testing.socrata import SocrataServer

QUICK = Patience(attempts=3, timeout=2.0, first=0.001, longest=0.01)
SIZE = 5
"""Rows of a page."""


def parts(rows: pl.DataFrame, count: int = 4) -> list[pl.DataFrame]:
    """The rows in a few files, by their keys, so that a row stays in its file."""
    shares = rows["id"].str.slice(1).cast(pl.Int64) % count
    return [rows.filter(shares == share) for share in range(count)]


@dataclass
class Files:
    """Files of a folder, or of a bucket where ``base`` is an address."""

    base: str
    ending: str = "csv"

    def put(self, rows: pl.DataFrame) -> None:
        for number, part in enumerate(parts(rows)):
            if not part.height:
                continue
            text = part.write_csv() if self.ending == "csv" else part.write_ndjson()
            objects.write_bytes(f"{self.base}/{number}.{self.ending}", text.encode())

    def open(self, columns: Sequence[str] = ()) -> FilesReader:
        return FilesReader(FilesSpec(paths=(f"{self.base}/*.{self.ending}",)), Path("/"), columns=tuple(columns))

    def vanish(self) -> None:
        for address in objects.find(self.base):
            if objects.is_remote(address):
                delete(address)
            else:
                Path(address).unlink()


def delete(address: str) -> None:
    """Delete an object of a bucket."""
    import obstore
    from obstore.store import S3Store

    bucket, _, key = address.removeprefix("s3://").partition("/")
    obstore.delete(S3Store(bucket, client_options={"allow_http": True}), key)


@dataclass
class Sqlite:
    """A table of a file of SQLite."""

    folder: Path
    name: str = field(default_factory=lambda: f"{uuid.uuid4().hex}.db")

    def put(self, rows: pl.DataFrame) -> None:
        with sqlite3.connect(self.folder / self.name) as link:
            link.execute("DROP TABLE IF EXISTS orders")
            link.execute(f"CREATE TABLE orders ({', '.join(f'{name} TEXT' for name in rows.columns)})")
            holes = ", ".join("?" * rows.width)
            link.executemany(f"INSERT INTO orders VALUES ({holes})", rows.rows())
        link.close()

    def open(self, columns: Sequence[str] = ()) -> SqlReader:
        spec = SqlSpec(url=f"sqlite:///{self.name}", table="orders", watermark="at", page=SIZE)
        return SqlReader(spec, self.folder, ("id",), tuple(columns))

    def vanish(self) -> None:
        (self.folder / self.name).unlink()


@dataclass
class Postgres:
    """A table of PostgreSQL, its columns typed."""

    server: Any
    table: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:12]}")
    types: Mapping[str, str] = field(default_factory=lambda: {"at": "timestamptz", "amount": "numeric"})

    def put(self, rows: pl.DataFrame) -> None:
        import psycopg

        told = {"host": self.server.host, "port": self.server.port, "user": self.server.user}
        with psycopg.connect(dbname="postgres", password=self.server.password, **told) as link:
            link.execute(f"DROP TABLE IF EXISTS {self.table}")
            kinds = ", ".join(f"{name} {self.types.get(name, 'text')}" for name in rows.columns)
            link.execute(f"CREATE TABLE {self.table} ({kinds})")
            with link.cursor().copy(f"COPY {self.table} FROM STDIN") as copy:
                for row in rows.rows():
                    copy.write_row(row)

    def open(self, columns: Sequence[str] = ()) -> SqlReader:
        address = self.server.address().replace("@", ":${PG_PASSWORD}@")
        spec = SqlSpec(url=address, table=self.table, watermark="at", page=SIZE)
        environ = {"PG_PASSWORD": self.server.password}
        return SqlReader(spec, Path("/"), ("id",), tuple(columns), environ)

    def vanish(self) -> None:
        self.server.ask(f"DROP TABLE {self.table}")


@dataclass
class Socrata:
    """A data set of the API of Socrata."""

    server: SocrataServer

    def put(self, rows: pl.DataFrame) -> None:
        self.server.rows = rows

    def open(self, columns: Sequence[str] = ()) -> SocrataReader:
        spec = SocrataSpec(
            domain=self.server.domain,
            dataset=self.server.dataset,
            scheme="http",
            since=date(2024, 3, 1),
            page=SIZE,
            recheck="60d",
        )
        known = {"key": ("id",), "columns": tuple(columns), "environ": {}, "patience": QUICK}
        return SocrataReader(
            spec, TimeSpec(columns=("at",)), clock=lambda: datetime(2024, 3, 11, 12, tzinfo=UTC), **known
        )

    def vanish(self) -> None:
        self.server.__exit__(None, None, None)


@dataclass
class Api:
    """A JSON API that pages in one of its ways."""

    server: ApiServer

    def put(self, rows: pl.DataFrame) -> None:
        self.server.rows = rows

    def open(self, columns: Sequence[str] = ()) -> ApiReader:
        paging: dict[str, Any] = {"by": self.server.by}
        paging |= {"cursor": {"param": "after", "path": "meta.next"}, "next": {"path": "meta.next"}}.get(
            self.server.by, {}
        )
        spec = ApiSpec(
            url=self.server.url,
            rows="data.items",
            params={"limit": str(SIZE)},
            headers={"Authorization": "Bearer ${TOKEN}"},
            paging=paging,
            watermark={"column": "at", "param": "since"},
        )
        environ = {"TOKEN": self.server.token}
        return ApiReader(spec, ("id",), tuple(columns), environ, patience=QUICK)

    def vanish(self) -> None:
        self.server.__exit__(None, None, None)
