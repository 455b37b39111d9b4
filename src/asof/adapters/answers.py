"""Answers in a table of a PostgreSQL or SQLite database, for those who read them there.

One row an answer, with every column that a file of answers has, and before them ``answer_id``, the primary key, and
``answer_row``, its number in the order of the file or the range (from 1). All rows of a call are written in one
transaction. Writing the same answers again changes nothing; a corrected answer to the same question takes its place.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from asof.adapters import addresses
from asof.adapters.addresses import Address
from asof.errors import DataError

if TYPE_CHECKING:
    import sqlalchemy as sa

ID: Final = "answer_id"
ROW: Final = "answer_row"
EXPECTED: Final = "expected postgresql://user@host/database#table or sqlite:///file.db#table"
SHAPE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}(\.[A-Za-z_][A-Za-z0-9_]{0,62})?")
CHUNK: Final = 5_000


def check(written: str) -> str:
    """Say what is wrong with ``ADDRESS#table`` as written; empty where nothing is."""
    address, mark, name = written.rpartition("#")
    if not mark:
        return f"which table? {EXPECTED}" if not addresses.check(written) else addresses.check(written)
    if not SHAPE.fullmatch(name):
        return f"{name!r} cannot be a table: letters, digits and '_', at most 63, first no digit; or schema.table"
    if "." in name and address.startswith("sqlite"):
        return f"{name!r} cannot be a table of SQLite, which has no schemas: name it alone"
    return addresses.check(address)


def open_table(written: str, folder: Path, environ: Mapping[str, str] = os.environ) -> "AnswersTable":
    """Open ``ADDRESS#table``; a file of SQLite is relative to ``folder``.

    Raises:
        DataError: the address or the name cannot be one, or a variable is not set.
    """
    wrong = check(written)
    if wrong:
        raise DataError(f"the table of answers: {wrong}")  # the address is not repeated: it may hold a password
    address, _, name = written.rpartition("#")
    return AnswersTable(addresses.read(address, folder, environ), name)


class AnswersTable:
    """A table of answers."""

    def __init__(self, address: Address, name: str) -> None:
        """Store where it is; nothing is opened before the first use."""
        self._address = address
        schema, _, self._name = name.rpartition(".")
        self._schema = schema or None
        self.called = f"{address.written}#{name}"
        """As written, without a password."""

    def try_out(self) -> None:
        """See that the database can be reached, so that a long job need not end to find out that it cannot."""
        engine = self._engine()
        with addresses.guarded(self._address, "reach the database"), engine.connect():
            pass

    def write(self, answers: pl.DataFrame, key: Sequence[str], more: Sequence[str] = ()) -> int:
        """Write answers in one transaction; returns how many rows were new or changed.

        ``key``: columns that say what is asked; ``more``: those that tell rows apart whose key is not complete. Where
        all of them are equal, the first, second, … of a call are told apart. Makes the table where there is none.

        Raises:
            DataError: the table has other columns, or the answers hold something that no table can.
            OutsideError: the database cannot be reached, or does not allow it.
        """
        rows = numbered(answers, key, more)
        engine = self._engine()
        with addresses.guarded(self._address, f"write the table {self._name}"), engine.begin() as link:
            table = self._table(rows)
            self._refuse_others(link, table)
            table.create(link, checkfirst=True)
            insert = _upsert(self._address.dialect, table)
            return sum(link.execute(insert, part.to_dicts()).rowcount for part in rows.iter_slices(CHUNK))

    def _engine(self) -> "sa.Engine":
        if self._address.dialect == "sqlite":
            Path(str(self._address.url.database)).parent.mkdir(parents=True, exist_ok=True)
        return addresses.open_engine(self._address)

    def _table(self, rows: pl.DataFrame) -> "sa.Table":
        import sqlalchemy as sa

        columns = [sa.Column(name, _kind(dtype), primary_key=name == ID) for name, dtype in rows.schema.items()]
        return sa.Table(self._name, sa.MetaData(), *columns, schema=self._schema)

    def _refuse_others(self, link: "sa.Connection", table: "sa.Table") -> None:
        """Refuse a table that is there with other columns, before a row is written."""
        import sqlalchemy as sa

        look = sa.inspect(link)
        if not look.has_table(self._name, self._schema):
            return
        kinds = {column.name: column.type.compile(link.dialect) for column in table.columns}
        there = {column["name"]: column["type"] for column in look.get_columns(self._name, self._schema)}
        strange = [name for name in there if name not in table.columns]
        lacking = [column for column in table.columns if column.name not in there]
        faults = []
        if strange:
            faults.append(f"it has other columns than these answers ({', '.join(strange)})")
        if lacking:
            faults.append(f"it lacks {', '.join(column.name for column in lacking)}")
        faults += [
            f"{column.name} is {there[column.name].compile(link.dialect)}, expected {kinds[column.name]}"
            for column in table.columns
            if column.name in there and _family(there[column.name]) is not _family(column.type)
        ]
        unique = look.get_pk_constraint(self._name, self._schema)["constrained_columns"] == [ID]
        if not faults and not unique:
            faults.append(f"{ID} is not its primary key")
        if faults:
            advice = "name another table" if strange or not lacking else self._advice(lacking, kinds)
            message = f"{self.called}: the table cannot take these answers: {'; '.join(faults)}: {advice}"
            raise DataError(message)

    def _advice(self, lacking: Sequence["sa.Column[Any]"], kinds: Mapping[str, str]) -> str:
        """How the table gets the columns that it lacks."""
        whole = f'"{self._schema}"."{self._name}"' if self._schema else f'"{self._name}"'
        names = [column.name for column in lacking]
        if ID in names:
            return "name another table"
        added = " ".join(f'ALTER TABLE {whole} ADD COLUMN "{name}" {kinds[name]};' for name in names)
        return f"add them ({added}), or name another table"


def numbered(answers: pl.DataFrame, key: Sequence[str], more: Sequence[str] = ()) -> pl.DataFrame:
    """Answers as rows of a table: ``answer_id`` and ``answer_row`` before them, values of kinds that tables have.

    Raises:
        DataError: two columns have one name but for capitals, or a column holds what no table can.
    """
    names: dict[str, str] = {ID: ID, ROW: ROW}
    for name in answers.columns:
        if name.lower() in names:
            message = f"a table cannot have both a column {names[name.lower()]!r} and {name!r}: rename it in the input"
            raise DataError(message)
        names[name.lower()] = name
    plain = answers.with_columns(_plain(column) for column in answers)
    whole = pl.all_horizontal(pl.col(name).is_not_null() & (pl.col(name).cast(pl.String) != "") for name in key)
    asked = plain.select(*key, *(pl.when(~whole).then(name) for name in more))
    count = asked.select(pl.int_range(pl.len()).over(asked.columns)).to_series()
    ids = [_digest([*values, number]) for values, number in zip(asked.iter_rows(), count, strict=True)]
    row = pl.int_range(1, plain.height + 1, eager=True, dtype=pl.Int64)
    return plain.select(pl.Series(ID, ids, dtype=pl.String), row.alias(ROW), pl.all())


def _digest(values: Sequence[Any]) -> str:
    """Name an answer by what is asked."""
    text = json.dumps([value.isoformat() if isinstance(value, date | datetime) else value for value in values])
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(column: pl.Series) -> pl.Series:
    """A column of a kind that tables have."""
    dtype = column.dtype
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        message = f"column {column.name!r} holds {dtype}, which no table of answers can: leave it out of the input"
        raise DataError(message)
    if dtype.is_integer():
        return column.cast(pl.Int64)
    if dtype.is_float():
        return column.cast(pl.Float64).fill_nan(None)
    if isinstance(dtype, pl.Datetime):
        told = column.dt.convert_time_zone("UTC") if dtype.time_zone else column.dt.replace_time_zone("UTC")
        return told.cast(pl.Datetime("us", "UTC"))
    return column if dtype in (pl.Boolean, pl.Date) else column.cast(pl.String)


def _kind(dtype: pl.DataType) -> "sa.types.TypeEngine[Any]":
    import sqlalchemy as sa

    if dtype == pl.Boolean:
        return sa.Boolean()
    if dtype == pl.Date:
        return sa.Date()
    if isinstance(dtype, pl.Datetime):
        return sa.DateTime(timezone=True)
    if dtype.is_integer():
        return sa.BigInteger()
    return sa.Double() if dtype.is_float() else sa.Text()


def _family(kind: "sa.types.TypeEngine[Any]") -> type:
    """What counts as the same kind, however a database calls it."""
    import sqlalchemy as sa

    families: tuple[tuple[type, ...], ...] = (
        (sa.Boolean,),
        (sa.DateTime,),
        (sa.Date,),
        (sa.Integer,),
        (sa.Numeric, sa.Float),
        (sa.String,),
    )
    return next((family[0] for family in families if isinstance(kind, family)), type(kind))


def _upsert(dialect: str, table: "sa.Table") -> Any:
    """Insert; where the answer is there already and differs, it is replaced."""
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql, sqlite

    made: Any = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    others = [column for column in table.columns if column.name != ID]
    differs = sa.or_(*(column.is_distinct_from(made.excluded[column.name]) for column in others))
    values = {column.name: made.excluded[column.name] for column in others}
    # Without the option not every driver says how many rows were touched.
    return made.on_conflict_do_update(index_elements=[ID], set_=values, where=differs).execution_options(
        preserve_rowcount=True
    )
