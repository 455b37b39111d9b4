"""A table or a query of PostgreSQL or SQLite as a source, read in the order of a watermark column and a key.

One streaming SELECT in a read-only transaction, fetched in pages; each page is a batch. Its watermark is JSON: the
watermark and key of the last row (``after``), and the columns that were there. The next read begins ``recheck``
before it, for rows that became visible late; a row without a value in the watermark column is read each time, since
nothing says when it changes. Values are the text that the database writes: a numeric keeps its digits, a moment with
a zone is in UTC, JSON stays JSON.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from asof.adapters import addresses, sql_links, variables
from asof.adapters.addresses import Address
from asof.adapters.moments import AHEAD, AHEAD_UNZONED, moment_of, number_of, shaped
from asof.data import Finding, Severity
from asof.errors import DataError, OutsideError
from asof.ports import Batch
from asof.specs import SqlSpec
from asof.times import Step

if TYPE_CHECKING:
    from sqlalchemy import Connection

NUMBERS: Final = 10_000
"""How many numbers before the last one are looked at again, where the watermark is a number."""
HOUR: Final = Step(1, "h")


def _now() -> datetime:
    return datetime.now(UTC)


def _environ() -> Mapping[str, str]:
    return os.environ


@dataclass
class _Mark:
    """How far a table has been read: watermark (where there is one) and key of the last row, and its columns."""

    after: list[Any] | None = None
    columns: list[str] | None = None

    @classmethod
    def parse(cls, watermark: str | None) -> "_Mark":
        if watermark is None:
            return cls()
        try:
            found = json.loads(watermark)
            return cls(found["after"], list(found["columns"]))
        except (ValueError, KeyError, TypeError) as fault:
            message = f"the watermark {watermark[:60]!r} is none of a database; was the source of another kind before?"
            raise DataError(message) from fault

    def dump(self) -> str:
        return json.dumps({"after": self.after, "columns": self.columns}, sort_keys=True)


@dataclass(frozen=True)
class SqlReader:
    """Reads one table or query; fills ``ports.Reader``."""

    spec: SqlSpec
    folder: Path
    """The file of SQLite is relative to it."""
    key: tuple[str, ...] = ()
    """Key of the source, unless the address names its own."""
    columns: tuple[str, ...] = ()
    """Columns to read, besides watermark and key; empty: all."""
    environ: Mapping[str, str] = field(default_factory=_environ, repr=False)
    clock: Callable[[], datetime] = field(default=_now, repr=False)

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Yield the rows since ``watermark``, and before it those of ``recheck`` once more, a page at a time.

        Raises:
            DataError: there is no such table or column, a column is gone, or a key is missing in a row.
            OutsideError: the database cannot be reached, refuses, or takes too long; pages before have been yielded.
        """
        known = _Mark.parse(watermark)
        address = self._address()
        with sql_links.connect(address, Step.parse(self.spec.timeout)) as link:
            source = self._from(link)
            there = sql_links.columns(link, address, source)
            names = self._names(there, known)
            findings = self._grown(there, known)
            kind = sql_links.kind(link, address, source, self.spec.watermark) if self.spec.watermark else "other"
            start, found = self._start(known, kind)
            mark = _Mark(start if found else known.after, there)
            stream = _Stream(self.spec, self.order, link, address, source, names, self._label(address))
            if self.spec.watermark:
                yield from stream.unmarked(mark)
            late = _Capped(self.spec.watermark, self._limit(kind))
            last: Batch | None = None
            for rows, ends in stream.pages(start, known.after):
                if last is not None:
                    yield last
                mark = _Mark(late.reached(rows, ends, mark.after), there)
                last = Batch(rows, mark.dump())
            if self.spec.watermark is None:
                mark = _Mark(None, there)  # read to the end: the next time from the start again
            findings += [*found, *late.findings(), *stream.findings]
            if last is not None or findings:
                rows = last.rows if last is not None else stream.empty()
                yield Batch(rows, mark.dump(), findings=tuple(findings))

    @property
    def order(self) -> tuple[str, ...]:
        """Columns in whose order rows are read."""
        marks = (self.spec.watermark,) if self.spec.watermark else ()
        return tuple(dict.fromkeys((*marks, *(self.spec.key or self.key))))

    def _address(self) -> Address:
        missing = [name for name in variables.names(self.spec.url) if not self.environ.get(name)]
        if missing:
            message = f"credentials are missing: the variable {missing[0]} is not set or empty; set it and run again"
            raise OutsideError(message)
        return addresses.read(self.spec.url, self.folder, self.environ)

    def _label(self, address: Address) -> str:
        """What messages and rows call it: never an address from a variable, which may hold a password."""
        place = address.url.database if address.dialect == "postgresql" else Path(str(address.url.database)).name
        return f"{place} {self.spec.table or 'query'}"

    def _from(self, link: "Connection") -> str:
        if self.spec.table:
            quote = link.dialect.identifier_preparer.quote_identifier
            return ".".join(quote(part) for part in self.spec.table.split("."))
        return f"({sql_links.literal(link, (self.spec.query or '').strip().rstrip(';'))}\n) AS asof_rows"

    def _names(self, there: Sequence[str], known: _Mark) -> list[str]:
        """Columns to select; DataError where one is not there, or no longer."""
        called = self.spec.table or "the query"
        twice = sorted({name for name in there if there.count(name) > 1})
        if twice:
            raise DataError(f"{called}: two columns are called {twice[0]!r}; name them apart with AS")
        wanted = list(dict.fromkeys((*self.order, *self.columns))) if self.columns else list(there)
        for name in (*self.order, *wanted):
            if name not in there:
                before = " any more (it was there at the last ingest)" if name in (known.columns or ()) else ""
                near = get_close_matches(name, there, 1)
                hint = f"did you mean {near[0]!r}?" if near else f"it has {', '.join(there[:12])}"
                raise DataError(f"{called}: there is no column {name!r}{before}; {hint}")
        lost = [] if self.columns else [name for name in known.columns or () if name not in there]
        if lost:
            raise DataError(
                f"{called}: has lost the column{'s' if len(lost) > 1 else ''} {', '.join(map(repr, lost))} since the "
                "last ingest; bring it back, or name those to read in columns:"
            )
        return wanted

    def _grown(self, there: Sequence[str], known: _Mark) -> list[Finding]:
        new = [name for name in there if known.columns is not None and name not in known.columns]
        if not new or self.columns:
            return []
        told = f"new since the last ingest: {', '.join(new)}; rows read before have no value there until they change"
        return [Finding("columns", Severity.NOTE, ", ".join(new), told)]

    def _limit(self, kind: str) -> datetime | None:
        """The moment from which on a watermark lies in the future."""
        if kind not in {"zoned", "unzoned"}:
            return None
        return self.clock() + (AHEAD if kind == "zoned" else AHEAD_UNZONED)

    def _start(self, known: _Mark, kind: str) -> tuple[list[Any] | None, list[Finding]]:
        """The order values after which to read: those of the last row, or, alone, a watermark some way before it."""
        if known.after is None or self.spec.watermark is None:
            return known.after, []
        # A watermark without a key, as left where a clock went back, is read from and not after.
        after = known.after if len(known.after) == len(self.order) else list(known.after)
        value, limit, findings = known.after[0], self._limit(kind), []
        moment = moment_of(value)
        if moment is not None and limit is not None and moment > limit:
            told = f"the last watermark {value} lies in the future: has a clock gone back? Read again from now on"
            findings = [Finding("watermark", Severity.WARNING, self.spec.watermark, told)]
            value = shaped(limit, str(value))
        back = self.spec.recheck or ""
        if moment is not None and not back.isdigit():
            step = Step.parse(back) if back else HOUR
            if step.count == 0 and not findings:
                return after, findings
            return [shaped((moment_of(value) or moment) - step.nominal, str(value))], findings
        number = number_of(value)
        count = int(back) if back.isdigit() else NUMBERS
        if number is None or count == 0:
            return after, findings
        earlier = number - count
        return [earlier if isinstance(value, int) else str(earlier)], findings


@dataclass
class _Stream:
    """One SELECT at a time on an open connection."""

    spec: SqlSpec
    order: tuple[str, ...]
    link: "Connection"
    address: Address
    source: str
    names: list[str]
    label: str
    line: int = 0
    findings: list[Finding] = field(default_factory=list)

    def empty(self) -> pl.DataFrame:
        """No rows."""
        return self._placed(pl.DataFrame(schema=dict.fromkeys(self.names, pl.String)))

    def unmarked(self, mark: _Mark) -> Iterator[Batch]:
        """Rows without a watermark."""
        count = 0
        for rows, _ in self._select(f"{self._quoted(self.order[0])} IS NULL", {}, self.order[1:] or self.order):
            count += rows.height
            yield Batch(rows, mark.dump())
        if count:
            one = "1 row has none and is read each time, since nothing says when it changes"
            several = f"{count:,} rows have none and are read each time, since nothing says when they change"
            told = one if count == 1 else several
            self.findings.append(Finding("watermark", Severity.NOTE, self.order[0], told, rows=count))

    def pages(
        self, start: Sequence[Any] | None, after: Sequence[Any] | None
    ) -> Iterator[tuple[pl.DataFrame, list[list[Any]]]]:
        """Pages of rows in order, with the order values of their rows: ``after`` the last one, or from ``start`` on."""
        order = self.order
        if start is None:
            where = f"{self._quoted(order[0])} IS NOT NULL" if self.spec.watermark else ""
            yield from self._select(where, {}, order)
            return
        params = {f"asof_{place}": value for place, value in enumerate(start)}
        holes = [sql_links.hole(self.link, name) for name in params]
        if start is not after:  # a watermark alone: from it on
            yield from self._select(f"{self._quoted(order[0])} >= {holes[0]}", params, order)
            return
        yield from self._select(f"({', '.join(map(self._quoted, order))}) > ({', '.join(holes)})", params, order)

    def _quoted(self, name: str) -> str:
        return sql_links.literal(self.link, self.link.dialect.identifier_preparer.quote_identifier(name))

    def _select(
        self, where: str, params: Mapping[str, Any], order: Sequence[str]
    ) -> Iterator[tuple[pl.DataFrame, list[list[Any]]]]:
        names = ", ".join(map(self._quoted, self.names))
        statement = f"SELECT {names} FROM {self.source} {f'WHERE {where}' if where else ''}"  # noqa: S608 - names are quoted
        statement += f" ORDER BY {', '.join(map(self._quoted, order))}"
        places = [self.names.index(name) for name in self.order]
        for values, frame in sql_links.stream(self.link, self.address, statement, params, self.spec.page):
            ends = [[row[place] for place in places] for row in values]
            empty = next((name for name in order if frame[name].null_count()), None)
            if empty is not None:
                raise DataError(
                    f"{self.label}: the key column {empty!r} is missing in a row, so rows cannot be told apart; "
                    "name columns that are never missing in key:"
                )
            yield self._placed(frame), ends

    def _placed(self, frame: pl.DataFrame) -> pl.DataFrame:
        lines = pl.Series("_line", range(self.line + 1, self.line + frame.height + 1), pl.Int64)
        self.line += frame.height
        return frame.with_columns(pl.lit(self.label).alias("_file"), lines)


@dataclass
class _Capped:
    """Keeps a watermark out of the future: what lies there is read, and read again the next time."""

    column: str | None
    limit: datetime | None
    rows: int = 0
    last: str = ""

    def reached(self, rows: pl.DataFrame, ends: Sequence[list[Any]], before: list[Any] | None) -> list[Any] | None:
        """Order values of the last row that does not lie in the future."""
        if self.column is None or self.limit is None:
            return list(ends[-1])
        marks = rows[self.column].str.replace(" ", "T", literal=True)
        ahead = marks > shaped(self.limit, marks[-1])
        count = int(ahead.sum())
        if count:
            self.rows, self.last = self.rows + count, str(marks[-1])
        return list(ends[-1 - count]) if count < rows.height else before

    def findings(self) -> list[Finding]:
        """What lay in the future."""
        if not self.rows:
            return []
        several = f"{self.rows:,} rows lie in the future (up to {self.last}); they are"
        lie = f"1 row lies in the future ({self.last}); it is" if self.rows == 1 else several
        told = f"{lie} read again each time, and the watermark does not move beyond now"
        return [Finding("watermark", Severity.WARNING, str(self.column), told, rows=self.rows)]
