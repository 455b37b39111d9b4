"""Starts the page on this machine, until it is stopped."""

import importlib.util
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asof.errors import OutsideError, UserError
from asof.ui import sights
from asof.ui.sights import Opening

HOST = "127.0.0.1"
"""The page has no keys: nobody but this machine may ask."""
LIBRARIES = ("streamlit", "pydeck", "plotly")
LIGHT = {
    "primaryColor": "#22638f",
    "backgroundColor": "#fbfaf8",
    "secondaryBackgroundColor": "#f1efeb",
    "textColor": "#1f2428",
    "borderColor": "#e4e2dd",
    "linkColor": "#22638f",
    "greenColor": "#1d7044",
    "greenBackgroundColor": "#e0f1e6",
    "orangeColor": "#8a5a00",
    "orangeBackgroundColor": "#fbeed1",
    "redColor": "#a52a22",
    "redBackgroundColor": "#fbe3e0",
    "blueColor": "#22638f",
    "blueBackgroundColor": "#d7e6f1",
}
"""Colours of the HTML report on a bright screen."""
DARK = {
    "primaryColor": "#7fb8e0",
    "backgroundColor": "#14181b",
    "secondaryBackgroundColor": "#1f252a",
    "textColor": "#e8eaec",
    "borderColor": "#2c3338",
    "linkColor": "#7fb8e0",
    "greenColor": "#7bcf9d",
    "greenBackgroundColor": "#1d3527",
    "orangeColor": "#e6b960",
    "orangeBackgroundColor": "#3a2f17",
    "redColor": "#f0968d",
    "redBackgroundColor": "#43211e",
    "blueColor": "#7fb8e0",
    "blueBackgroundColor": "#24394a",
}
"""The same on a dark one."""
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif'


def need_libraries() -> None:
    """Refuse with what to install where the extra ``ui`` is missing."""
    absent = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if absent:
        message = f"the page needs {', '.join(absent)}: pip install 'asof[ui]'"
        raise UserError(message)


def options(port: int) -> dict[str, Any]:
    """Settings of Streamlit: this machine alone, nothing sent anywhere, the colours of the report."""
    told: dict[str, Any] = {
        "server.address": HOST,
        "server.port": port,
        "server.headless": True,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "runner.magicEnabled": False,
        "client.toolbarMode": "minimal",
        "client.showErrorDetails": "none",
        "client.showErrorLinks": False,
        "logger.hideWelcomeMessage": True,
        "theme.font": FONT,
        "theme.baseRadius": "0.5rem",
        "theme.showWidgetBorder": True,
    }
    told |= {f"theme.light.{name}": colour for name, colour in LIGHT.items()}
    return told | {f"theme.dark.{name}": colour for name, colour in DARK.items()}


def serve(opening: Opening, *, port: int, ready: Callable[[Mapping[str, str]], None]) -> None:
    """Show the page on ``port`` (0: a free one) until SIGINT or SIGTERM.

    ``ready`` is told ``project``, ``release`` and ``address``.

    Raises:
        UserError: the extra ``ui`` is missing, the project file has faults, there is no such release.
        OutsideError: the port is in use.
    """
    need_libraries()
    workspace = sights.open_workspace(opening)
    offered = sights.choices(workspace, opening.release)
    chosen = offered[sights.first(workspace, offered, opening.release)]
    free = _port(port)
    from streamlit import net_util
    from streamlit.web import bootstrap

    # Else a page of another origin that tries its socket makes it ask an outside service for its own address.
    net_util._external_ip = net_util._internal_ip = HOST  # noqa: SLF001 - there is no setting for it
    settings = {name.replace(".", "_"): value for name, value in options(free).items()}
    bootstrap.load_config_options(flag_options=settings)
    ready({"project": workspace.spec.name, "release": chosen.name, "address": f"http://{HOST}:{free}"})
    app = Path(__file__).with_name("app.py")
    bootstrap.run(str(app), is_hello=False, args=[opening.write()], flag_options=settings)


def _port(port: int) -> int:
    """Return ``port``, or a free one for 0; raises OutsideError where it is taken."""
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((HOST, port))
        except OSError as fault:
            message = f"port {port} of {HOST} is in use: name another one with --port, or 0 for a free one"
            raise OutsideError(message) from fault
        return int(tried.getsockname()[1])
