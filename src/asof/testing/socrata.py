"""A server on this machine that imitates the SODA 2 API of a data set, faults included.

It knows the part of SoQL that a reader in pages needs, answers in the form of the real service (nulls left
out, errors as JSON with a code), has its limits (1,000 rows unless asked for more, 50,000 at most; see
https://dev.socrata.com/docs/paging) and, on demand, its bad days.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from asof.testing.servers import FAULTS, Faults, FaultyServer, Reply

__all__ = ["FAULTS", "Faults", "SocrataServer", "floating"]

DEFAULT_LIMIT: Final = 1000
"""Rows of a page, when none are asked for."""
MAXIMUM: Final = 50_000
"""Rows of a page at most (2.0 endpoints)."""
_TERM: Final = re.compile(r"\s*`?(:?[A-Za-z_]\w*)`?\s*(>=|<=|=|<|>)\s*'((?:[^']|'')*)'\s*")
_KNOWN: Final = frozenset({"$select", "$where", "$order", "$limit", "$offset"})
_COMPARE: Final[Mapping[str, Callable[[pl.Expr, str], pl.Expr]]] = {
    ">=": lambda column, text: column >= text,
    "<=": lambda column, text: column <= text,
    "=": lambda column, text: column == text,
    "<": lambda column, text: column < text,
    ">": lambda column, text: column > text,
}


class _SodaError(Exception):
    """An answer that is no page: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.body = {"code": code, "error": True, "message": message}
        super().__init__(message)


@dataclass
class SocrataServer(FaultyServer):
    """Serves ``rows`` on 127.0.0.1 while it is open; each of ``requests`` holds the ``token`` too.

    with SocrataServer(rows) as server:
        SocrataSpec(domain=server.domain, dataset=server.dataset, scheme="http", since=...)
    """

    rows: pl.DataFrame
    """String columns; a floating timestamp is ``2024-03-01T00:00:00.000``. May be replaced while the server runs."""
    dataset: str = "abcd-1234"
    tokens: tuple[str, ...] = ()
    """Application tokens that are known; any other is refused, none at all is fine."""
    maximum: int = MAXIMUM

    def noted(self, question: dict[str, str], headers: Mapping[str, str]) -> dict[str, str]:
        """See ``FaultyServer``."""
        return {**question, "token": headers.get("x-app-token", "")}

    def failure(self, status: int) -> Any:
        """See ``FaultyServer``."""
        message = "Too many requests" if status == 429 else "Internal error"
        return {"code": "internal_error", "error": True, "message": message}

    def reply(self, path: str, question: Mapping[str, str], headers: Mapping[str, str], fault: str | None) -> Reply:  # noqa: ARG002
        """See ``FaultyServer``."""
        try:
            return Reply(200, self.page(path, question, fault))
        except _SodaError as refusal:
            return Reply(refusal.status, refusal.body)

    def page(self, path: str, question: Mapping[str, str], fault: str | None) -> list[dict[str, Any]]:
        """Answer one question with rows, or raise what the service would say instead."""
        if path != f"/resource/{self.dataset}.json":
            raise _SodaError(404, "dataset.missing", "Not found")
        token = question.get("token", "")
        if self.tokens and token and token not in self.tokens:
            raise _SodaError(403, "permission_denied", "Invalid app_token specified")
        asked = {name: value for name, value in question.items() if name != "token"}
        unknown = sorted(set(asked) - _KNOWN)
        if unknown:
            raise _SodaError(400, "query.compiler.malformed", f"Unrecognized arguments [{', '.join(unknown)}]")
        limit = min(_number(asked, "$limit", DEFAULT_LIMIT), self.maximum)
        offset = _number(asked, "$offset", 0)
        if fault == "repeated":
            offset = max(offset - limit, 0)
        found = self._ordered(asked.get("$order", ""), self._where(asked.get("$where", "")))
        if fault == "reordered" or "$order" not in asked:
            with self.lock:
                found = found[self.faults.shuffled(found.height)]
        names = self._selected(asked.get("$select", "*"))
        page = found.slice(offset, limit).select(names).to_dicts()
        return [{name: value for name, value in row.items() if value is not None} for row in page]

    def _known(self, name: str) -> str:
        if name not in self.rows.columns and name != ":id":
            raise _SodaError(
                400,
                "query.soql.no-such-column",
                f"Query coordinator error: query.soql.no-such-column; No such column: {name}; position: Map(row -> 1)",
            )
        return name

    def _where(self, clause: str) -> pl.DataFrame:
        rows = self.rows.with_row_index("_number")
        # Ids do not follow the order of the rows, and stay with a row while others are added.
        number = pl.col("_number").cast(pl.UInt64) * 2_654_435_761 % (1 << 32)
        rows = rows.with_columns(pl.format("row-{}", number.cast(pl.String).str.zfill(10)).alias(":id")).drop("_number")
        if not clause:
            return rows
        for part in re.split(r"\s+AND\s+", clause, flags=re.IGNORECASE):
            term = _TERM.fullmatch(part)
            if term is None:
                message = f'Could not parse SoQL query "select * where {clause}"'
                raise _SodaError(400, "query.compiler.malformed", message)
            rows = rows.filter(_COMPARE[term[2]](pl.col(self._known(term[1])), term[3].replace("''", "'")))
        return rows

    def _ordered(self, clause: str, rows: pl.DataFrame) -> pl.DataFrame:
        if not clause:
            return rows
        parts = [part.split() for part in clause.split(",")]
        names = [self._known(part[0]) for part in parts]
        return rows.sort(names, descending=[part[-1].upper() == "DESC" for part in parts], nulls_last=True)

    def _selected(self, clause: str) -> list[str]:
        names: dict[str, None] = {}
        for part in clause.split(","):
            name = part.strip()
            names |= dict.fromkeys(self.rows.columns) if name == "*" else {self._known(name): None}
        return list(names)


def _number(question: Mapping[str, str], name: str, default: int) -> int:
    text = question.get(name, str(default))
    if not text.isdigit():
        raise _SodaError(400, "query.compiler.malformed", f"Invalid {name}: {text}")
    return int(text)


def floating(days: pl.Series, form: str) -> pl.Series:
    """Dates in ``form`` as the service sends them: floating timestamps at 00:00."""
    return days.str.to_date(form).dt.strftime("%Y-%m-%dT00:00:00.000")
