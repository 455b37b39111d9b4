"""Calls to services over HTTP, with patience: what may be better next time is asked again, later each time."""

import functools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asof.errors import OutsideError, UserError

if TYPE_CHECKING:
    import ssl

    import httpx

# Each attempt is in the log of whoever keeps one; without a log its bare name must not appear among our lines.
logging.getLogger("stamina").addHandler(logging.NullHandler())

Answer = TypeVar("Answer")
_OF_TRANSPORT: Final = ("content-encoding", "content-length", "transfer-encoding")
"""Headers of a body as it was sent, which no longer hold when it has been read."""


@dataclass(frozen=True)
class Patience:
    """How long a service that does not answer is waited for."""

    attempts: int = 7
    timeout: float = 60.0
    """Seconds for one answer to begin, and for each of its parts to come."""
    whole: float = 900.0
    """Seconds for all of an answer: one that drips is given up then."""
    first: float = 1.0
    """Seconds before the second attempt; doubled for each further one, plus up to as much again by chance."""
    longest: float = 60.0
    """Seconds between two attempts at most, unless the service says how long."""
    told: float = 900.0
    """A service that asks to wait longer than so many seconds is not waited for."""


class TooLargeError(Exception):
    """An answer of more bytes than allowed."""


class AgainError(Exception):
    """An answer that may be better next time."""

    def __init__(self, reason: str, wait: float | None = None) -> None:
        """Store why, and the seconds that the service asks to wait."""
        self.wait = wait
        super().__init__(reason)


def patiently(call: Callable[[], Answer], patience: Patience, service: str) -> Answer:
    """Call until there is an answer that is none of ``AgainError``; ``OutsideError`` after all attempts."""
    import stamina
    from stamina.instrumentation import LoggingOnRetryHook, set_on_retry_hooks

    # Where structlog is installed stamina tells it of each attempt, and it prints on standard output unless told else.
    set_on_retry_hooks([LoggingOnRetryHook])
    tries = stamina.retry_context(
        on=_wait,
        attempts=patience.attempts,
        timeout=None,
        wait_initial=patience.first,
        wait_max=patience.longest,
        wait_jitter=patience.first,
    )
    try:
        for attempt in tries:
            with attempt:
                return call()
    except AgainError as fault:
        raise OutsideError(
            f"{service}: no usable answer in {patience.attempts} attempts ({fault}); "
            "what was read so far is kept: run again to go on from there",
        ) from None
    raise AssertionError("the loop above returns or raises")


def check_wait(answer: "httpx.Response", message: str, patience: Patience, now: datetime, service: str) -> None:
    """Raise ``AgainError`` for a status that may pass, and ``OutsideError`` where it asks to wait too long."""
    status = answer.status_code
    if status not in {202, 408, 425, 429} and status < 500:
        return
    wait = retry_after(answer.headers.get("Retry-After"), now)
    if wait is not None and wait > patience.told:
        raise OutsideError(f"{service}: asks to wait {wait:,.0f} s (HTTP {status}); run again then")
    raise AgainError(f"HTTP {status}: {message}", wait)


def read(answer: "httpx.Response", patience: Patience, *, most: int | None = None) -> "httpx.Response":
    """Read an answer that streams to its end; returns it with its body.

    Raises ``AgainError`` where it takes longer than patience allows, ``TooLargeError`` where it has more than ``most``
    bytes.
    """
    import httpx

    begun, body = time.monotonic(), bytearray()
    for piece in answer.iter_bytes():
        body += piece
        if most is not None and len(body) > most:
            raise TooLargeError
        if time.monotonic() - begun > patience.whole:
            raise AgainError(f"the answer had not ended after {patience.whole:g} s")
    kept = [(name, text) for name, text in answer.headers.items() if name not in _OF_TRANSPORT]
    return httpx.Response(answer.status_code, headers=kept, content=bytes(body), request=answer.request)


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date (RFC 9110, 10.2.3)."""
    if not text:
        return None
    if text.strip().isdigit():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError):
        return None


def open_client(kind: str, patience: Patience, headers: Mapping[str, str]) -> "httpx.Client":
    """Open a client that follows no redirect by itself: secrets would go along to wherever it leads.

    ``kind`` is the setting that asks for it, named where a package is missing.
    """
    try:
        import httpx
        import stamina  # noqa: F401 - asked for here, so that its absence is told before anything is read
    except ImportError as fault:
        raise UserError(f"{kind}: needs two more packages: pip install 'asof[socrata]'") from fault
    return httpx.Client(timeout=patience.timeout, headers=dict(headers), follow_redirects=False, verify=_certificates())


@functools.cache
def _certificates() -> "ssl.SSLContext":
    """Authorities that are trusted; to read them takes longer than a request."""
    import httpx

    return httpx.create_ssl_context()


def _wait(fault: Exception) -> Any:
    """Whether to ask again, and after what time where the service has said so."""
    if not isinstance(fault, AgainError):
        return False
    return True if fault.wait is None else timedelta(seconds=fault.wait)
