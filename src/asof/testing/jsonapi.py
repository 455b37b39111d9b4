"""A server on this machine that hands out rows as JSON in pages, in each of the usual ways, faults included.

with ApiServer(rows, by="cursor") as server:
ApiSpec(url=server.url, rows="data.items", paging={"by": "cursor", "param": "after", "path": "meta.next"}, ...)
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import urlencode, urlsplit

import polars as pl

from asof.testing.servers import FaultyServer, Reply

KINDS: Final = ("429", "500", "503", "timeout", "truncated", "cut", "closed", "repeated", "slow")
"""Faults of an answer that cost time only."""


@dataclass
class ApiServer(FaultyServer):
    """Serves ``rows`` on 127.0.0.1 while it is open; what is null is left out of a row."""

    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    """String columns. May be replaced while the server runs."""
    by: Literal["page", "offset", "cursor", "link", "next"] = "page"
    token: str = "let-me-in"  # noqa: S105 - of a server for tests
    """What ``Authorization: Bearer`` must hold; empty: nothing is asked for."""
    refusal: tuple[int, str] = (401, "Invalid token")
    """What an unknown token is told."""
    most: int = 100
    """Rows of a page at most."""
    redirect: str = ""
    """Where to, in place of an answer."""

    @property
    def url(self) -> str:
        """Address of the rows."""
        return f"http://{self.domain}/v1/orders"

    def reply(self, path: str, question: Mapping[str, str], headers: Mapping[str, str], fault: str | None) -> Reply:
        """See ``FaultyServer``."""
        told = headers.get("authorization")
        if self.redirect:
            return Reply(302, {}, {"Location": self.redirect})
        if self.token and told != f"Bearer {self.token}":
            return Reply(self.refusal[0], {"error": {"message": self.refusal[1], "got": told}})
        if path != urlsplit(self.url).path:
            return Reply(404, {"detail": "Not found"})
        body, more = self.answer(question, fault)
        return Reply(200, body, more)

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
            with self.lock:
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
