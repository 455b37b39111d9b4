"""MLflow's page: what is said where it is missing, and that it answers where it is installed."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from asof.adapters import tracking
from asof.cli import main
from asof.errors import UserError
from tests.flows import world


@pytest.mark.skipif(tracking.missing() == "", reason="the extra is installed")
def test_a_missing_extra_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line with what to install, exit code 2."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=2))
    assert main(["runs", str(folder), "--ui"]) == 2
    assert capsys.readouterr().err == "asof: MLflow's page is not installed: pip install 'asof[mlflow-ui]'\n"


def test_a_server_has_a_page_of_its_own() -> None:
    """Where runs are kept on a server, its address is named."""
    with pytest.raises(UserError, match=r"kept on a server: open http://127\.0\.0\.1:5000 in a browser"):
        tracking.show("http://127.0.0.1:5000", 5001)


@pytest.mark.skipif(tracking.missing() != "", reason="needs the extra mlflow-ui, which is not part of the lock")
def test_the_page_answers(tmp_path: Path) -> None:
    """The page of a store answers on this machine, and stops when interrupted."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=2))
    with socket.socket() as free:
        free.bind((tracking.HOST, 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "asof", "runs", str(folder), "--ui", "--port", str(port)]
    server = subprocess.Popen(command, start_new_session=True)
    try:
        assert _answer(f"http://{tracking.HOST}:{port}/", seconds=60) == 200
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=30)


def _answer(address: str, seconds: float) -> int:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=5) as reply:
                return int(reply.status)
        except OSError:
            time.sleep(0.5)
    return 0
