"""Larger than memory: ingest, features and batch prediction on 1, 4, 16 and 60 million made events, under 4 GB.

    python bench/larger.py [MILLIONS ...]

Protocol: collisions repeated with shifted years and jittered places (`_events.py`), 125,000 a month, one Parquet file a
year, in a folder that is removed afterwards. Each step runs in a process of its own, so that its peak of memory is
told apart: ingest (read, keep, validate, derive); features of every zone and day from the first to the last, a year at
a time; answers for one month by a release that was trained once on the smallest size; and, at every size, an ingest of
one further day, which touches the parts concerned. Events per step are those that the source holds. Time a million
must stay within 20 % from the smallest size to the largest, and every peak under 4 GB. CPU seconds stand beside the
seconds: on a busy machine they are what to compare.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _events
from asof import verbs
from asof.flows import extents, ingestion, intake, predicting, preparation, running
from asof.flows.predicting import Asked
from asof.flows.workspace import Workspace

SIZES = (1.0, 4.0, 16.0, 60.0)
"""Millions of events."""
MOST_GB, MOST_SHARE = 4.0, 0.2
MONTH = ("2020-01-01", "2020-02-01")
PAGE = """\
name: larger
sources:
  crashes:
    files: data/crashes_*.parquet
    key: collision_id
    time: {columns: [crash_date, crash_time], zone: America/New_York}
    delay: 1d
    place: {lat: latitude, lon: longitude}
    checks: {injured: {between: [0, 200]}, latitude: {between: [40, 42], otherwise: missing}}
predict:
  count: crashes
  per: {place: {polygons: zones.geojson.gz, id: objectid, coarser: borough}, every: 1d}
  horizon: 1d
features: [calendar, history: {since: false}]
judge: {folds: 2, fold: 14d, holdout: 14d}
train: {since: 2019-09-01, budget: 1s}
"""


def ingest(workspace: Workspace, _release: str) -> dict[str, Any]:
    """Bring the source up to date."""
    done = intake.take_in(workspace)[0]
    return {"rows": done.valid, "read": done.read, **{f"{name} s": spent for name, spent in done.seconds.items()}}


def features(workspace: Workspace, _release: str) -> dict[str, Any]:
    """Features of all zones and days, a stretch at a time; each is made, counted and forgotten."""
    name = workspace.spec.predict.source
    large = ingestion.outline(name, workspace.spec.sources[name], workspace.lake)
    assert large is not None
    count = 0
    for stretch in extents.stretches(workspace, large.coverage.start, large.coverage.end):
        assert stretch.first is not None
        assert stretch.until is not None
        asked = preparation.ask(stretch.prepared, stretch.first, stretch.until)
        count += preparation.read(stretch.prepared, asked, {}).height
        del stretch, asked
    return {"rows": count}


def predict(workspace: Workspace, release: str) -> dict[str, Any]:
    """Answer a month."""
    told = predicting.predict(workspace, Asked(start=MONTH[0], end=MONTH[1], release=release))
    return {"rows": told["answered"]}


def train(workspace: Workspace, _release: str) -> dict[str, Any]:
    """Make the release that answers."""
    made = running.train(workspace)
    return {"rows": 0, "release": str(workspace.registry.find(made["release"]).folder)}  # type: ignore[union-attr]


STEPS: dict[str, Callable[[Workspace, str], dict[str, Any]]] = {
    "ingest": ingest,
    "features": features,
    "predict": predict,
    "train": train,
}


def child(step: str, folder: str, release: str) -> int:
    """Do one step in this process and print what it took."""
    workspace = verbs.open_project(folder)
    begun, worked = time.perf_counter(), time.process_time()
    told = STEPS[step](workspace, release)
    told |= {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - worked}
    told["gb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(told))
    return 0


def ask(step: str, folder: Path, release: str = "") -> dict[str, Any]:
    """Have a child do a step."""
    command = [sys.executable, __file__, "--step", step, str(folder), release]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def prepare(millions: float, folder: Path) -> None:
    """Write the project and its events."""
    data = folder / "data"
    data.mkdir(parents=True)
    (folder / "project.yaml").write_text(PAGE)
    shutil.copyfile(_events.DATA / "NYCTaxiZones.geojson.gz", folder / "zones.geojson.gz")
    _events.write(data, round(millions * 1e6))


def measure(folder: Path, release: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Do all steps; the release is trained where there is none."""
    yield "ingest", ask("ingest", folder)
    yield "features", ask("features", folder)
    if not release.exists():
        told = ask("train", folder)
        shutil.copytree(told["release"], release)
        yield "train", told
    yield "predict", ask("predict", folder, str(release))
    _events.one_day(folder / "data")
    yield "one day more", ask("ingest", folder)


def main(sizes: tuple[float, ...]) -> None:
    """Print a line a step and size, and how far the promises are kept."""
    titles = ("seconds", "CPU s", "s/mio", "CPU/mio", "peak GB")
    print(f"{'million':>7} {'step':<13} {' '.join(f'{title:>8}' for title in titles)}", flush=True)
    each: dict[str, list[float]] = {}
    peak = 0.0
    with tempfile.TemporaryDirectory() as kept:
        for millions in sizes:
            folder = Path(kept) / f"{millions:g}"
            prepare(millions, folder)
            for step, told in measure(folder, Path(kept) / "release"):
                rates = (told["seconds"] / millions, told["cpu"] / millions)
                shown = [f"{rate:>8.2f}" if step in {"ingest", "features"} else " " * 8 for rate in rates]
                took = f"{told['seconds']:>8.1f} {told['cpu']:>8.1f} {' '.join(shown)} {told['gb']:>8.2f}"
                print(f"{millions:>7g} {step:<13} {took}", flush=True)
                each.setdefault(step, []).append(told["cpu"] / millions)
                peak = max(peak, told["gb"])
            shutil.rmtree(folder)
    apart = {step: max(each[step]) / min(each[step]) - 1 for step in ("ingest", "features")}
    words = ", ".join(f"{step} {share:.0%}" for step, share in apart.items())
    print(f"CPU a million differs by at most: {words} (goal {MOST_SHARE:.0%}); peak {peak:.2f} GB (goal {MOST_GB:g})")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        sys.exit(child(*sys.argv[2:5]))
    main(tuple(map(float, sys.argv[1:])) or SIZES)
