"""A server on a port, until it is told to stop."""

import contextlib
import gc
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from asof.api import Settings, create, memory
from asof.estimators.base import LEAN

if TYPE_CHECKING:
    from asof.flows.serving import Desk
    from asof.flows.workspace import Workspace

OBJECTS = 2_000
"""New ones after which those that only know each other are looked for: more than a batch of 1,000 rows makes."""
SWITCH = 0.001
"""Seconds after which a thread that computes lets the one go on that answers."""
GRACE = 30
"""Seconds that requests under way get to end when the server is told to stop."""


def serve(desk: "Desk", settings: Settings, *, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Answer on ``host`` and ``port`` (0: a free one) until SIGINT or SIGTERM; ``ready`` is told the port.

    What has begun is ended before the server stops.
    """
    import uvicorn

    from asof.api import heads

    _log()

    class Server(uvicorn.Server):
        async def startup(self, sockets: "list[socket.socket] | None" = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready(self.servers[0].sockets[0].getsockname()[1])

    app = create(desk, settings)
    _settle()
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        access_log=False,
        log_config=None,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=GRACE,
        http=heads.Bounded,
        ws="none",
        server_header=False,
        proxy_headers=False,
    )
    Server(config).run()


@contextlib.contextmanager
def lean(workspace: "Workspace") -> Iterator[None]:
    """Load what a release needs and no more, into one heap; parts of users may need what we do not."""
    memory.settle()
    brought = workspace.plugins
    token = LEAN.set(not (brought.lookups or brought.encoders or brought.estimators))
    try:
        yield
    finally:
        LEAN.reset(token)


def _settle() -> None:
    """Let what stands now stay: it is not gone through again and again while all wait, and spare memory goes back."""
    gc.collect()
    gc.freeze()
    # Rows of a request are many, and none of them goes in a circle.
    gc.set_threshold(OBJECTS, 10, 10)
    sys.setswitchinterval(SWITCH)
    memory.give_back()


def _log() -> None:
    """One line of JSON a request, and what the server has to say, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("asof.requests", "asof.serving"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
