"""A server on this machine that hands out rows as JSON in pages, in each of the usual ways, faults included.

with ApiServer(rows, by="cursor") as server:
ApiSpec(url=server.url, rows="data.items", paging={"by": "cursor", "param": "after", "path": "meta.next"}, ...)
"""

import base64
import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Literal, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

import polars as pl

from asof.testing.socrata import Faults

KINDS: Final = ("429", "500", "503", "timeout", "truncated", "cut", "closed", "repeated", "slow")
"""Faults of an answer that cost time only."""


@dataclass
class ApiServer:
    """Serves ``rows`` on 127.0.0.1 while it is open; what is null is left out of a row."""

    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    """String columns. May be replaced while the server runs."""
    by: Literal["page", "offset", "cursor", "link", "next"] = "page"
    token: str = "let-me-in"  # noqa: S105 - of a server for tests
    """What ``Authorization: Bearer`` must hold; empty: nothing is asked for."""
    refusal: tuple[int, str] = (401, "Invalid token")
    """What an unknown token is told."""
    faults: Faults = field(default_factory=Faults)
    most: int = 100
    """Rows of a page at most."""
    redirect: str = ""
    """Where to, in place of an answer."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """The questions asked so far."""

    def __enter__(self) -> Self:
        """Start to serve."""
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.api = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self._open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and wait until the last answer is out; doing it twice is fine."""
        if not self._open:
            return
        self._open = False
        self._stop.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Address of the rows."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1/orders"

    def wait(self, seconds: float) -> None:
        """Keep a client waiting, unless the server is stopped meanwhile."""
        self._stop.wait(seconds)

    def draw(self, question: dict[str, str]) -> str | None:
        """Take note of a question, and draw the fault of its answer."""
        with self._lock:
            self.requests.append(question)
            return self.faults.next()

    def answer(self, question: Mapping[str, str], fault: str | None) -> tuple[dict[str, Any], dict[str, str]]:
        """Body and headers of one page."""
        size = min(int(question.get("limit", self.most)), self.most)
        start = self._start(question, size)
        if fault == "repeated":
            start = max(start - size, 0)
        rows = self.rows
        if "since" in question and "at" in rows.columns:
            rows = rows.filter(pl.col("at") >= question["since"])
        if fault == "reordered":
            with self._lock:
                rows = rows[self.faults.shuffled(rows.height)]
        found = [
            {name: value for name, value in row.items() if value is not None}
            for row in rows.slice(start, size).to_dicts()
        ]
        following, headers = self._following(question, start + size, rows.height)
        return {"data": {"items": found}, "meta": {"next": following}}, headers

    def _start(self, question: Mapping[str, str], size: int) -> int:
        if self.by == "offset":
            return int(question.get("offset", 0))
        if self.by == "cursor":
            return int(base64.b64decode(question["after"])) if "after" in question else 0
        return (int(question.get("page", 1)) - 1) * size

    def _following(self, question: Mapping[str, str], end: int, height: int) -> tuple[str | None, dict[str, str]]:
        if end >= height or self.by in {"page", "offset"}:
            return None, {}
        if self.by == "cursor":
            return base64.b64encode(str(end).encode()).decode(), {}
        asked = urlencode({**question, "page": int(question.get("page", 1)) + 1})
        if self.by == "next":
            return f"?{asked}", {}
        return None, {"Link": f'<{self.url}?{asked}>; rel="next", <{self.url}>; rel="first"'}


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    api: ApiServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone away, as clients do here, is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    timeout = 5

    def do_GET(self) -> None:
        """Answer one question."""
        api = self.server.api
        question = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        fault = api.draw(question)
        if fault == "closed":
            self.close_connection = True
            return
        if fault in {"timeout", "slow"}:
            api.wait(api.faults.seconds if fault == "timeout" else 0.02)
        if fault in {"429", "500", "503"}:
            extra = {"Retry-After": api.faults.retry_after} if fault == "429" else {}
            self._send(int(fault), {"message": "not now"}, extra)
        elif api.redirect:
            self._send(302, {}, {"Location": api.redirect})
        elif api.token and self.headers.get("Authorization") != f"Bearer {api.token}":
            self._send(api.refusal[0], {"error": {"message": api.refusal[1], "got": self.headers.get("Authorization")}})
        elif urlsplit(self.path).path != urlsplit(api.url).path:
            self._send(404, {"detail": "Not found"})
        else:
            body, headers = api.answer(question, fault)
            self._send(200, body, headers, fault)

    def _send(
        self, status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None, fault: str | None = None
    ) -> None:
        body = json.dumps(value).encode()
        if fault == "truncated":
            body = body[: len(body) // 2]
        self.send_response(status)
        for name, text in {
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "Connection": "close",
            **(headers or {}),
        }.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: tests read ``requests``."""
