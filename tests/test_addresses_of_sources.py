"""Where rows come from, as a project writes it: faults with their lines, and no secret anywhere."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import projectfiles
from asof import project
from asof.cli import main
from asof.flows import ingestion
from asof.specs import ApiSpec, SourceSpec, SqlSpec
from asof.testing.jsonapi import ApiServer
from projectfiles import SMALL

ADVICE = "a password is never written here: put it, or the address, into a variable such as ${ORDERS_URL}"
SECRET = "a secret is never written here: put it into a variable, write its name, such as ${API_TOKEN}"
URL = "https://api.example.org/orders"


def page(address: str, more: str = "key: id") -> str:
    return SMALL.replace("files: orders.csv", f"{address}\n    {more}")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("sql: {url: 'sqlite:///a.db', tabl: x}", ["4: sql.tabl: unknown name; did you mean table?", "4: sql: TABLE"]),
        ("sql: {url: 'sqlite:///a.db', table: x, query: y}", ["4: sql: expected exactly one of table and query, got both"]),  # noqa: E501
        ("sql: {table: x}", ["4: sql.url: missing: expected a text"]),
        ("sql: {url: 'mysql://a/b', table: x}", ["4: sql.url: KIND, got 'mysql://a/b'"]),
        ("sql: {url: 'postgresql://u:hush@h/d', table: x}", [f"4: sql.url: {ADVICE}"]),
        ("sql: {url: '${A}', table: x, recheck: soon}", ["4: sql.recheck: STEP, got 'soon'"]),
        ("sql: {url: '${A}', table: x, timeout: 0s}", ["4: sql.timeout: expected at least 1s, got '0s'"]),
        ("api: {url: api.example.org}", ["4: api.url: expected an address such as https://api.example.org/v1/orders, got 'api.example.org'"]),  # noqa: E501
        ("api: {url: 'https://u:hush@h/d'}", [f"4: api.url: {ADVICE}"]),
        (f"api: {{url: '{URL}', headers: {{Authorization: Bearer hush}}}}", [f"4: api.headers.Authorization: {SECRET}"]),  # noqa: E501
        (f"api: {{url: '{URL}', params: {{api_key: hush, page: 1}}}}", [f"4: api.params.api_key: {SECRET}"]),
        (f"api: {{url: '{URL}', paging: pages}}", ["4: api.paging.by: expected one of page, offset, cursor, link, next, got 'pages'"]),  # noqa: E501
        (f"api: {{url: '{URL}', paging: cursor}}", ["4: api.paging.path: missing: where does an answer hold the next cursor? such as meta.next"]),  # noqa: E501
        (f"api: {{url: '{URL}', watermark: {{param: since}}}}", ["4: api.watermark.column: missing: expected a text"]),
        ("adapter: ftp", ["4: adapter.name: there is no adapter 'ftp': no installed package names one"]),
        ("sql: {url: '${A}', table: x}\n    api: {url: '${B}'}", ["3: expected exactly one of files, socrata, sql, api and adapter, got sql and api"]),  # noqa: E501
    ],
)  # fmt: skip
def test_faults(tmp_path: Path, address: str, told: list[str]) -> None:
    words = {
        "KIND": "expected postgresql://user@host/database, sqlite:///file or a variable such as ${ORDERS}",
        "STEP": "expected a length of time such as 15m, 1h, 7d, 2w or 1mo",
        "TABLE": "expected exactly one of table and query, got neither",
    }
    found = projectfiles.faults(tmp_path, page(address))
    assert not [line for line in found if "hush" in line]
    for line in told:
        for short, long in words.items():
            line = line.replace(short, long)  # noqa: PLW2901
        number, _, rest = line.partition(": ")
        where = "" if number == "3" else "."
        expected = f"project.yaml:{number}: sources.orders{where or ': '}{rest}"
        assert any(one.startswith(expected) for one in found), (expected, found)


def test_a_database_without_a_key(tmp_path: Path) -> None:
    text = page("sql: {url: 'sqlite:///a.db', table: x}", "delay: 1d")
    assert projectfiles.faults(tmp_path, text) == [
        (
            "project.yaml:3: sources.orders.key: missing: rows of a database are read in the order of a key: name the "
            "columns that tell rows apart"
        )
    ]
    keyed = page("sql: {url: 'sqlite:///a.db', table: x, key: id}", "delay: 1d")
    sql = projectfiles.read(tmp_path, keyed).spec.sources["orders"].sql
    assert sql is not None
    assert sql.key == ("id",)


def test_variables_stay_as_they_are_written(tmp_path: Path) -> None:
    environ = {"A": "postgresql://u:hush@h/d", "T": "hush"}
    for address in (
        "sql: {url: '${A}', table: x}",
        f"api: {{url: '{URL}', headers: {{Authorization: 'Bearer ${{T}}'}}}}",
    ):
        read = projectfiles.read(tmp_path, page(address), environ=environ)
        assert "hush" not in read.spec.model_dump_json()
        assert "hush" not in project.resolved(read)
        (tmp_path / "again.yaml").write_text(project.resolved(read))
        assert project.read(tmp_path / "again.yaml", environ=environ).spec == read.spec


def test_what_changes_where_a_reader_begins() -> None:
    def asked(**sql: Any) -> str:
        return ingestion.asked_hash(SourceSpec(sql=SqlSpec(**{"url": "${A}", "table": "x"} | sql), key=("id",)))

    assert asked() == asked(page=5, recheck="2h", timeout="1m")
    assert len({asked(), asked(table="y"), asked(url="${B}"), asked(watermark="at"), asked(key=("k",))}) == 5
    one = SourceSpec(api=ApiSpec(url=URL, headers={"A": "${T}"}))
    assert ingestion.asked_hash(one) == ingestion.asked_hash(SourceSpec(api=ApiSpec(url=URL)))
    assert ingestion.asked_hash(one) != ingestion.asked_hash(SourceSpec(api=ApiSpec(url=URL, rows="x")))
    assert ingestion.settings_hash(one) == ingestion.settings_hash(SourceSpec())


# From the command line ------------------------------------------------------------------------------

Capture = pytest.CaptureFixture[str]


def ingest(folder: Path, capsys: Capture, code: int = 0) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    assert main(["ingest", str(folder), "--json"]) == code
    out, err = capsys.readouterr()
    return (json.loads(out) if out else {}), err


def everything(folder: Path) -> bytes:
    """All that was written anywhere."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    text = page("sql: {url: 'sqlite:///${SHOP}.db', table: orders, watermark: at}").replace(
        "sold", "at\n    place: shop"
    )
    (tmp_path / "project.yaml").write_text(text)
    return tmp_path


def fill(folder: Path, rows: list[tuple[Any, ...]], columns: str = "id, at, shop, amount") -> None:
    with sqlite3.connect(folder / "hush.db") as link:
        link.execute("DROP TABLE IF EXISTS orders")
        link.execute(f"CREATE TABLE orders ({columns})")
        link.executemany(f"INSERT INTO orders VALUES ({', '.join('?' * (columns.count(',') + 1))})", rows)
    link.close()


def test_a_database_from_the_command_line(shop: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", "hush")
    rows = [(i, f"2024-03-{1 + i % 28:02d} 10:00:00", f"s{i % 3}", i / 2) for i in range(100)]
    fill(shop, rows)
    told, _ = ingest(shop, capsys)
    assert told["rows"] == {"read": 100, "valid": 100, "quarantined": 0, "repeated": 0}
    rows[7] = (7, "2024-03-28 12:00:00", "s1", 99.0)
    fill(shop, [*rows, (100, "2999-01-01 00:00:00", "s1", 1.0)])
    told, _ = ingest(shop, capsys)
    assert told["sources"][0]["new"] == 2
    assert ("watermark", "orders.at") in {(one["check"], one["subject"]) for one in told["findings"]}
    assert ingest(shop, capsys)[0]["sources"][0]["new"] == 0
    fill(shop, [row[:3] for row in rows], "id, at, shop")
    _, said = ingest(shop, capsys, 2)
    assert "orders: has lost the column 'amount' since the last ingest" in said
    monkeypatch.delenv("SHOP")
    _, said = ingest(shop, capsys, 3)
    assert "credentials are missing: the variable SHOP is not set or empty" in said


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Path, ApiServer]]:
    rows = [(str(i), f"2024-03-{1 + i % 28:02d}T10:00:00Z", f"s{i % 3}") for i in range(90)]
    frame = pl.DataFrame(rows, schema=["id", "at", "shop"], orient="row").sort("at", "id")
    with ApiServer(frame, token="hush-hush") as server:
        address = (
            f"api: {{url: '{server.url}', rows: data.items, params: {{limit: 20}}, paging: page, "
            "watermark: {column: at, param: since}, headers: {Authorization: 'Bearer ${SHOP_TOKEN}'}}"
        )
        (tmp_path / "project.yaml").write_text(page(address).replace("sold", "at\n    place: shop"))
        yield tmp_path, server


def test_an_api_from_the_command_line(
    served: tuple[Path, ApiServer], capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, server = served
    for value, said in ((None, "credentials are missing"), ("wrong", "the credentials are wrong")):
        monkeypatch.setenv("SHOP_TOKEN", value) if value else monkeypatch.delenv("SHOP_TOKEN", raising=False)
        assert said in ingest(folder, capsys, 3)[1]
    monkeypatch.setenv("SHOP_TOKEN", "hush-hush")
    told, _ = ingest(folder, capsys)
    assert told["rows"] == {"read": 90, "valid": 90, "quarantined": 0, "repeated": 0}
    corrected = pl.DataFrame([("5", "2024-03-28T11:00:00Z", "s9")], schema=server.rows.schema, orient="row")
    server.rows = pl.concat([server.rows.filter(pl.col("id") != "5"), corrected])
    assert ingest(folder, capsys)[0]["sources"][0]["new"] == 1
    assert b"hush" not in everything(folder)
