"""Webhooks: a notice is sent to an address of the user; what goes wrong is told without the address."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from asof.adapters import variables
from asof.errors import AsofError

TIMEOUT_SECONDS = 10.0


def send(address: str, notice: Mapping[str, Any], environ: Mapping[str, str]) -> str:
    """POST ``notice`` as JSON once; returns ``sent``, or why not in words that do not hold the address."""
    try:
        url = variables.fill(address, environ)
    except AsofError as fault:
        return f"not sent: {fault}"
    if urllib.parse.urlsplit(url).scheme not in {"http", "https"}:
        return "not sent: watch.webhook is no address that begins with https:// or http://"
    body = json.dumps(notice, default=str).encode()
    try:
        request = urllib.request.Request(  # noqa: S310 - its scheme has been looked at
            url, body, {"Content-Type": "application/json", "User-Agent": "asof"}, method="POST"
        )
        with _opener().open(request, timeout=TIMEOUT_SECONDS) as answer:
            return "sent" if answer.status < 300 else f"not sent: the webhook answered {answer.status}"
    except urllib.error.HTTPError as fault:
        return f"not sent: the webhook answered {fault.code}"
    except TimeoutError:
        return f"not sent: no answer within {TIMEOUT_SECONDS:g} s"
    except (OSError, ValueError) as fault:
        reason = getattr(fault, "reason", None)
        late = isinstance(reason, TimeoutError)
        what = f"no answer within {TIMEOUT_SECONDS:g} s" if late else "it could not be reached"
        return f"not sent: {what} ({type(reason or fault).__name__})"


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a notice goes where it was sent, or nowhere."""

    def redirect_request(self, *given: Any) -> None:
        """Do not."""


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Stay)
