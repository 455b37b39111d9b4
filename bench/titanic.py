"""Titanic: who survived, accuracy in 10 x 3 stratified folds, against a peer, by the example's own page.

    python bench/titanic.py            two drawings of folds for development, and what was recorded of the judged ones
    python bench/titanic.py --open     answers the judged folds once more, and records that

Protocol: `train.csv`, 891 rows, the page of `examples/titanic` with another number of folds and their budget. Three
parts, stratified, drawn ten times, as the peer did; each part is answered by a model whose choice, tuning, calibration
and threshold were made inside the other two (nested folds, four within each). Two figures: passengers drawn one by one,
as the peer drew them, and everybody on one ticket on one side. Drawings for development have seeds of their own. The
judged folds are opened at most three times; each opening is kept in bench/titanic/openings.json with its code.
"""

import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

import asof
from asof import metrics
from asof.flows import intake, nesting, preparation, running

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "titanic"
OPENINGS = Path(__file__).resolve().parent / "titanic" / "openings.json"
MOST = 3
PARTS = 3
SECONDS = 8
"""Of the choice within each of the outer folds."""
JUDGED, DEVELOPMENT = (10, 20), (2, 1000)
"""How often folds are drawn, and the seed."""
PEER = ("the original project, 10 x 3 folds", 0.818)
FIGURES = ("accuracy", "log_loss", "auc", "f1", "brier")
DRAWN = {"one by one": "judge.group=null", "families whole": "judge.group=Ticket"}
"""How passengers are drawn, and what says so in the page."""


def measure(repeats: int, seed: int, group: str) -> dict[str, Any]:
    """Answer every passenger once a drawing; the figures are means over the drawings."""
    nesting.OUTER = PARTS  # the page's own nested folds have five parts
    with tempfile.TemporaryDirectory() as store:
        settings = [f"store={store}", f"judge.repeats={repeats}", f"train.seed={seed}", group, "train.threads=2"]
        budget = f"train.budget={SECONDS * PARTS * repeats}s"
        workspace = asof.open_project(str(EXAMPLE), overrides=[*settings, budget])
        with workspace.hold("bench"):
            intake.take_in(workspace, ())
            prepared = preparation.prepare(workspace, intake.open_tables(workspace))
            bench = running.lay_out(workspace, prepared)
            begun = time.monotonic()
            answers = nesting.nested(workspace, bench)
    repeat = np.arange(answers.height) // (answers.height // repeats)
    told = {
        name: [_figure(name, part) for part in answers.with_columns(_r=repeat).partition_by("_r")] for name in FIGURES
    }
    rule = answers.select((pl.col("label") == pl.col("baseline").arr.get(1).round()).mean()).item()
    return {
        **{name: float(np.mean(values)) for name, values in told.items()},
        "spread": float(np.std(told["accuracy"])),
        "rule": float(rule),
        "seconds": round(time.monotonic() - begun, 1),
    }


def _figure(name: str, answers: pl.DataFrame) -> float:
    return float(metrics.find(name)(answers["label"], answers["prediction"].to_numpy()))


def lines(name: str, told: dict[str, dict[str, Any]]) -> list[str]:
    """Lines of the table."""
    found = []
    for drawn, one in told.items():
        figures = "  ".join(f"{figure} {one[figure]:.4f}" for figure in FIGURES)
        told_of = f"(spread of drawings {one['spread']:.4f}; women live {one['rule']:.4f}; {one['seconds']:.0f} s)"
        found.append(f"  {name:<28} {drawn:<15} {figures}  {told_of}")
    return found


def opened() -> list[dict[str, Any]]:
    """Openings of the judged folds so far."""
    return json.loads(OPENINGS.read_text()) if OPENINGS.is_file() else []


def main() -> None:
    """Measure and print."""
    print(f"Titanic, {PARTS} parts, {SECONDS} s of search in each outer fold")
    if "--open" in sys.argv:
        earlier = opened()
        if len(earlier) >= MOST:
            sys.exit(f"the judged folds were opened {MOST} times: no more")
        told = {drawn: measure(*JUDGED, group) for drawn, group in DRAWN.items()}
        code = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "code": code.stdout.strip(), "told": told}
        OPENINGS.parent.mkdir(exist_ok=True)
        OPENINGS.write_text(json.dumps([*earlier, record], indent=1) + "\n")
    else:
        told = {drawn: measure(*DEVELOPMENT, group) for drawn, group in DRAWN.items()}
        print("\n".join(lines(f"development, {DEVELOPMENT[0]} x {PARTS}", told)))
    for number, record in enumerate(opened(), 1):
        print("\n".join(lines(f"judged, opening {number} ({record['code']})", record["told"])))
    print(f"  to beat: {PEER[0]}, one by one: accuracy {PEER[1]:.3f}")


if __name__ == "__main__":
    main()
