"""A server on this machine that imitates the SODA 2 API of a data set, faults included.

It knows the part of SoQL that a reader in pages needs, answers in the form of the real service (nulls left
out, errors as JSON with a code), has its limits (1,000 rows unless asked for more, 50,000 at most; see
https://dev.socrata.com/docs/paging) and, on demand, its bad days.
"""

import json
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

import polars as pl

FAULTS: Final = ("429", "500", "503", "timeout", "truncated", "cut", "closed", "repeated", "reordered", "slow")
"""What can go wrong with an answer, by name."""
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


@dataclass
class Faults:
    """When answers go wrong: a script first, then by chance."""

    script: list[str | None] = field(default_factory=list)
    """Fault (or none) of the first requests, in order."""
    share: float = 0.0
    """Share of later answers that go wrong."""
    kinds: tuple[str, ...] = FAULTS
    seed: int = 0
    run: int = 2
    """So many answers at most go wrong one after the other."""
    seconds: float = 1.0
    """How long a timeout keeps the client waiting."""
    retry_after: str = "0"
    """What a 429 says."""

    def __post_init__(self) -> None:
        """Start the sequence of faults."""
        self._random = random.Random(self.seed)  # noqa: S311 - faults are to be repeatable, not secret
        self._row = 0

    def next(self) -> str | None:
        """Draw the fault of the next answer, or none."""
        if self.script:
            return self.script.pop(0)
        if self._row < self.run and self._random.random() < self.share:
            self._row += 1
            return self._random.choice(self.kinds)
        self._row = 0
        return None

    def shuffled(self, height: int) -> list[int]:
        """Draw an order of ``height`` rows."""
        return self._random.sample(range(height), height)


class _SodaError(Exception):
    """An answer that is no page: status, code, message."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status = status
        self.body = {"code": code, "error": True, "message": message}
        super().__init__(message)


@dataclass
class SocrataServer:
    """Serves ``rows`` on 127.0.0.1 while it is open.

    with SocrataServer(rows) as server:
        SocrataSpec(domain=server.domain, dataset=server.dataset, scheme="http", since=...)
    """

    rows: pl.DataFrame
    """String columns; a floating timestamp is ``2024-03-01T00:00:00.000``. May be replaced while the server runs."""
    dataset: str = "abcd-1234"
    tokens: tuple[str, ...] = ()
    """Application tokens that are known; any other is refused, none at all is fine."""
    faults: Faults = field(default_factory=Faults)
    maximum: int = MAXIMUM
    requests: list[dict[str, str]] = field(default_factory=list)
    """The questions asked so far, each with ``token``."""

    def __enter__(self) -> Self:
        """Start to serve."""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.soda = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait until the last answer is out."""
        self._stop.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def domain(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._http.server_address[1]}"

    def wait(self, seconds: float) -> None:
        """Keep a client waiting, unless the server is stopped meanwhile."""
        self._stop.wait(seconds)

    def draw(self, question: dict[str, str]) -> str | None:
        """Take note of a question, and draw the fault of its answer."""
        with self._lock:
            self.requests.append(question)
            return self.faults.next()

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
            with self._lock:
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


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    soda: SocrataServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone away, as clients do here, is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    timeout = 5

    def do_GET(self) -> None:
        """Answer one question."""
        address = urlsplit(self.path)
        question = dict(parse_qsl(address.query, keep_blank_values=True))
        question["token"] = self.headers.get("X-App-Token", "")
        soda = self.server.soda
        fault = soda.draw(question)
        if fault == "closed":
            self.close_connection = True
            return
        if fault in {"timeout", "slow"}:
            soda.wait(soda.faults.seconds if fault == "timeout" else 0.02)
        if fault in {"429", "500", "503"}:
            self._fail(int(fault))
            return
        try:
            page = soda.page(address.path, question, fault)
        except _SodaError as refusal:
            self._send(refusal.status, json.dumps(refusal.body).encode())
            return
        body = json.dumps(page).encode()
        if fault == "truncated":
            self._send(200, body[: len(body) // 2])
        else:
            self._send(200, body, sent=len(body) // 2 if fault == "cut" else None)

    def _fail(self, status: int) -> None:
        extra = {"Retry-After": self.server.soda.faults.retry_after} if status == 429 else {}
        message = "Too many requests" if status == 429 else "Internal error"
        self._send(status, json.dumps({"code": "internal_error", "error": True, "message": message}).encode(), extra)

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, sent: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            **(headers or {}),
        }.items():
            self.send_header(name, value)
        # One answer a connection, as through the balancer of the real service.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body[:sent])
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: tests read ``requests``."""


def _number(question: Mapping[str, str], name: str, default: int) -> int:
    text = question.get(name, str(default))
    if not text.isdigit():
        raise _SodaError(400, "query.compiler.malformed", f"Invalid {name}: {text}")
    return int(text)


def floating(days: pl.Series, form: str) -> pl.Series:
    """Dates in ``form`` as the service sends them: floating timestamps at 00:00."""
    return days.str.to_date(form).dt.strftime("%Y-%m-%dT00:00:00.000")
