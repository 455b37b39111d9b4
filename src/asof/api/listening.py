"""A server of this process on loopback, for whoever asks it and stops it again."""

import contextlib
import http.client
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asof.api import Settings, create, heads
from asof.errors import OutsideError
from asof.flows.serving import Desk

Ask = Callable[[Mapping[str, Any]], Mapping[str, Any]]
BEGIN = 30.0
"""Seconds within which a server has to listen."""


@contextlib.contextmanager
def listen(desk: Desk) -> Iterator[Ask]:
    """Answer from ``desk`` on a free port of 127.0.0.1; what it gives asks one row over HTTP and returns its answer."""
    import uvicorn

    config = uvicorn.Config(
        create(desk, Settings(renew=0)), host="127.0.0.1", port=0, http=heads.Bounded, ws="none", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="asof-listening", daemon=True)
    thread.start()
    try:
        yield _asker(_port(server, thread))
    finally:
        server.should_exit = True
        thread.join(BEGIN)


def _port(server: Any, thread: threading.Thread) -> int:
    until = time.monotonic() + BEGIN
    while not server.started:
        if not thread.is_alive() or time.monotonic() > until:
            raise OutsideError("a server on 127.0.0.1 could not be started")
        time.sleep(0.005)
    port: int = server.servers[0].sockets[0].getsockname()[1]
    return port


def _asker(port: int) -> Ask:
    def ask(row: Mapping[str, Any]) -> Mapping[str, Any]:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            body = json.dumps({"instances": [row]})
            line.request("POST", "/invocations", body, {"content-type": "application/json"})
            answer = line.getresponse()
            told = json.loads(answer.read())
        finally:
            line.close()
        if answer.status != 200:
            raise OutsideError(f"the server said {answer.status}: {told['error']['reason']}")
        only: Mapping[str, Any] = told["predictions"][0]
        return only

    return ask
