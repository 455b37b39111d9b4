"""A table of a database comes whole: ties, late rows, rows without a watermark, types; what is refused is told."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asof.adapters import moments
from asof.adapters.sql import SqlReader
from asof.errors import DataError, OutsideError
from asof.ports import Batch
from asof.specs import SqlSpec
from asof.testing import readers
from tests.postgres import Server

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def make(folder: Path, rows: list[tuple[Any, ...]], columns: str = "id INTEGER, at TEXT, x REAL") -> None:
    """Write the table ``orders`` of ``shop.db`` anew."""
    with sqlite3.connect(folder / "shop.db") as link:
        link.execute("DROP TABLE IF EXISTS orders")
        link.execute(f"CREATE TABLE orders ({columns})")
        holes = ", ".join("?" * (columns.count(",") + 1))
        link.executemany(f"INSERT INTO orders VALUES ({holes})", rows)
    link.close()


def reader(folder: Path, columns: tuple[str, ...] = (), **options: Any) -> SqlReader:
    told = {"url": "sqlite:///shop.db", "watermark": "at", "page": 4} | options
    told |= {} if "query" in told else {"table": told.get("table", "orders")}
    return SqlReader(SqlSpec(**told), folder, ("id",), columns, {}, lambda: NOW)


def ids(batches: list[Batch]) -> list[str]:
    return [number for batch in batches for number in batch.rows["id"]]


def minutes(count: int, ties: int = 3) -> list[tuple[int, str, float]]:
    """Rows, ``ties`` of one moment."""
    return [(number, f"2024-03-01 10:{number // ties:02d}:00", number / 2) for number in range(count)]


class TestOrder:
    @pytest.mark.parametrize("watermark", ["at", "id"])
    def test_ties_on_the_watermark_are_neither_lost_nor_read_twice(self, tmp_path: Path, watermark: str) -> None:
        rows = minutes(20)
        make(tmp_path, rows)
        expected = pl.DataFrame([[str(part) for part in row] for row in rows], schema=["id", "at", "x"], orient="row")
        readers.check(
            lambda: reader(tmp_path, watermark=watermark, recheck="0"),
            expected,
            [
                lambda: reader(tmp_path, watermark=watermark, recheck="0s", page=1),
                lambda: reader(tmp_path, query="SELECT * FROM orders WHERE x >= 0 AND 'a :b %' <> '';", recheck="0s"),
            ],
        )

    def test_a_page_more_gives_only_what_is_new(self, tmp_path: Path) -> None:
        make(tmp_path, minutes(7))
        [*_, last] = reader(tmp_path, recheck="0s").batches(None)
        make(tmp_path, minutes(9))
        assert ids(list(reader(tmp_path, recheck="0s").batches(last.watermark))) == ["7", "8"]

    @pytest.mark.parametrize(("recheck", "found"), [("0s", False), ("1m", False), ("5m", True), (None, True)])
    def test_a_row_that_became_visible_late_is_found_within_recheck(
        self, tmp_path: Path, recheck: str | None, *, found: bool
    ) -> None:
        make(tmp_path, minutes(20))
        [*_, last] = reader(tmp_path, recheck=recheck).batches(None)
        make(tmp_path, [*minutes(20), (99, "2024-03-01 10:02:00", 1.0)])
        assert ("99" in ids(list(reader(tmp_path, recheck=recheck).batches(last.watermark)))) is found

    def test_a_watermark_of_numbers_is_checked_again_by_numbers(self, tmp_path: Path) -> None:
        make(tmp_path, [row for row in minutes(20) if row[0] != 14])
        [*_, last] = reader(tmp_path, watermark="id", recheck="3").batches(None)
        make(tmp_path, minutes(20))
        assert ids(list(reader(tmp_path, watermark="id", recheck="3").batches(last.watermark))) == [
            "16",
            "17",
            "18",
            "19",
        ]
        assert ids(list(reader(tmp_path, watermark="id").batches(last.watermark))) == [str(i) for i in range(20)]

    def test_rows_without_a_watermark_are_read_each_time_and_told_of(self, tmp_path: Path) -> None:
        make(tmp_path, [(1, None, 1.0), (2, None, 2.0), *minutes(5)[3:]])
        first = list(reader(tmp_path).batches(None))
        assert ids(first) == ["1", "2", "3", "4"]
        again = list(reader(tmp_path, recheck="0s").batches(first[-1].watermark))
        assert ids(again) == ["1", "2"]
        [finding] = again[-1].findings
        assert (finding.check, finding.subject, finding.rows) == ("watermark", "at", 2)
        assert "read each time" in finding.message

    def test_without_a_watermark_everything_is_read_each_time_and_a_stop_goes_on(self, tmp_path: Path) -> None:
        make(tmp_path, minutes(9))
        stream = reader(tmp_path, watermark=None).batches(None)
        first = next(stream)
        stream.close()
        rest = list(reader(tmp_path, watermark=None).batches(first.watermark))
        assert ids([first, *rest]) == [str(number) for number in range(9)]
        assert len(ids(list(reader(tmp_path, watermark=None).batches(rest[-1].watermark)))) == 9

    def test_a_key_that_is_missing_in_a_row(self, tmp_path: Path) -> None:
        make(tmp_path, [*minutes(2), (None, "2024-03-01 10:00:00", 1.0)])
        with pytest.raises(DataError, match=r"shop\.db orders: the key column 'id' is missing in a row"):
            list(reader(tmp_path).batches(None))

    @pytest.mark.parametrize(
        ("count", "said"),
        [
            (1, "1 row has none and is read each time, since nothing says when it changes"),
            (2, "2 rows have none and are read each time, since nothing says when they change"),
        ],
    )
    def test_rows_without_a_watermark_are_told_of(self, tmp_path: Path, count: int, said: str) -> None:
        make(tmp_path, [*minutes(3), *[(90 + number, None, 1.0) for number in range(count)]])
        batches = list(reader(tmp_path).batches(None))
        assert len(ids(batches)) == 3 + count
        assert [finding.message for finding in batches[-1].findings] == [said]


class TestClocks:
    def test_a_watermark_in_the_future_does_not_hide_what_comes_after(self, tmp_path: Path) -> None:
        make(tmp_path, [*minutes(5), (90, "2999-01-01 00:00:00", 1.0)])
        batches = list(reader(tmp_path).batches(None))
        assert ids(batches) == ["0", "1", "2", "3", "4", "90"]
        [finding] = batches[-1].findings
        assert finding.message.startswith("1 row lies in the future (2999-01-01T00:00:00)")
        assert '"2024-03-01 10:01:00", 4' in str(batches[-1].watermark)
        make(tmp_path, [*minutes(9), (90, "2999-01-01 00:00:00", 1.0)])
        again = list(reader(tmp_path, recheck="0s").batches(batches[-1].watermark))
        assert ids(again) == ["5", "6", "7", "8", "90"]

    def test_a_clock_that_went_back_reads_again_and_says_so(self, tmp_path: Path) -> None:
        make(tmp_path, [(1, "2024-06-20 10:00:00", 1.0), (2, "2024-06-01 14:30:00", 1.0)])
        ahead = '{"after": ["2024-06-20 10:00:00", 1], "columns": ["id", "at", "x"]}'
        batches = list(reader(tmp_path).batches(ahead))
        assert ids(batches) == ["2", "1"]
        assert [finding.message.split(":")[0] for finding in batches[-1].findings] == [
            "the last watermark 2024-06-20 10",
            "1 row lies in the future (2024-06-20T10",
        ]
        assert "2024-06-20" not in str(batches[-1].watermark)
        assert ids(list(reader(tmp_path, recheck="0s").batches(batches[-1].watermark))) == ["1"]

    @pytest.mark.parametrize(
        ("like", "written"),
        [
            ("2024-03-01", "2024-06-01"),
            ("2024-03-01 10:00", "2024-06-01 00:00"),
            ("2024-03-01T10:00:00Z", "2024-06-01T00:00:00Z"),
            ("2024-03-01T10:00:00.123", "2024-06-01T00:00:00.000"),
            ("2024-03-01 10:00:00+02:00", "2024-06-01 02:00:00+02:00"),
        ],
    )
    def test_a_moment_is_written_as_its_column_is(self, like: str, written: str) -> None:
        assert moments.shaped(NOW, like) == written

    @pytest.mark.parametrize(
        ("one", "other", "last"),
        [
            ("9", "10", "10"),
            ("2024-03-01T10:00:00Z", "2024-03-01T11:00:00+02:00", "2024-03-01T10:00:00Z"),
            ("b", "a", "b"),
            (None, "a", "a"),
            ("a", None, "a"),
        ],
    )
    def test_the_later_of_two(self, one: str | None, other: str | None, last: str) -> None:
        assert moments.later(one, other) == last


class TestColumns:
    def test_a_column_that_is_gone_is_named(self, tmp_path: Path) -> None:
        make(tmp_path, minutes(3))
        [last] = reader(tmp_path).batches(None)
        make(tmp_path, [row[:2] for row in minutes(3)], "id INTEGER, at TEXT")
        with pytest.raises(DataError, match="orders: has lost the column 'x' since the last ingest; bring it back"):
            list(reader(tmp_path).batches(last.watermark))
        with pytest.raises(DataError, match=r"there is no column 'x' any more \(it was there at the last ingest\)"):
            list(reader(tmp_path, ("id", "x")).batches(last.watermark))
        assert len(ids(list(reader(tmp_path, ("id", "at")).batches(last.watermark)))) == 3

    def test_a_column_that_is_new_is_read_and_told_of(self, tmp_path: Path) -> None:
        make(tmp_path, minutes(3))
        [last] = reader(tmp_path).batches(None)
        make(tmp_path, [(*row, "red") for row in minutes(4)], "id INTEGER, at TEXT, x REAL, colour TEXT")
        [batch] = reader(tmp_path, recheck="0s").batches(last.watermark)
        assert batch.rows.rows() == [("3", "2024-03-01 10:01:00", "1.5", "red", "shop.db orders", 1)]
        assert [finding.message.split(";")[0] for finding in batch.findings] == ["new since the last ingest: colour"]

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"watermark": "att"}, "orders: there is no column 'att'; did you mean 'at'?"),
            ({"table": "order"}, "sqlite:///shop.db: .*no such table: order"),
            ({"query": "SELECT id, at FROM"}, "sqlite:///shop.db: .*syntax error"),
            ({"url": "sqlite:///shops.db"}, "sqlite:///shops.db: there is no such file"),
        ],
    )
    def test_what_is_asked_wrongly(self, tmp_path: Path, options: dict[str, str], told: str) -> None:
        make(tmp_path, minutes(3))
        with pytest.raises(DataError, match=told.replace("?", r"\?").replace("(", r"\(")) as caught:
            list(reader(tmp_path, **options).batches(None))
        assert "\n" not in str(caught.value)
        assert not (tmp_path / "shops.db").exists()

    def test_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        (tmp_path / "shop.db").write_text("id,at\n1,2\n" * 100)
        with pytest.raises(DataError, match="file is not a database"):
            list(reader(tmp_path).batches(None))

    def test_a_watermark_of_another_kind_of_source(self, tmp_path: Path) -> None:
        make(tmp_path, minutes(3))
        with pytest.raises(DataError, match="is none of a database"):
            list(reader(tmp_path).batches("2024-03-01"))

    def test_values_of_sqlite_are_text_as_they_are_kept(self, tmp_path: Path) -> None:
        make(tmp_path, [(1, "2024-03-01", 1e22), (2, "2024-03-02", b"\x00\xff"), (3, "2024-03-03", None)])
        assert [batch.rows["x"].to_list() for batch in reader(tmp_path).batches(None)] == [["1e+22", "00ff", None]]

    def test_nothing_can_be_written(self, tmp_path: Path) -> None:
        make(tmp_path, minutes(3))
        before = (tmp_path / "shop.db").read_bytes()
        with pytest.raises(DataError):
            list(reader(tmp_path, query="DELETE FROM orders RETURNING *").batches(None))
        assert (tmp_path / "shop.db").read_bytes() == before

    def test_a_statement_that_takes_too_long_is_given_up(self, tmp_path: Path) -> None:
        make(tmp_path, minutes(3))
        endless = (
            "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT max(id) AS id, 1 AS at FROM n"
        )
        with pytest.raises(OutsideError, match="took longer than allowed"):
            list(reader(tmp_path, query=endless, timeout="1s").batches(None))


TYPED = """
CREATE TABLE {table} (id bigint, at timestamptz, day date, price numeric(20,6), share double precision, ok boolean,
  facts jsonb, plain timestamp, tags text[], raw bytea, note text);
INSERT INTO {table} VALUES
 (1, '2024-03-01 10:00:00.120+02', '2024-03-01', 1234567890.123456, 0.1, true, '{{"a": [1, 2.50]}}',
  '2024-03-01 10:00', '{{a,b}}', '\\x00ff', 'x'),
 (2, '2024-03-01 09:00:00+00', null, 0.500000, 1e22, false, 'null', null, null, null, ''),
 (3, null, '0044-03-15 BC', 'NaN', 'Infinity', null, null, 'infinity', null, null, null);
"""


@pytest.fixture
def typed(postgres: Server) -> Iterator[str]:
    table = "typed"
    postgres.ask(TYPED.format(table=table))
    yield table
    postgres.ask(f"DROP TABLE {table}")


@pytest.mark.needs("PostgreSQL")
class TestPostgres:
    def reader(self, server: Server, environ: dict[str, str] | None = None, **options: Any) -> SqlReader:
        told = {"url": server.address().replace("@", ":${SECRET}@"), "watermark": "at"} | options
        known = {"SECRET": server.password} if environ is None else environ
        return SqlReader(SqlSpec(**told), Path("/"), ("id",), (), known)

    def test_every_type_reads_back_the_same(self, postgres: Server, typed: str) -> None:
        batches = list(self.reader(postgres, table=typed).batches(None))
        rows = pl.concat([batch.rows for batch in batches]).sort("id").drop("_file", "_line").rows()
        assert rows == [
            (
                *("1", "2024-03-01T08:00:00.12Z", "2024-03-01", "1234567890.123456", "0.1", "true"),
                *('{"a": [1, 2.50]}', "2024-03-01T10:00:00", "{a,b}", "\\x00ff", "x"),
            ),
            ("2", "2024-03-01T09:00:00Z", None, "0.500000", "1e+22", "false", "null", None, None, None, ""),
            ("3", None, "0044-03-15 BC", "NaN", "Infinity", None, None, "infinity", None, None, None),
        ]

    def test_nothing_can_be_written(self, postgres: Server, typed: str) -> None:
        asked = f"SELECT id, at, setval('seq', 1) FROM {typed}"
        postgres.ask("CREATE SEQUENCE IF NOT EXISTS seq")
        with pytest.raises(OutsideError, match="read-only transaction"):
            list(self.reader(postgres, query=asked).batches(None))

    def test_a_connection_that_the_database_has_ended_is_left_without_a_word(
        self, postgres: Server, typed: str
    ) -> None:
        """A server that shuts down while rows are handed on: whoever leaves then has nothing to take back."""
        others = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename = 'asof'"
        with closing(self.reader(postgres, table=typed).batches(None)) as batches:
            assert next(batches).rows["id"].to_list() == ["3"], "the others are still to come"
            assert postgres.ask(f"SELECT count(pg_terminate_backend(pid)) {others}")[0][0] >= 1

    def test_a_statement_that_takes_too_long_is_given_up(self, postgres: Server) -> None:
        with pytest.raises(OutsideError, match="took longer than allowed"):
            list(self.reader(postgres, query="SELECT 1 AS id, now() AS at, pg_sleep(9)", timeout="1s").batches(None))

    @pytest.mark.parametrize(
        ("environ", "url", "told"),
        [
            ({}, None, "credentials are missing: the variable SECRET is not set or empty"),
            ({"SECRET": "wrong-one"}, None, "credentials are wrong or have expired; check user and password"),
            ({}, "postgresql://asof@HOST/postgres", "credentials are missing: set PGPASSWORD"),
            ({"SECRET": "x"}, "postgresql://asof:${SECRET}@127.0.0.1:1/postgres", "connection"),
        ],
    )
    def test_credentials(
        self, postgres: Server, environ: dict[str, str], url: str | None, told: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("PGPASSWORD", raising=False)
        monkeypatch.setenv("PGPASSFILE", "/nowhere")
        options = {} if url is None else {"url": url.replace("HOST", f"{postgres.host}:{postgres.port}")}
        with pytest.raises(OutsideError, match=told) as caught:
            list(self.reader(postgres, environ, table="orders", **options).batches(None))
        assert caught.value.exit_code == 3
        assert "\n" not in str(caught.value)
        assert "wrong-one" not in str(caught.value)

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"table": "typd"}, 'relation "typd" does not exist'),
            ({"query": "SELECT idd, at FROM typed"}, 'column "idd" does not exist'),
            ({"query": "SELECT id, id, at FROM typed"}, "two columns are called 'id'; name them apart with AS"),
            ({"query": "SELECT id, at FROM typed WHERE note LIKE '%' AND"}, "syntax error"),
        ],
    )
    def test_what_is_asked_wrongly(self, postgres: Server, typed: str, options: dict[str, str], told: str) -> None:
        with pytest.raises(DataError, match=told) as caught:
            list(self.reader(postgres, **options).batches(None))
        assert "\n" not in str(caught.value)
        assert postgres.password not in str(caught.value)

    def test_a_server_that_dies_in_the_middle_costs_nothing_that_was_read(self, postgres: Server) -> None:
        asked = "SELECT n AS id, timestamp '2024-01-01' + n * interval '1 s' AS at FROM generate_series(1, 9000) n"
        stream = self.reader(postgres, query=asked, page=1000).batches(None)
        kept = [next(stream), next(stream)]
        postgres.ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        with pytest.raises(OutsideError, match=r"could not read: .*terminat|closed") as caught:
            kept.extend(stream)
        assert "\n" not in str(caught.value)
        rest = list(self.reader(postgres, query=asked, page=1000, recheck="0s").batches(kept[-1].watermark))
        assert ids([*kept, *rest]) == [str(number) for number in range(1, 9001)]

    def test_a_table_of_a_schema_with_odd_names(self, postgres: Server) -> None:
        postgres.ask('CREATE SCHEMA "odd %s"; CREATE TABLE "odd %s"."x""y" ("the id" int, "a:t" int)')
        postgres.ask('INSERT INTO "odd %s"."x""y" VALUES (1, 1), (2, 1)')
        spec = SqlSpec(url="${A}", table='odd %s.x"y', watermark="a:t", key=("the id",))
        address = postgres.address().replace("@", ":" + "not%20a%20secret%20%2F%20of%3Aanyone%40all" + "@")
        [batch] = SqlReader(spec, Path("/"), environ={"A": address}).batches(None)
        assert batch.rows.rows() == [("1", "1", 'postgres odd %s.x"y', 1), ("2", "1", 'postgres odd %s.x"y', 2)]
