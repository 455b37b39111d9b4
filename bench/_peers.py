"""Servers of models beside which ours is measured: each in an environment of its own, made once, outside of here."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

CACHE = Path(os.environ.get("ASOF_BENCH_ENVS") or Path.home() / ".cache" / "asof-bench")
"""Where the environments are."""
ROOT = Path(__file__).resolve().parent.parent
LINE = httpx.Client(timeout=60, trust_env=False)
"""Keeps its connections: to make one each time would cost more than an answer."""
START = 120.0
"""Seconds within which a server has to answer."""
ECHO = """\
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    body = (await receive()).get("body", b"")
    head = [(b"content-length", b"%d" % len(body)), (b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": body})
"""
BENTO = """\
import bentoml
import lightgbm
import numpy as np

@bentoml.service(workers=1)
class Served:
    def __init__(self) -> None:
        self.booster = lightgbm.Booster(model_file="model.txt")

    @bentoml.api
    async def predict(self, rows: list[list[float]]) -> list[float]:
        return self.booster.predict(np.asarray(rows)).tolist()
"""
SAVE = """\
import lightgbm, mlflow.lightgbm
mlflow.lightgbm.save_model(lightgbm.Booster(model_file="model.txt"), "mlflow_model", pip_requirements=["lightgbm"])
"""


@dataclass(frozen=True)
class Peer:
    """A server of a native LightGBM model, as its own pages start it, with one worker."""

    name: str
    packages: tuple[str, ...]
    command: tuple[str, ...]
    """What starts it, in the folder of the model; ``{env}`` and ``{port}`` stand for its environment and port."""
    route: str
    files: Mapping[str, str] = field(default_factory=dict)
    """Files that it wants beside ``model.txt``."""
    before: str = ""
    """Python that is run once in its environment, in that folder."""

    def body(self, rows: Sequence[Sequence[float]]) -> bytes:
        """Rows of numbers in the quickest way in which it takes them."""
        if self.name == "MLServer":
            flat = [number for row in rows for number in row]
            tensor = {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": flat}
            return json.dumps({"inputs": [tensor]}).encode()
        return json.dumps({"rows" if self.name == "BentoML" else "inputs": rows}).encode()

    def predictions(self, told: Any) -> list[float]:
        """Numbers in its answer."""
        if self.name == "MLServer":
            return list(told["outputs"][0]["data"])
        return list(told if self.name == "BentoML" else told["predictions"])


_MLSERVER = {
    "settings.json": {"parallel_workers": 0, "debug": False, "host": "127.0.0.1"},
    "model-settings.json": {
        "name": "m",
        "implementation": "mlserver_lightgbm.LightGBMModel",
        "parameters": {"uri": "./model.txt"},
    },
}
BARE = Peer(
    "bare ASGI echo",
    ("uvicorn[standard]",),
    ("{env}/bin/uvicorn", "echo:app", "--port", "{port}", "--lifespan", "off", "--no-access-log"),
    "/invocations",
    {"echo.py": ECHO},
)
PEERS = (
    Peer(
        "mlflow models serve",
        ("mlflow==3.17.2", "lightgbm"),
        (
            "{env}/bin/mlflow",
            *["models", "serve", "-m", "mlflow_model", "--env-manager", "local", "-w", "1", "-p", "{port}"],
        ),
        "/invocations",
        before=SAVE,
    ),
    Peer(
        "BentoML",
        ("bentoml", "lightgbm"),
        (
            "{env}/bin/bentoml",
            *["serve", "service:Served", "--host", "127.0.0.1", "--port", "{port}", "--api-workers", "1"],
        ),
        "/predict",
        {"service.py": BENTO},
    ),
    Peer(
        "MLServer",
        ("mlserver", "mlserver-lightgbm"),
        ("{env}/bin/mlserver", "start", "."),
        "/v2/models/m/infer",
        {name: json.dumps(told) for name, told in _MLSERVER.items()},
    ),
)


class Absent(Exception):
    """A peer could not be installed or started; says why."""


def environment(peer: Peer) -> Path:
    """The environment of a peer, made where it is not there; raises ``Absent`` where that fails."""
    folder = CACHE / peer.name.split()[0].lower().replace("bare", "echo")
    return _made(folder, " ".join(peer.packages), peer.packages)


def own_environment() -> Path:
    """An environment for our server: what ``make demo`` installs, and nothing that only tests need."""
    lock = ROOT / "requirements" / "run.txt"
    return _made(CACHE / "asof", lock.read_text(), ("--no-deps", "--require-hashes", "-r", str(lock)))


def _made(folder: Path, packages: str, asked: Sequence[str]) -> Path:
    done = folder / "packages.txt"
    if done.is_file() and done.read_text() == packages:
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    _run([sys.executable, "-m", "venv", "--clear", str(folder)], CACHE)
    _run([str(folder / "bin" / "pip"), "install", "-q", *asked], CACHE)
    done.write_text(packages)
    return folder


def _run(command: Sequence[str], folder: Path) -> None:
    told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if told.returncode:
        lines = [line for line in told.stderr.splitlines() if line.strip()] or ["no word"]
        raise Absent(f"{Path(command[0]).name} {command[1]}: {lines[-1][:300]}")


@dataclass
class Running:
    """A server that answers."""

    name: str
    port: int
    route: str
    pid: int
    began: float
    """Seconds until it answered."""

    @property
    def url(self) -> str:
        """Where rows are sent."""
        return f"http://127.0.0.1:{self.port}{self.route}"

    def ask(self, body: bytes) -> httpx.Response:
        """Send one request."""
        return LINE.post(self.url, content=body, headers={"content-type": "application/json"})

    def memory(self) -> float:
        """Resident memory in MB of the process and those that it has started."""
        return sum(_resident(pid) for pid in _family(self.pid)) / 1e6


def _family(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        born = [int(one) for task in tasks for one in (task / "children").read_text().split()]
    except OSError:
        return [pid]
    return [pid, *(other for one in born for other in _family(one))]


def _resident(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/statm").read_text().split()
    except OSError:
        return 0
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def serve(peer: Peer, model: str, folder: Path, port: int, sample: bytes) -> Iterator[Running]:
    """Start a peer with the text of a LightGBM model; it has answered ``sample``. Raises ``Absent``."""
    home = environment(peer)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.txt").write_text(model)
    for name, text in peer.files.items():
        (folder / name).write_text(text)
    if name := next((name for name in peer.files if name == "settings.json"), ""):
        ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
        (folder / name).write_text(json.dumps(json.loads(peer.files[name]) | ports))
    if peer.before:
        _run([str(home / "bin" / "python"), "-c", peer.before], folder)
    command = [part.format(env=home, port=port) for part in peer.command]
    more = {"PATH": f"{home / 'bin'}:{os.environ['PATH']}", "BENTOML_HOME": str(folder / "bento")}
    with standing(peer.name, command, folder, (port, peer.route), sample, more=more) as running:
        yield running


@contextmanager
def standing(
    name: str, command: Sequence[str], folder: Path, at: tuple[int, str], sample: bytes, *, more: Mapping[str, str] = {}
) -> Iterator[Running]:
    """Start any server, wait for its first answer, and stop it with all that it has started."""
    # One row wants one thread; no peer is told otherwise.
    quiet = {"OMP_NUM_THREADS": "1", "BENTOML_DO_NOT_TRACK": "True", "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = folder / f"{name.split(maxsplit=1)[0].lower()}.log"
    begun = time.perf_counter()
    with (
        log.open("wb") as said,
        subprocess.Popen(
            command, cwd=folder, stdout=said, stderr=said, env={**os.environ, **quiet, **more}, start_new_session=True
        ) as server,
    ):
        try:
            running = Running(name, at[0], at[1], server.pid, 0.0)
            _wait(server, running, sample, log)
            running.began = time.perf_counter() - begun
            yield running
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)


def _wait(server: subprocess.Popen[bytes], running: Running, sample: bytes, log: Path) -> None:
    until = time.monotonic() + START
    why = "no answer"
    while time.monotonic() < until and server.poll() is None:
        try:
            told = running.ask(sample)
        except httpx.TransportError:
            time.sleep(0.05)
            continue
        if told.status_code == 200:
            return
        why = f"{told.status_code}: {told.text[:200]}"
        time.sleep(0.2)
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    raise Absent(f"{running.name} did not start ({why}); its last line: {lines[-1][:300] if lines else 'none'}")
