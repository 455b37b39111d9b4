"""A server on a port, until it is told to stop."""

import gc
import logging
import socket
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from asof.api import Settings, create

if TYPE_CHECKING:
    from asof.flows.serving import Desk

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
    # What stands now stays: without this it is gone through again and again, while all wait.
    gc.collect()
    gc.freeze()
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
    )
    Server(config).run()


def _log() -> None:
    """One line of JSON a request, and what the server has to say, on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    for name in ("asof.requests", "asof.serving"):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(logging.INFO)
        logger.propagate = False
