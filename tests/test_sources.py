"""Every kind of source passes one exam, each against a real server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import polars as pl
import pytest

from asof.adapters import jsonapi, socrata
from asof.ports import Reader
from asof.testing import readers, sources
from asof.testing.jsonapi import ApiServer
from asof.testing.socrata import SocrataServer
from tests import outsides, servers
from tests.postgres import Server


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Return the address of an S3 service on this machine."""
    with servers.s3() as address:
        yield address


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def folder(base: Path) -> Callable[[], str]:
    """A new folder each time."""
    numbers = iter(range(10_000))
    return lambda: f"{base}/{next(numbers)}"


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_files(tmp_path: Path, ending: str) -> None:
    new = folder(tmp_path)
    sources.examine(lambda: outsides.Files(new(), ending), strict=ending == "csv")


def test_objects_of_a_bucket(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = servers.make_bucket(s3, monkeypatch)
    new = folder(Path("examined"))
    sources.examine(lambda: outsides.Files(f"{bucket}/{new()}"))


def test_sqlite(tmp_path: Path) -> None:
    sources.examine(lambda: outsides.Sqlite(tmp_path), seeds=3)


@pytest.mark.needs("PostgreSQL")
@pytest.mark.parametrize(
    ("types", "form"),
    [
        ({"at": "timestamptz", "amount": "numeric"}, "%Y-%m-%dT%H:%M:%SZ"),
        ({"at": "timestamp", "id": "varchar(9)"}, "%Y-%m-%dT%H:%M:%S"),
    ],
)
def test_postgresql(postgres: Server, types: dict[str, str], form: str) -> None:
    sources.examine(lambda: outsides.Postgres(postgres, types=types), form=form)


def test_socrata(opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socrata, "STRETCHES", 1)
    sources.examine(
        lambda: outsides.Socrata(opened.enter_context(SocrataServer(pl.DataFrame()))),
        form="%Y-%m-%dT%H:%M:%S.000",
    )


@pytest.mark.parametrize("by", ["page", "offset", "cursor", "link", "next"])
def test_an_api_whatever_its_paging(by: str, opened: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonapi, "PAGES", 1)
    make = lambda: outsides.Api(opened.enter_context(ApiServer(by=by)))  # noqa: E731
    sources.examine(make, form="%Y-%m-%dT%H:%M:%SZ", strict=False)


class Forgetful:
    """A place whose reader has a fault, so that the exam has something to find."""

    def __init__(self, fault: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
        self.fault = fault
        self.rows = pl.DataFrame()

    def put(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    def open(self, columns: object = ()) -> Reader:
        del columns
        return readers.ListReader(self.fault(self.rows), size=5)

    def vanish(self) -> None:
        self.rows = pl.DataFrame()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (lambda rows: rows.tail(-1), "read in one go: lost"),
        (lambda rows: pl.concat([rows, rows.head(1)]), "read in one go: 1 rows came twice"),
        (lambda rows: rows.drop("note"), "read in one go: lost"),
        (lambda rows: rows, "rows that are corrected were not found"),
        (lambda rows: rows.head(5), "read in one go: lost"),
    ],
)
def test_the_exam_finds_readers_at_fault(fault: Callable[[pl.DataFrame], pl.DataFrame], told: str) -> None:
    with pytest.raises(AssertionError, match=told):
        sources.examine(lambda: Forgetful(fault))
