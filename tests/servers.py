"""Real servers for tests, each in a process of its own, stopped by whoever started it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

import pytest

PAGE = 20
"""Names that a listing tells at once; a thousand are put slowly."""
_S3 = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@contextmanager
def s3() -> Iterator[str]:
    """Yield the address of an S3 server, in its own process: deltalake holds the interpreter's lock while it waits."""
    pytest.importorskip("moto.server", reason="missing: moto")
    with subprocess.Popen(
        [sys.executable, "-c", _S3],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
    ) as server:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        server.communicate(timeout=30)


def make_bucket(service: str, patch: pytest.MonkeyPatch, name: str = "harbour") -> str:
    """Make an empty bucket of an S3 service, and set the environment that leads to it; returns its address."""
    for variable, value in {
        "AWS_ENDPOINT_URL": service,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        patch.setenv(variable, value)
    for variable in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION"):
        patch.delenv(variable, raising=False)
    for address, method in ((f"{service}/moto-api/reset", "POST"), (f"{service}/{name}", "PUT")):
        with urlopen(Request(address, method=method)):
            pass
    return f"s3://{name}"
