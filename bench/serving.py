"""Answers over HTTP: requests a second, waiting times, memory, and what hostile requests do.

One project, made up and small, is run; its server stands in a process of its own with one worker, and the load comes
from `wrk` (one thread, 8 connections, one row a request). In the same run: a bare ASGI echo in the same server, as the
ceiling of HTTP alone; answers made ahead and answers made now; 1,000 rows a request against the model alone on the
same rows; resident memory over hostile requests after a warm-up; 10,000 hostile requests from 8 clients, every fifth of
them rows whose answers are known. Peers are not measured here.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.api import hostile  # noqa: E402
from tests.flows import world  # noqa: E402

import asof  # noqa: E402 - the tests' world is found from the root
from asof.flows import asking, predicting, preparation  # noqa: E402
from asof.flows.serving import Desk  # noqa: E402

HOSTILE = 10_000
SECONDS = 5
ECHO = """\
import sys, uvicorn
from asof.api import heads

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        return
    body = (await receive()).get("body", b"")
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})

uvicorn.run(app, port=int(sys.argv[1]), http=heads.Bounded, ws="none", lifespan="off", log_config=None)
"""


@contextmanager
def process(*command: str, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process of its own, which answers when this begins."""
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as server:
        try:
            until = time.monotonic() + 120
            while True:
                try:
                    httpx.post(f"http://127.0.0.1:{port}/invocations", content=b"[]", timeout=60)
                    break
                except httpx.TransportError:
                    assert time.monotonic() < until
                    assert server.poll() is None
                    time.sleep(0.2)
            yield server
        finally:
            server.terminate()


def load(port: int, body: bytes, folder: Path) -> str:
    """Requests a second, and waiting times, of the same body again and again."""
    script = folder / "post.lua"
    quoted = body.decode().replace("'", "\\'")
    script.write_text(f"wrk.method='POST'\nwrk.headers['Content-Type']='application/json'\nwrk.body='{quoted}'\n")
    command = ["wrk", "-t1", "-c8", f"-d{SECONDS}s", "--latency", "-s", str(script)]
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{port}/invocations"], capture_output=True, text=True, check=True
    )
    found = {name: re.search(rf"{name}\s+(\S+)", told.stdout) for name in ("Requests/sec:", "50%", "99%")}
    rate, half, late = (match[1] if match else "-" for match in found.values())
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told.stdout)
    return f"{float(rate):10,.0f}/s  p50 {half:>9}  p99 {late:>9}" + (f"  not answered {failed[1]}" if failed else "")


def memory(server: subprocess.Popen[bytes]) -> float:
    """Resident memory in MiB."""
    told = Path(f"/proc/{server.pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+)", told)[0]) / 1024


def batch(desk: Desk, port: int) -> None:
    """1,000 rows in one request, and the model alone on the features of the same rows."""
    starts = [f"2021-{month:02d}-{day:02d}" for month in (4, 5, 6) for day in range(1, 29)]
    rows = [{"place": f"z{place}", "start": start} for start in starts for place in range(6)]
    rows = (rows * 2)[:1_000]
    body = json.dumps({"instances": rows}).encode()
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        spent = best(lambda: client.post("/invocations", content=body, headers={"content-type": "application/json"}))
    now = desk.standing
    table = asking.of_frame(desk.workspace, now.prepared, asof_table(rows), "bench").drop("reason")
    features = preparation.read(now.prepared, table, desk.workspace.spec.leave_out)
    alone = best(lambda: now.oracle.model.predict(features))
    whole = best(lambda: predicting.answer(desk.workspace, now.prepared, now.oracle, table))
    for name, seconds in (("over HTTP", spent), ("features and model", whole), ("model alone", alone)):
        print(f"  1,000 rows {name:20} {seconds * 1e3:9.1f} ms  {1_000 / seconds:12,.0f} rows/s")


def asof_table(rows: list[dict[str, str]]) -> pl.DataFrame:
    """Rows as a table."""
    from asof.api import bodies

    return bodies.table(rows)


def best(work: Callable[[], object], times: int = 5) -> float:
    """Seconds of the quickest of some repeats."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return min(spent)


def attack(server: subprocess.Popen[bytes], port: int, count: int) -> None:
    """Hostile requests in tenths, with the memory after each."""
    rows = [{"place": f"z{at}", "start": start} for at in range(6) for start in ("2021-07-22", "2021-07-20", "soon")]
    told = httpx.post(f"http://127.0.0.1:{port}/invocations", json=rows, timeout=60).json()["predictions"]
    known = [(row, answer["prediction"]) for row, answer in zip(rows, told, strict=True)]
    outcomes, faults, sizes = {}, [], []
    for tenth in range(10):
        done = hostile.attack(("127.0.0.1", port), requests=count // 10, clients=8, seed=tenth, known=known)
        faults += done.faults
        outcomes = {name: outcomes.get(name, 0) + done.outcomes[name] for name in {*outcomes, *done.outcomes}}
        sizes.append(memory(server))
    print(f"  {count:,} hostile requests: {dict(sorted(outcomes.items()))}, {len(faults)} that must not be")
    print(f"  memory after each tenth, MiB: {', '.join(f'{size:.0f}' for size in sizes)}")
    assert not faults, faults[:3]


def main() -> None:
    """Measure and print."""
    if shutil.which("wrk") is None:
        sys.exit("serving: wrk is not installed")
    count = int(sys.argv[1]) if len(sys.argv) > 1 else HOSTILE
    with tempfile.TemporaryDirectory() as name:
        folder = world.make(Path(name) / "world")
        asof.run(asof.open_project(str(folder)))
        desk = Desk(asof.open_project(str(folder)))
        desk.open()
        ready = json.dumps([{"place": "z1", "start": "2021-07-22"}]).encode()
        made = json.dumps([{"place": "z1", "start": "2021-07-20"}]).encode()
        with process(sys.executable, "-c", ECHO, "18191", port=18191):
            print(f"  bare ASGI echo      {load(18191, ready, folder)}")
        command = (sys.executable, "-m", "asof", "serve", str(folder), "--port", "18192")
        with process(*command, port=18192) as server:
            print(f"  answers made ahead  {load(18192, ready, folder)}")
            print(f"  answers made now    {load(18192, made, folder)}")
            batch(desk, 18192)
            attack(server, 18192, count)


if __name__ == "__main__":
    main()
