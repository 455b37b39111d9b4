"""Answers over HTTP beside peers: requests a second, waiting times, memory, batches, and what hostile requests do.

    python bench/serving.py [hostile [N]]

Peers (mlflow models serve, BentoML, MLServer) stand in environments of their own, made once in `~/.cache/asof-bench`
or `ASOF_BENCH_ENVS`; one that cannot be installed or started is said so, with its error. All have one worker and one
thread, and answer with the same native LightGBM model, rows in the quickest way that each takes; a bare ASGI echo of
the same bodies is the ceiling. `wrk`: one thread, 8 connections, one row a request, 3 runs in turns, medians.
Two models: 30 columns of a row; collisions by zone and day, where peers are handed the features ready-made and ours
is asked by place and day, once about the next days (made ahead) and once about others (history looked up now).
With `hostile`: 10,000 hostile requests from 8 clients, every fifth of them rows with known answers; without, a tenth.
"""

import contextlib
import functools
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.api import hostile  # noqa: E402
from tests.flows import world  # noqa: E402

import _peers  # noqa: E402
import asof  # noqa: E402 - the tests' world is found from the root
from _peers import BARE, PEERS, Absent, Running  # noqa: E402
from asof import verbs  # noqa: E402
from asof.flows import asking, oracles, preparation  # noqa: E402
from asof.flows.serving import Desk  # noqa: E402

HOSTILE = 10_000
SECONDS = 3
RUNS = 3
SLOPE = 40
"""Seconds of load after which memory is looked at, and during which it is."""
MANY = 1_000
WARM = 300
HOMES = """\
name: homes
sources:
  homes: {files: homes.csv, key: id}
predict:
  value: homes.price
judge: {folds: 3, metric: rmse}
train: {budget: 0s, candidates: [lightgbm], threads: 1}
promote: {audit: pass}
"""


@dataclass
class Case:
    """One model, as it is asked."""

    desk: Desk
    model: str
    """Text of the native model."""
    rows: list[Mapping[str, Any]]
    """As ours is asked."""
    numbers: list[list[float]]
    """The same rows as peers are asked, encoded."""
    expected: list[float]

    @classmethod
    def of(cls, folder: Path, rows: Sequence[Mapping[str, Any]]) -> "Case":
        """Open the champion of ``folder`` and make of rows what peers are handed; those with unknown parts are left."""
        desk = Desk(asof.open_project(str(folder)))
        now = desk.open()
        questions = asking.of_frame(desk.workspace, now.prepared, _table(rows), "bench").drop("reason")
        features = preparation.read(now.prepared, questions, desk.workspace.spec.leave_out)
        told = now.oracle.model.predict(features)
        for step, state in zip(now.oracle.model.steps, now.oracle.model.states, strict=True):
            features = step.encode(features, state)
        numbers = features.cast(pl.Float64).to_numpy()
        whole = np.flatnonzero(np.isfinite(numbers).all(axis=1))
        text = now.oracle.model.fitted.files()["model.txt"].decode()
        kept = numbers[whole].tolist()
        return cls(desk, text, [rows[at] for at in whole], kept, told[whole].tolist())


def _table(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    from asof.api import bodies

    return bodies.table(rows)


def homes(folder: Path) -> Case:
    """Rows of 30 columns, made up, run once."""
    draw, count = np.random.default_rng(30), 6_000
    table = draw.lognormal(3, 1, (count, 30)).round(2)
    table[:, 20:] = draw.integers(0, 12, (count, 10))
    price = 1_000 * np.log1p(table[:, :6]).sum(1) + 300 * table[:, 20] * (table[:, 0] > 20) + draw.normal(0, 300, count)
    columns = {f"x{column:02d}": table[:, column] for column in range(30)}
    frame = pl.DataFrame({"id": [f"h{row}" for row in range(count)], **columns, "price": price.round(1)})
    folder.mkdir()
    frame.write_csv(folder / "homes.csv")
    (folder / "project.yaml").write_text(HOMES)
    asof.run(asof.open_project(str(folder)))
    return Case.of(folder, frame.drop("id", "price").head(MANY).to_dicts())


def collisions(folder: Path) -> tuple[Case, Case]:
    """The example with LightGBM alone: about the next days, and about the 28 days before them."""
    verbs.copy_example("collisions", folder)
    few = ["train.candidates=[lightgbm]", "train.budget=0s", "train.threads=2", 'promote.skill="> -1"']
    asof.run(asof.open_project(str(folder), overrides=few))
    now = Desk(asof.open_project(str(folder))).open()
    ready = now.ready
    assert ready is not None
    zone = now.prepared.panel.zone
    days = ready["start"].dt.convert_time_zone(zone)
    coming = [
        {"place": place, "start": f"{day:%Y-%m-%d}", "horizon": horizon}
        for place, day, horizon in zip(ready["place"], days, ready["horizon"], strict=True)
    ]
    places, first = sorted(set(ready["place"])), days.min()
    before = [f"{first - timedelta(days=back):%Y-%m-%d}" for back in range(2, 30)]
    asked = [{"place": place, "start": day, "horizon": "1d"} for day in before for place in places]
    return Case.of(folder, coming[:MANY]), Case.of(folder, asked[:MANY])


@dataclass
class Load:
    """What `wrk` saw."""

    rate: float
    half: float
    """Milliseconds within which half of the answers came."""
    late: float
    """Those within which 99 of 100 came."""
    failed: int = 0


def load(running: Running, body: bytes, folder: Path, seconds: int = SECONDS) -> Load:
    """Send the same body again and again over 8 connections."""
    (folder / "body.json").write_bytes(body)
    script = folder / "post.lua"
    script.write_text(
        f"local file = io.open('{folder}/body.json', 'rb')\nwrk.method = 'POST'\n"
        "wrk.headers['Content-Type'] = 'application/json'\nwrk.body = file:read('*a')\nfile:close()\n"
    )
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", "-s", str(script), running.url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    rate = re.search(r"Requests/sec:\s+(\S+)", told)
    half, late = (re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", told) for share in (50, 99))
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    times = [float(found[1]) * unit[found[2]] if found else float("nan") for found in (half, late)]
    return Load(float(rate[1]) if rate else 0.0, *times, int(failed[1]) if failed else 0)


Asked = tuple[Running, Callable[[int], bytes]]
"""A server, and its body for the first so many rows."""


def ours(folder: Path, port: int, rows: Sequence[Mapping[str, Any]]) -> contextlib.AbstractContextManager[Running]:
    """Our server of a project."""
    command = [sys.executable, "-m", "asof", "serve", str(folder), "--port", str(port)]
    return _peers.standing("asof", command, folder, (port, "/invocations"), _rows(rows, 1))


def _rows(rows: Sequence[Mapping[str, Any]], count: int) -> bytes:
    return json.dumps({"instances": [dict(row) for row in rows[:count]]}).encode()


@contextlib.contextmanager
def beside(case: Case, folder: Path, port: int) -> Iterator[list[Asked]]:
    """The echo and the peers, each with the model of ``case``; those that do not come are told of."""
    with ExitStack() as stack:
        told: list[Asked] = []
        for number, peer in enumerate((BARE, *PEERS), 1):
            body = functools.partial(lambda peer, count: peer.body(case.numbers[:count]), peer)
            try:
                entered = _peers.serve(peer, case.model, folder / peer.name.split()[0], port + 10 * number, body(1))
                running = stack.enter_context(entered)
            except Absent as why:
                print(f"  {peer.name} is not measured: {why}")
                continue
            if peer is not BARE:
                given = peer.predictions(running.ask(body(5)).json())
                assert np.allclose(given, case.expected[:5], rtol=1e-9), f"{peer.name} answers with another model"
            told.append((running, body))
        yield told


def compare(servers: Sequence[Asked], folder: Path, mine: Sequence[str]) -> None:
    """Load all in turns, and print medians beside the best peer and the echo."""
    seen: dict[str, list[Load]] = {running.name: [] for running, _ in servers}
    for running, body in servers:
        load(running, body(1), folder, 1)
    for _ in range(RUNS):
        for running, body in servers:
            seen[running.name].append(load(running, body(1), folder))
    rates = {name: statistics.median(one.rate for one in loads) for name, loads in seen.items()}
    peers = {name: rate for name, rate in rates.items() if name not in {*mine, BARE.name}}
    highest = max(peers.values(), default=float("nan"))
    echo = rates.get(BARE.name, float("nan"))
    heads = (
        ("requests/s", 10),
        ("p50 ms", 8),
        ("p99 ms", 8),
        ("x best peer", 12),
        ("of echo", 8),
        ("MB", 6),
        ("start s", 8),
    )
    print(" ".join([f"  {'':28}", *(f"{head:>{width}}" for head, width in heads)]))
    for running, _ in servers:
        loads = seen[running.name]
        half, late = (statistics.median(getattr(one, name) for one in loads) for name in ("half", "late"))
        failed = sum(one.failed for one in loads)
        line = f"  {running.name:28} {rates[running.name]:10,.0f} {half:8.2f} {late:8.2f}"
        line += f" {rates[running.name] / highest:12.2f} {rates[running.name] / echo:8.0%}"
        print(line + f" {running.memory():6.0f} {running.began:8.1f}" + (f"  {failed} not answered" if failed else ""))


def batches(servers: Sequence[Asked], case: Case) -> None:
    """1,000 rows a request, one after the other, beside features and model alone in this process."""
    now, workspace = case.desk.standing, case.desk.workspace
    questions = asking.of_frame(workspace, now.prepared, _table(case.rows), "bench").drop("reason")
    features = preparation.read(now.prepared, questions, workspace.spec.leave_out)
    times = {
        "model alone": best(lambda: now.oracle.model.predict(features)),
        "features and model": best(lambda: oracles.answer(workspace, now.prepared, now.oracle, questions)),
    }
    count = len(case.rows)
    for running, body in servers:
        whole = body(count)
        times[running.name] = best(lambda running=running, whole=whole: running.ask(whole))
    alone = times["features and model"]
    for name, spent in times.items():
        print(f"  {count:,} rows, {name:28} {spent * 1e3:8.1f} ms {count / spent:10,.0f} rows/s {alone / spent:6.2f}")


def best(work: Callable[[], object], times: int = 9) -> float:
    """Seconds of the quickest of some repeats."""
    spent = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        spent.append(time.perf_counter() - begun)
    return min(spent)


def slope(running: Running, body: bytes, folder: Path) -> None:
    """Memory under load: a line through what was seen after the first third."""
    load(running, body, folder, SLOPE // 3)
    seen = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < SLOPE:
        load(running, body, folder, 2)
        seen.append((time.perf_counter() - begun, running.memory()))
    moments, sizes = (np.array(side) for side in zip(*seen, strict=True))
    rise = float(np.polyfit(moments, sizes, 1)[0]) * 60
    print(f"  memory over {SLOPE} s of load: {sizes[0]:.1f} to {sizes[-1]:.1f} MB, a slope of {rise:+.2f} MB a minute")


def attack(count: int) -> int:
    """Hostile requests to a small panel that is made for it."""
    with tempfile.TemporaryDirectory() as name:
        folder = world.make(Path(name) / "world")
        asof.run(asof.open_project(str(folder)))
        return assault(folder, count)


def assault(folder: Path, count: int) -> int:
    """Hostile requests beside rows that must be answered, in tenths, with the memory after each."""
    rows = [{"place": f"z{at}", "start": day} for at in range(6) for day in ("2021-07-22", "2021-07-20", "soon")]
    outcomes: Counter[str] = Counter()
    faults, sizes = [], []
    begun = time.perf_counter()
    with ours(folder, 18191, rows) as running:
        at = ("127.0.0.1", running.port)
        told = running.ask(_rows(rows, len(rows))).json()["predictions"]
        known = [(row, answer["prediction"]) for row, answer in zip(rows, told, strict=True)]
        hostile.attack(at, requests=WARM, clients=8, seed=99, known=known)
        for tenth in range(10):
            done = hostile.attack(at, requests=count // 10, clients=8, seed=tenth, known=known)
            faults += done.faults
            outcomes += done.outcomes
            sizes.append(running.memory())
    spent = time.perf_counter() - begun
    print(f"{count:,} hostile requests (seeds 0..9) in {spent:.0f} s: {dict(sorted(outcomes.items()))}")
    print(f"  memory after each tenth, MB: {', '.join(f'{size:.0f}' for size in sizes)}")
    print(f"  {len(faults)} that must not be (a 5xx, no reason, another row's answer)")
    for fault in faults[:5]:
        print(f"    {fault}")
    return 1 if faults else 0


def measure(folder: Path) -> None:
    """Both models beside the peers."""
    case = homes(folder / "homes")
    print("30 columns of a row, LightGBM")
    with beside(case, folder / "peers", 18200) as peers, ours(folder / "homes", 18290, case.rows) as server:
        mine: Asked = (server, functools.partial(_rows, case.rows))
        compare([*peers, mine], folder, [server.name])
        batches([*peers, mine], case)
        slope(server, _rows(case.rows, 1), folder)
    ahead, now = collisions(folder / "collisions")
    print("collisions by zone and day, LightGBM with its history")
    with beside(now, folder / "peers2", 18400) as peers, ours(folder / "collisions", 18490, now.rows) as server:
        ready = Running("asof, made ahead", *(getattr(server, name) for name in ("port", "route", "pid", "began")))
        looked = Running("asof, looked up now", *(getattr(server, name) for name in ("port", "route", "pid", "began")))
        both: list[Asked] = [
            (ready, functools.partial(_rows, ahead.rows)),
            (looked, functools.partial(_rows, now.rows)),
        ]
        compare([*peers, *both], folder, [ready.name, looked.name])
        batches([*peers, both[1]], now)


def main() -> int:
    """Measure and print."""
    if shutil.which("wrk") is None:
        sys.exit("serving: wrk is not installed")
    if sys.argv[1:2] == ["hostile"]:
        return attack(int(sys.argv[2]) if len(sys.argv) > 2 else HOSTILE)
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name))
    return attack(HOSTILE // 10)


if __name__ == "__main__":
    sys.exit(main())
