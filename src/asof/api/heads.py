"""HTTP as it is parsed, with an end to how long, in bytes and seconds, the head of a request may be."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from asof.api.guards import WHOLE

MOST = 64_000
"""Bytes of the first line and the headers of a request, after which its connection is closed."""
PATIENCE = 10.0
"""Seconds within which they must have come."""


class Bounded(HttpToolsProtocol):
    """Closes a connection whose request does not come to its body; the parser itself would wait and keep all."""

    _length = 0
    _waiting = True
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        self._timer = self.loop.call_later(PATIENCE, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._come()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Wait for the rest of a head."""
        super().on_message_begin()
        self._come()
        self._waiting = True

    def on_headers_complete(self) -> None:
        """Take a head that has come whole."""
        self._come()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Say that the body is there as well, so that nobody has to wait for it with one eye on the clock."""
        super().on_message_complete()
        scope: dict[str, Any] = self.scope  # type: ignore[assignment] # keys of our own are no fault in ASGI
        scope[WHOLE] = True

    def data_received(self, data: bytes) -> None:
        """Parse what came, as long as it is not too much."""
        super().data_received(data)
        if self._waiting:
            self._length += len(data)
            if self._length > MOST:
                self.transport.close()
            elif self._timer is None:  # most heads come at once, and need none
                self._timer = self.loop.call_later(PATIENCE, self._give_up)

    def _come(self) -> None:
        self._waiting, self._length = False, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        if self._waiting and not self.transport.is_closing():
            self.transport.close()
