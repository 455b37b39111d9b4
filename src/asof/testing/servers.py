"""Servers on this machine that answer in JSON, and on demand have the bad days of real ones.

A server of a test derives from ``FaultyServer`` and says in ``reply`` what it answers; the shell draws the faults, and
sends, cuts or keeps back what was said.
"""

import json
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import parse_qsl, urlsplit

FAULTS: Final = ("429", "500", "503", "timeout", "truncated", "cut", "closed", "repeated", "reordered", "slow")
"""What can go wrong with an answer, by name; ``repeated`` and ``reordered`` are for the server itself to do.

Besides there is ``drip``, an answer that comes byte by byte until the server is stopped.
"""


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


@dataclass(frozen=True)
class Reply:
    """What a server says."""

    status: int
    value: Any
    """Becomes JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class FaultyServer:
    """Serves on 127.0.0.1 while it is open; what it says is for those who derive from it."""

    faults: Faults = field(default_factory=Faults)
    requests: list[dict[str, str]] = field(default_factory=list)
    """The questions asked so far."""
    between: Callable[[int], None] | None = None
    """Is told the number of each question before it is answered, so that rows may change between two pages."""

    def __enter__(self) -> Self:
        """Start to serve."""
        self._stop = threading.Event()
        self.lock = threading.Lock()
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.shell = self
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
    def domain(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._http.server_address[1]}"

    def wait(self, seconds: float) -> None:
        """Keep a client waiting, unless the server is stopped meanwhile."""
        self._stop.wait(seconds)

    def draw(self, question: dict[str, str]) -> str | None:
        """Take note of a question, and draw the fault of its answer."""
        with self.lock:
            self.requests.append(question)
            if self.between is not None:
                self.between(len(self.requests))
            return self.faults.next()

    def noted(self, question: dict[str, str], headers: Mapping[str, str]) -> dict[str, str]:  # noqa: ARG002 - for others
        """What is kept of a question in ``requests``."""
        return question

    def failure(self, status: int) -> Any:
        """What the server says about itself where it fails with ``status``."""
        return {"message": f"not now ({status})"}

    def reply(self, path: str, question: Mapping[str, str], headers: Mapping[str, str], fault: str | None) -> Reply:
        """Answer a question; names in ``headers`` are in lower case, ``fault`` is one that the server itself may do."""
        raise NotImplementedError


class _Http(ThreadingHTTPServer):
    daemon_threads = False
    shell: FaultyServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that has gone away, as clients do here, is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: _Http
    timeout = 5

    def do_GET(self) -> None:
        """Answer one question."""
        shell, address = self.server.shell, urlsplit(self.path)
        headers = {name.lower(): text for name, text in self.headers.items()}
        question = shell.noted(dict(parse_qsl(address.query, keep_blank_values=True)), headers)
        fault = shell.draw(question)
        if fault == "closed":
            self.close_connection = True
            return
        if fault in {"timeout", "slow"}:
            shell.wait(shell.faults.seconds if fault == "timeout" else 0.02)
        if fault in {"429", "500", "503"}:
            wait = {"Retry-After": shell.faults.retry_after} if fault == "429" else {}
            self._send(Reply(int(fault), shell.failure(int(fault)), wait))
            return
        self._send(shell.reply(address.path, question, headers, fault), fault)

    def _send(self, reply: Reply, fault: str | None = None) -> None:
        body = json.dumps(reply.value).encode()
        spoilt = fault if reply.status == 200 else None
        if spoilt == "truncated":
            body = body[: len(body) // 2]
        self.send_response(reply.status)
        # One answer a connection, as through the balancer of a real service.
        usual = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
        for name, text in {**usual, **reply.headers}.items():
            self.send_header(name, text)
        self.end_headers()
        if spoilt == "drip":
            self._drip(body)
            return
        self.wfile.write(body[: len(body) // 2] if spoilt == "cut" else body)
        self.close_connection = True

    def _drip(self, body: bytes) -> None:
        """Send a byte every while, the last one never."""
        for byte in body[:-1]:
            self.wfile.write(bytes([byte]))
            self.server.shell.wait(self.server.shell.faults.seconds)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: tests read ``requests``."""
