"""Answers over HTTP beside peers: requests a second, waiting times, memory, batches, and what hostile requests do.

    python bench/serving.py [hostile [N]]

Peers (mlflow models serve, BentoML, MLServer) and our own server (what `make demo` installs) stand in environments of
their own, made once in `~/.cache/asof-bench` or `ASOF_BENCH_ENVS`; a peer that cannot be installed or started is said
so, with its error. All have one worker and one
thread, and answer with the same native LightGBM model, rows in the quickest way that each takes; a bare ASGI echo of
the same bodies is the ceiling. `wrk`: one thread, 8 connections, one row a request, another one each time, 3 runs in
turns, medians. Two models: 30 columns of a row; collisions by zone and day, where peers are handed the features
ready-made and ours is asked by place and day: about the next days (made ahead), about all places of days that nobody
has asked about, one day after the other (looked up now: a day for all places, and days ahead of who walks), about such
places and days in no order (each day is looked up when it is first asked about), and about the first of them again.
`wrk` counts a wait as often as requests would have come in it. Batches: 1,000 rows, the quickest of 5 requests.
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
SLOPE = 120
"""Seconds of load during which memory is looked at."""
MANY = 1_000
TIMES = 5
"""Batches of which the quickest counts."""
NEW = 16_500
"""Rows of a run that nobody has asked about, day after day: more than are answered in it."""
JUMPS = 4_500
"""Rows of a run that nobody has asked about, in no order: those of 18 days, more than are answered in a second."""
UNKNOWN = 0.06
"""Share of rows that are left at most, since a part of them is unknown."""
RUNS_NEW = RUNS + 1
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
    """The first of these rows as peers are asked, encoded."""
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
        few = whole[: TIMES * MANY]
        return cls(desk, text, [rows[at] for at in whole], numbers[few].tolist(), told[few].tolist())


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
    """The example with LightGBM alone: about the next days, and about the days before them."""
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
    needed = int((TIMES * MANY + RUNS_NEW * (NEW + JUMPS)) * (1 + UNKNOWN))
    before = [f"{first - timedelta(days=back):%Y-%m-%d}" for back in range(2, 3 + needed // len(places))]
    asked = [{"place": place, "start": day, "horizon": "1d"} for day in before for place in places]
    return Case.of(folder, coming[:MANY]), Case.of(folder, asked)


@dataclass
class Load:
    """What `wrk` saw."""

    rate: float
    half: float
    """Milliseconds within which half of the answers came."""
    late: float
    """Those within which 99 of 100 came."""
    failed: int = 0


def load(running: Running, bodies: Sequence[bytes], folder: Path, seconds: int = SECONDS) -> Load:
    """Send bodies, one after the other and again, over 8 connections."""
    (folder / "bodies").write_bytes(b"\n".join(bodies))
    script = folder / "post.lua"
    script.write_text(
        f"local bodies, at = {{}}, 0\nfor line in io.lines('{folder}/bodies') do bodies[#bodies + 1] = line end\n"
        "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\n"
        "request = function() at = at % #bodies + 1; return wrk.format(nil, nil, nil, bodies[at]) end\n"
    )
    command = ["wrk", "-t1", "-c8", f"-d{seconds}s", "--latency", "-s", str(script), running.url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", told)
    rate = re.search(r"Requests/sec:\s+(\S+)", told)
    half, late = (re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", told) for share in (50, 99))
    unit = {"us": 1e-3, "ms": 1.0, "s": 1e3}
    times = [float(found[1]) * unit[found[2]] if found else float("nan") for found in (half, late)]
    return Load(float(rate[1]) if rate else 0.0, *times, int(failed[1]) if failed else 0)


@dataclass
class Asked:
    """A server, and what it is asked."""

    running: Running
    runs: Sequence[Sequence[bytes]]
    """Bodies of one row, for each run; the first is to warm up, and where there is but one it is for all."""
    many: Sequence[bytes]
    """Bodies of 1,000 rows."""
    seconds: int = SECONDS
    """Of a run."""

    def bodies(self, run: int) -> Sequence[bytes]:
        """Those of a run."""
        return self.runs[run % len(self.runs)]


def asked(running: Running, rows: Sequence[Any], body: Callable[[Sequence[Any]], bytes]) -> Asked:
    """Rows as a server takes them, the first 1,000 one by one, and as many as there are in batches."""
    parts = [rows[begun : begun + MANY] for begun in range(0, max(len(rows) - MANY, 0) + 1, MANY)]
    return Asked(running, [[body([row]) for row in rows[:MANY]]], [body(part) for part in parts[:TIMES]])


def ours(folder: Path, port: int, rows: Sequence[Mapping[str, Any]]) -> contextlib.AbstractContextManager[Running]:
    """Our server of a project."""
    home = _peers.own_environment()
    command = [str(home / "bin" / "python"), "-m", "asof", "serve", str(folder), "--port", str(port)]
    more = {"PYTHONPATH": str(Path(asof.__file__).parent.parent)}
    return _peers.standing("asof", command, folder, (port, "/invocations"), _rows(rows[:1]), more=more)


def _rows(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return json.dumps({"instances": [dict(row) for row in rows]}).encode()


@contextlib.contextmanager
def beside(case: Case, folder: Path, port: int) -> Iterator[list[Asked]]:
    """The echo and the peers, each with the model of ``case``; those that do not come are told of."""
    with ExitStack() as stack:
        told: list[Asked] = []
        for number, peer in enumerate((BARE, *PEERS), 1):
            body = peer.body
            try:
                sample = body(case.numbers[:1])
                entered = _peers.serve(peer, case.model, folder / peer.name.split()[0], port + 10 * number, sample)
                running = stack.enter_context(entered)
            except Absent as why:
                print(f"  {peer.name} is not measured: {why}")
                continue
            if peer is not BARE:
                given = peer.predictions(running.ask(body(case.numbers[:5])).json())
                assert np.allclose(given, case.expected[:5], rtol=1e-9), f"{peer.name} answers with another model"
            told.append(asked(running, case.numbers, body))
        yield told


def compare(servers: Sequence[Asked], folder: Path, mine: Sequence[str]) -> dict[str, tuple[float, float, float]]:
    """Load all in turns, and print medians; returns of ours by name: rate, p99 in ms, how often the best peer's."""
    seen: dict[str, list[Load]] = {one.running.name: [] for one in servers}
    for one in servers:
        load(one.running, one.bodies(0), folder, 1)
    for run in range(1, RUNS + 1):
        for one in servers:
            seen[one.running.name].append(load(one.running, one.bodies(run), folder, one.seconds))
    rates = {name: statistics.median(each.rate for each in loads) for name, loads in seen.items()}
    peers = {name: rate for name, rate in rates.items() if name not in {*mine, BARE.name}}
    highest, echo = max(peers.values(), default=float("nan")), rates.get(BARE.name, float("nan"))
    heads = [f"{head:>11}" for head in ("requests/s", "p50 ms", "p99 ms", "x best peer", "of echo", "MB", "start s")]
    print(" ".join([f"  {'':24}", *heads]))
    told = {}
    for one in servers:
        name, loads = one.running.name, seen[one.running.name]
        half, late = (statistics.median(getattr(each, part) for each in loads) for part in ("half", "late"))
        failed = sum(each.failed for each in loads)
        line = f"  {name:24} {rates[name]:11,.0f} {half:11.2f} {late:11.2f} {rates[name] / highest:11.2f}"
        line += f" {rates[name] / echo:11.0%} {one.running.memory():11.0f} {one.running.began:11.1f}"
        print(line + (f"  {failed} not answered" if failed else ""))
        if name in mine:
            told[name] = rates[name], late, rates[name] / highest
    return told


def batches(servers: Sequence[Asked], case: Case) -> dict[str, float]:
    """1,000 rows a request beside the model alone, handed its features in this process; returns the shares of it."""
    now, workspace = case.desk.standing, case.desk.workspace
    questions = asking.of_frame(workspace, now.prepared, _table(case.rows[:MANY]), "bench").drop("reason")
    features = preparation.read(now.prepared, questions, workspace.spec.leave_out)
    alone = min(spent(lambda: now.oracle.model.predict(features)) for _ in range(TIMES))
    whole = min(spent(lambda: oracles.answer(workspace, now.prepared, now.oracle, questions)) for _ in range(TIMES))
    times = {"model alone": alone, "features and model": whole}
    for one in servers:
        bodies = [one.many[turn % len(one.many)] for turn in range(TIMES)]
        times[one.running.name] = min(spent(functools.partial(one.running.ask, body)) for body in bodies)
    count = min(len(case.rows), MANY)
    print(f"  {f'{count:,} rows a request':24} {'ms':>11} {'rows/s':>11} {'of model':>11} {'of both':>11}")
    for name, took in times.items():
        print(f"  {name:24} {took * 1e3:11.1f} {count / took:11,.0f} {alone / took:11.2f} {whole / took:11.2f}")
    return {name: alone / took for name, took in times.items()}


def spent(work: Callable[[], object]) -> float:
    """Seconds that something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def slope(running: Running, bodies: Sequence[bytes], folder: Path) -> float:
    """Memory under load, which it has been under before: MB a minute, of a line through what was seen."""
    seen = []
    begun = time.perf_counter()
    while time.perf_counter() - begun < SLOPE:
        load(running, bodies, folder, 2)
        seen.append((time.perf_counter() - begun, running.memory()))
    moments, sizes = (np.array(side) for side in zip(*seen, strict=True))
    rise = float(np.polyfit(moments, sizes, 1)[0]) * 60
    print(f"  memory over {SLOPE} s of load: {sizes[0]:.1f} to {sizes[-1]:.1f} MB, a slope of {rise:+.2f} MB a minute")
    return rise


def importing() -> float:
    """Seconds that the library of the estimator takes to load, the quicker of two times."""
    command = [sys.executable, "-c", "import lightgbm"]
    return min(spent(functools.partial(subprocess.run, command, check=True)) for _ in range(2))


def goals(
    told: Mapping[str, tuple[float, float, float]], shares: Mapping[str, float], running: Running, rise: float
) -> None:
    """Print what is asked of a server beside what was seen of ours."""
    start = 2 + importing()
    lines: list[tuple[str, float, str, bool]] = []
    for name, (_, late, times) in told.items():
        lines.append((f"{name}: times the best peer", times, "at least 2, aim 4", times >= 2))
        lines.append((f"{name}: p99 ms", late, "below 10", late < 10))
        lines.append((f"{name}: batch, share of model", shares[name], "at least 0.7", shares[name] >= 0.7))
    lines.append(("memory after load, MB", running.memory(), "below 400", running.memory() < 400))
    lines.append(("slope of memory, MB a minute", rise, "none (below 2)", rise < 2))
    lines.append(("start, s", running.began, f"at most 2 and the import, {start:.1f}", running.began <= start))
    for what, value, goal, met in lines:
        print(f"  {what:46} {value:8.2f}  {goal:36} {'met' if met else 'NOT MET'}")


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
        told = running.ask(_rows(rows)).json()["predictions"]
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
        mine = asked(server, case.rows, _rows)
        told = compare([*peers, mine], folder, [server.name])
        shares = batches([*peers, mine], case)
        goals(told, shares, server, slope(server, mine.bodies(0), folder))
    ahead, now = collisions(folder / "collisions")
    print("collisions by zone and day, LightGBM with its history")
    with beside(now, folder / "peers2", 18400) as peers, ours(folder / "collisions", 18490, ahead.rows) as server:
        parts = [getattr(server, name) for name in ("port", "route", "pid", "began")]
        ready = asked(Running("asof, made ahead", *parts), ahead.rows, _rows)
        looked = asked(Running("asof, looked up now", *parts), now.rows, _rows)
        jumping = asked(Running("asof, in no order", *parts), now.rows[:MANY], _rows)
        begun, draw = TIMES * MANY + RUNS_NEW * NEW, np.random.default_rng(36)
        runs = [now.rows[TIMES * MANY + run * NEW :][:NEW] for run in range(RUNS_NEW)]
        jumps = [draw.permutation(now.rows[begun + run * JUMPS :][:JUMPS]).tolist() for run in range(RUNS_NEW)]
        assert len(jumps[-1]) > JUMPS // 2, "too few rows that nobody has asked about"
        looked.runs = [[_rows([row]) for row in rows] for rows in runs]
        looked.seconds, jumping.seconds = 2, 1  # in more time, rows that somebody has asked about would come again
        jumping.runs = [[_rows([row]) for row in rows] for rows in jumps]
        names = [ready.running.name, looked.running.name, jumping.running.name, "asof, asked before"]
        shares = batches([*peers, ready, looked], now)
        # The same rows once more.
        before = asked(Running(names[3], *parts), now.rows, _rows)
        shares |= batches([before], now) | {jumping.running.name: shares[looked.running.name]}
        told = compare([*peers, ready, looked, jumping, before], folder, names)
        goals(told, shares, server, slope(server, before.bodies(0), folder))


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
