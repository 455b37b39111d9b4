"""Answers in a table: a real PostgreSQL and a real SQLite file pass the same tests."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asof.adapters import addresses, answers
from asof.errors import Busy, DataError, OutsideError
from tests.postgres import Server

KEY = ("release", "unit", "as_of")
GIVEN = pl.DataFrame(
    {
        "Name": ["Bo", None, "Ida O'Neil", "Bo"],
        "age": [1.5, None, float("nan"), 1.5],
        "day": [date(1912, 4, 14), None, date(1912, 4, 15), date(1912, 4, 14)],
        "unit": ["10", "9", None, "10"],
        "as_of": [datetime(2021, 7, 1, 4, tzinfo=UTC), None, None, datetime(2021, 7, 1, 4, tzinfo=UTC)],
        "prediction": [0.1, 0.2, None, 0.1],
        "outside": [True, False, None, True],
        "count": [1, 2, None, 1],
        "reason": [None, None, "no name", None],
        "release": ["r-1"] * 4,
    }
)


@dataclass(frozen=True)
class Base:
    """A database for one test."""

    address: str
    environ: dict[str, str]
    ask: Callable[[str], list[tuple[Any, ...]]]

    def write(self, rows: pl.DataFrame, name: str = "told", key: tuple[str, ...] = KEY) -> int:
        """Write to the table ``name``."""
        return answers.open_table(f"{self.address}#{name}", Path("/"), self.environ).write(rows, key)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.needs("PostgreSQL"))])
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    """An SQLite file, then an empty database of a PostgreSQL."""
    if request.param == "sqlite":
        file = tmp_path / "below" / "told.db"

        def ask(sql: str) -> list[tuple[Any, ...]]:
            file.parent.mkdir(exist_ok=True)
            link = sqlite3.connect(file)
            try:
                return link.execute(sql).fetchall()
            finally:
                link.commit()
                link.close()

        return Base(f"sqlite:///{file}", {}, ask)
    server: Server = request.getfixturevalue("postgres")
    name = f"told_{abs(hash(request.node.nodeid))}"
    server.ask_alone(f"create database {name}")
    address = server.address(name).replace("@", ":${PG}@")
    return Base(address, {"PG": server.password}, lambda sql: server.ask(sql, name))


def test_every_row_is_written_in_its_order_with_every_column(base: Base) -> None:
    """Missing values stay missing; two answers to the same question of one file are two rows."""
    assert base.write(GIVEN) == 4
    rows = base.ask('select answer_row, "Name", age, unit, prediction, outside, count, reason from told order by 1')
    assert rows == [
        (1, "Bo", 1.5, "10", 0.1, True, 1, None),
        (2, None, None, "9", 0.2, False, 2, None),
        (3, "Ida O'Neil", None, None, None, None, None, "no name"),
        (4, "Bo", 1.5, "10", 0.1, True, 1, None),
    ]
    assert len(set(base.ask("select answer_id from told"))) == 4
    [(day, as_of)] = base.ask("select day, as_of from told where answer_row = 1")
    assert str(day) == "1912-04-14"
    assert str(as_of).startswith("2021-07-01 04:00:00")


def test_the_same_again_changes_nothing_and_a_corrected_answer_takes_its_place(base: Base) -> None:
    base.write(GIVEN)
    before = base.ask("select * from told order by answer_id")
    assert base.write(GIVEN) == 0
    assert base.ask("select * from told order by answer_id") == before
    assert base.write(GIVEN.with_columns(prediction=pl.Series([0.1, 0.7, None, 0.1]))) == 1
    assert base.ask("select prediction from told where unit = '9'") == [(0.7,)]
    assert base.write(GIVEN.with_columns(release=pl.lit("r-2"))) == 4
    assert base.ask("select count(*) from told") == [(8,)]


def test_many_rows_in_parts_are_one_transaction(base: Base) -> None:
    """The last row cannot be written, so none is: NOT NULL of a table that somebody has made stricter."""
    many = pl.DataFrame({"unit": [str(n) for n in range(answers.CHUNK + 7)], "prediction": 0.5})
    assert base.write(many, key=("unit",)) == many.height
    base.ask(
        "create table strict (answer_id text primary key, answer_row bigint, unit text, prediction float not null)"
    )
    broken = many.with_columns(prediction=pl.when(pl.col("unit") == str(answers.CHUNK + 6)).then(None).otherwise(0.5))
    with pytest.raises(OutsideError, match="could not write the table strict"):
        base.write(broken, "strict", ("unit",))
    assert base.ask("select count(*) from strict") == [(0,)]


def test_a_table_with_other_columns_is_refused_and_stays_as_it_is(base: Base) -> None:
    base.ask("create table told (name text, amount float)")
    with pytest.raises(
        DataError,
        match=r"other columns than these answers \(name, amount\); it lacks answer_id, .*: name another table",
    ):
        base.write(GIVEN)
    assert base.ask("select count(*) from told") == [(0,)]


def test_a_column_that_the_table_lacks_is_told_with_what_to_do(base: Base) -> None:
    """The advice is SQL that works: after it the answers are taken."""
    base.write(GIVEN.drop("age", "outside"))
    with pytest.raises(DataError, match="it lacks age, outside: add them") as told:
        base.write(GIVEN)
    assert base.ask("select count(*) from told") == [(4,)]
    for command in str(told.value).partition("add them (")[2].partition("), or name")[0].split(";")[:-1]:
        base.ask(command)
    assert base.write(GIVEN) == 3, "the answer that holds nothing there stays as it is"


def test_a_column_of_another_kind_is_refused(base: Base) -> None:
    base.write(GIVEN)
    with pytest.raises(DataError, match=r"count is BIGINT, expected TEXT: name another table"):
        base.write(GIVEN.with_columns(pl.col("count").cast(pl.String)))


def test_a_table_without_the_key_is_refused(base: Base) -> None:
    """Nothing would keep the same answer from being there twice."""
    base.ask("create table bare (answer_id text, answer_row bigint, unit text)")
    with pytest.raises(DataError, match="answer_id is not its primary key"):
        base.write(pl.DataFrame({"unit": ["a"]}), "bare", ("unit",))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (pl.DataFrame({"unit": ["a"], "Unit": ["b"]}), "cannot have both a column 'unit' and 'Unit'"),
        (pl.DataFrame({"unit": ["a"], "answer_row": [1]}), "cannot have both a column 'answer_row' and 'answer_row'"),
        (pl.DataFrame({"unit": ["a"], "parts": [[1, 2]]}), r"column 'parts' holds List\(Int64\)"),
    ],
)
def test_what_no_table_can_hold(rows: pl.DataFrame, said: str) -> None:
    with pytest.raises(DataError, match=said):
        answers.numbered(rows, ["unit"])


PASSWORD = "s3cret"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("postgresql://me@host/db", "which table? expected postgresql://user@host/database#table"),
        ("postgresql://me@host/db#drop table x", "'drop table x' cannot be a table: letters, digits and '_'"),
        ("sqlite:///x.db#main.told", "which has no schemas"),
        ("sqlite://#told", "expected postgresql://user@host:port/database or sqlite:///file.db"),
        ("mysql://me@host/db#told", "expected postgresql://user@host:port/database or sqlite:///file.db"),
        ("postgresql://me@host#told", "expected postgresql://user@host:port/database or sqlite:///file.db"),
        (f"postgresql://me:{PASSWORD}@host#told", "expected postgresql://user@host:port/database"),
        (f"postgresql://me:{PASSWORD}@host/db#told", "a password is never written here"),
        (f"postgresql://me:{PASSWORD}${{X}}@host/db#told", "a password is never written here"),
        (f"postgresql://me:{PASSWORD}@host/db", "a password is never written here"),
        (f"postgresql://me:{PASSWORD}@host:x/db#told", "expected postgresql://user@host:port/database"),
        (f"postgresql://me@host/db?password={PASSWORD}#told", "a password is never written here"),
        ("postgresql://me:${NOT_SET}@host/db#told", "the variable NOT_SET is not set"),
        ("${NOT_SET}#told", "the variable NOT_SET is not set"),
        ("${WHERE}#told", "the value of ${WHERE}: expected postgresql://user@host:port/database"),
    ],
)
def test_an_address_that_is_none(written: str, said: str) -> None:
    """No password is repeated."""
    with pytest.raises(DataError) as fault:
        answers.open_table(written, Path("/"), {"WHERE": f"mysql://me:{PASSWORD}@host/db", "X": "x"})
    assert said in str(fault.value)
    assert PASSWORD not in str(fault.value)


def test_a_password_of_a_variable_is_shown_nowhere() -> None:
    table = answers.open_table("postgresql://me:${X}@127.0.0.1:1/db#told", Path("/"), {"X": PASSWORD})
    assert table.called == "postgresql://me:${X}@127.0.0.1:1/db#told"
    with pytest.raises(OutsideError, match=r"postgresql://me:\$\{X\}@127\.0\.0\.1:1/db: could not reach") as fault:
        table.try_out()
    assert "refused" in str(fault.value)
    assert PASSWORD not in str(fault.value)
    assert PASSWORD not in repr(addresses.read("${X}", Path("/"), {"X": f"postgresql://me:{PASSWORD}@host/db"}))
    assert "\n" not in str(fault.value)


@pytest.mark.needs("PostgreSQL")
def test_the_password_comes_from_the_environment_alone(
    postgres: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A wrong one, none, ``PGPASSWORD``, a file ``.pgpass``, and a whole address in a variable."""
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "absent"))
    address = postgres.address()
    told = f"{address.replace('@', ':${PG}@')}#told"
    with pytest.raises(OutsideError, match="password authentication failed") as fault:
        answers.open_table(told, Path("/"), {"PG": PASSWORD}).try_out()
    assert PASSWORD not in str(fault.value)
    bare = answers.open_table(f"{address}#told", Path("/"), {})
    with pytest.raises(OutsideError, match="no password supplied"):
        bare.try_out()
    monkeypatch.setenv("PGPASSWORD", postgres.password)
    bare.try_out()
    monkeypatch.delenv("PGPASSWORD")
    kept = tmp_path / "pgpass"
    kept.write_text(f"127.0.0.1:{postgres.port}:*:{postgres.user}:{postgres.password.replace(':', chr(92) + ':')}\n")
    kept.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(kept))
    bare.try_out()


@pytest.mark.needs("PostgreSQL")
def test_a_user_without_rights(postgres: Server) -> None:
    """Neither a table may be made, nor one of somebody else's be written; a schema of one's own may."""
    postgres.ask("create role guest login password 'guest'; create schema hers authorization guest")
    address = postgres.address(user="guest").replace("@", ":${PG}@")
    with pytest.raises(OutsideError, match="permission denied for schema public; ask its owner"):
        answers.open_table(f"{address}#told", Path("/"), {"PG": "guest"}).write(GIVEN, KEY)
    assert answers.open_table(f"{address}#hers.told", Path("/"), {"PG": "guest"}).write(GIVEN, KEY) == 4
    assert postgres.ask("select count(*) from hers.told") == [(4,)]


def test_an_sqlite_file_that_is_none_or_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page.db").write_text("this is a page of text, long enough to be looked at as a header of a file" * 9)
    with pytest.raises(DataError, match="file is not a database"):
        answers.open_table("sqlite:///page.db#told", tmp_path, {}).write(GIVEN, KEY)
    monkeypatch.setattr(addresses, "BUSY_SECONDS", 0.1)
    other = sqlite3.connect(tmp_path / "told.db", isolation_level=None)
    other.execute("begin exclusive")
    with pytest.raises(Busy, match="another program writes to it"):
        answers.open_table("sqlite:///told.db#told", tmp_path, {}).write(GIVEN, KEY)
    other.close()
