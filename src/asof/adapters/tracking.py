"""MLflow's own page for a project's runs: an extra, started beside us and never imported."""

import contextlib
import os
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from asof.errors import OutsideError, UserError

HOST = "127.0.0.1"
"""The page has no log-in, so it is shown to this machine alone."""
SECONDS = 5.0
"""How long the page may take to stop."""


def missing() -> str:
    """Say what is not installed, or nothing: the lean client has the server's code without its page."""
    client = find_spec("mlflow")
    if client is None or client.origin is None:
        return "mlflow"
    page = Path(client.origin).parent / "server" / "js" / "build" / "index.html"
    return "" if page.is_file() else "MLflow's page"


def show(uri: str, port: int) -> None:
    """Show the page of the tracking store at ``uri`` on this machine until interrupted.

    Raises:
        UserError: the extra is not installed, or ``uri`` is a server that has a page of its own.
        OutsideError: the page could not be started, such as for a port in use.
    """
    if uri.startswith(("http://", "https://")):
        message = f"runs are kept on a server: open {uri} in a browser"
        raise UserError(message)
    absent = missing()
    if absent:
        message = f"{absent} is not installed: pip install 'asof[mlflow-ui]'"
        raise UserError(message)
    command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", HOST, "--port", str(port)]
    sys.stderr.write(f"MLflow's page: http://{HOST}:{port} (interrupt to stop)\n")
    # In a session of its own, so that it and its workers are stopped by us and by nobody else.
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # a service manager's way to interrupt
    page = subprocess.Popen(command, start_new_session=True)  # noqa: S603 - our own interpreter and fixed words
    try:
        code = page.wait()
    except KeyboardInterrupt:
        code = 0
    finally:
        _stop(page)
    if code != 0:
        message = f"MLflow's page ended with code {code}; is port {port} in use?"
        raise OutsideError(message)


def _stop(page: subprocess.Popen[bytes]) -> None:
    """Stop the page and its workers, and wait for it."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(page.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            page.wait(timeout=SECONDS)
            return
