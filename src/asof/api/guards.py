"""What stands before every route: keys, limits, figures and one line of log; no byte of a request is logged."""

import asyncio
import json
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from asof.api import keys
from asof.api.bodies import Refusal
from asof.api.figures import Figures
from asof.api.journal import Journal

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
FAULTS = logging.getLogger("asof.serving")
OPEN = ("/ping",)
"""Answered without a key: who looks after the server has none."""
UNKNOWN = "other"
"""Route, in figures and logs, of all that is none of ours: what strangers write is not repeated."""
METHODS = frozenset({"GET", "POST", "HEAD"})
WHOLE = "asof.whole"
"""In a scope: whether the body has come whole before the request is looked at."""


def traced(fault: BaseException) -> str:
    """Kind and way of a fault for the log, without its message: that may hold values of a request."""
    way = "".join(traceback.format_list(traceback.extract_tb(fault.__traceback__)))
    return f"{type(fault).__name__}\n{way}"


@dataclass(frozen=True)
class Limits:
    """What one request may cost."""

    body: int = 10_000_000
    """Bytes."""
    head: int = 64_000
    """Bytes of the address and the headers together."""
    rows: int = 10_000
    seconds: float = 30.0
    """For an answer."""
    patience: float = 10.0
    """Seconds within which a body must have come whole."""
    concurrent: int = 64
    """Requests at once; one more is told to come again."""


@dataclass
class Guard:
    """ASGI middleware around the routes of a server."""

    app: App
    limits: Limits
    figures: Figures
    routes: Mapping[str, App | None]
    """Paths that are known; a POST to one with an application of its own goes there, past the layers between."""
    journal: Journal
    keys: Mapping[str, str] = field(default_factory=dict)
    """Hashes of keys by name; empty: whoever reaches the server may ask."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        route = scope["path"] if scope["path"] in self.routes else UNKNOWN
        status = 0

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        self.figures.running += 1
        try:
            await self._pass(scope, receive, sent)
        except Refusal as refusal:
            await refuse(sent, refusal)
        except Exception as fault:  # whatever is wrong with this program: its sender is told, and the server lives on
            FAULTS.error("a fault of this program at %s: %s", route, traced(fault))
            if status:  # an answer has begun: nothing true can follow, so the connection ends
                raise
            await refuse(sent, Refusal(500, "a fault of this program, which its log describes; others are answered"))
        finally:
            self.figures.running -= 1
            spent = time.perf_counter() - begun
            self.figures.tell_request(route, status, spent)
            method = scope["method"] if scope["method"] in METHODS else UNKNOWN
            self.journal.tell(method, route, status, spent, scope)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        size = len(scope["raw_path"]) + len(scope["query_string"])
        if size + sum(map(len, chain.from_iterable(scope["headers"]))) > self.limits.head:
            raise Refusal(431, f"the address and the headers are longer than {self.limits.head:,} bytes")
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        path, posted = scope["path"], scope["method"] == "POST"
        if path not in OPEN:
            if self.keys:
                scope["asof.key"] = self._admit(headers)
            if self.figures.running > self.limits.concurrent:
                raise Refusal(503, "too many requests at once: come again in a second")
        body = await self._body(scope, headers, receive) if posted else b""
        app = self.routes.get(path) if posted else None
        await (app or self.app)(scope, _replayed(body, receive), send)

    def _admit(self, headers: Mapping[bytes, bytes]) -> str:
        scheme, _, bearer = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        given = headers.get(b"x-api-key", b"").decode("latin-1")
        given = given or (bearer.strip() if scheme.lower() == "bearer" else "")
        name = keys.find(self.keys, given) if given else None
        if name is None:
            raise Refusal(401, "a key is needed: send `Authorization: Bearer KEY` or `X-API-Key: KEY`")
        return name

    async def _body(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
        announced = headers.get(b"content-length", b"")
        if announced.isdigit() and int(announced) > self.limits.body:
            raise Refusal(413, f"the body is larger than {self.limits.body:,} bytes")
        if scope.get(WHOLE):  # nothing has to be waited for
            return await self._parts(receive)
        try:
            async with asyncio.timeout(self.limits.patience):
                return await self._parts(receive)
        except TimeoutError as fault:
            raise Refusal(408, f"the body did not come within {self.limits.patience:g} s") from fault

    async def _parts(self, receive: Receive) -> bytes:
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "the sender left before the body had come")
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.limits.body:
                raise Refusal(413, f"the body is larger than {self.limits.body:,} bytes")
            if not message.get("more_body"):
                return b"".join(parts)


async def answer(send: Send, body: bytes, kind: str) -> None:
    """Answer with a body of a kind."""
    written = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    headers = [(b"content-length", b"%d" % len(body)), (b"content-type", written.encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, refusal: Refusal) -> None:
    """Answer with the status and the reason of a refusal."""
    body = json.dumps({"error": {"status": refusal.status, "reason": refusal.reason}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if refusal.status == 503:
        headers.append((b"retry-after", b"1"))
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.status in {408, 413, 431}:  # what is still coming is not read
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
