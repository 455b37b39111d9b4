"""One line of log a request, written some at a time: a record of the log each would take a seventh of an answer."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

LOG = logging.getLogger("asof.requests")
SECONDS = 0.2
"""A line waits so long at most."""
MOST = 500
"""Lines that wait at most."""


class Journal:
    """Lines about requests, in their order; ``flush`` writes those that wait, and is called by time and at the end."""

    def __init__(self) -> None:
        """Begin with nothing to write."""
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._second, self._at = 0, ""
        """The latest second, and how it is written."""

    def tell(self, method: str, route: str, status: int, spent: float, scope: Mapping[str, Any]) -> None:
        """Note a request that ends now, after ``spent`` seconds; of its scope the number of rows and the key's name."""
        if not LOG.isEnabledFor(logging.INFO):
            return
        second = int(time.time())
        if second != self._second:
            self._second, self._at = second, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(second))
        # Written by hand, since it is written for every request: none of it needs to be escaped.
        self._lines.append(
            f'{{"at": "{self._at}", "method": "{method}", "route": "{route}", "status": {status}, '
            f'"ms": {spent * 1e3:.2f}, "rows": {scope.get("asof.rows", 0)}, "key": "{scope.get("asof.key", "")}"}}'
        )
        if len(self._lines) >= MOST:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self.flush)

    def flush(self) -> None:
        """Write the lines that wait."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._lines:
            lines, self._lines = self._lines, []
            LOG.info("\n".join(lines))
