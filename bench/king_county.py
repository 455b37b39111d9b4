"""House prices of King County: RMSLE of a rows table by `asof.tuning`, against a peer, in 60 s of search.

    python bench/king_county.py            the development cut 2014-12-01..2015-03-01, and what was recorded of the test
    python bench/king_county.py --open     opens the test 2015-03-01.. once more, and records that

Protocol: the row's own columns and its day (days since the first sale), nothing else; `?` is unknown, grades stay text.
Learnt from sales before the cut; the choice is made on four forward folds of 28 days before it. The test is opened at
most three times in all; each opening is kept in bench/king_county/openings.json with the code that made it. The peer
was measured on the same split of the test.
"""

import json
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import metrics, recipes, tuning
from asof.data import Table

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT.parent / "shared" / "data" / "king_county" / "kc_house_data_dirty.csv.gz"
OPENINGS = Path(__file__).resolve().parent / "king_county" / "openings.json"
MOST = 3
BUDGET_SECONDS = 60.0
FOLDS, FOLD = 4, timedelta(days=28)
DEVELOPMENT = (date(2014, 12, 1), date(2015, 3, 1))
TEST = (date(2015, 3, 1), date(2015, 6, 1))
PEERS = {"AutoGluon, 60 s": 0.1707}


def sales() -> tuple[pl.Series, Table]:
    """Days of the sales, rising, and their table."""
    read = pl.read_csv(FILE, null_values=["?", ""], infer_schema_length=None)
    read = read.with_columns(pl.col("date").str.to_date("%m/%d/%Y"), pl.col("zipcode").cast(pl.String))
    read = read.sort("date", "id")
    first = read["date"][0]
    features = read.drop("id", "date", "price").with_columns(day=(read["date"] - first).dt.total_days())
    return read["date"], Table(features, read["price"].cast(pl.Float64))


def between(days: pl.Series, table: Table, first: date | None, until: date) -> Table:
    """Sales of [first, until)."""
    kept = (days < until) & (days >= (first or date.min))
    return Table(table.features.filter(kept), table.label.filter(kept))


def measure(cut: date, until: date) -> dict[str, Any]:
    """Choose before the cut, learn, and answer what follows."""
    days, table = sales()
    cuts = [cut - number * FOLD for number in range(FOLDS, -1, -1)]
    folds = [(between(days, table, None, start), between(days, table, start, end)) for start, end in pairwise(cuts)]
    begun = time.monotonic()
    selection = tuning.select(folds, task="number", metric="rmsle", budget_seconds=BUDGET_SECONDS, threads=2)
    chosen = time.monotonic()
    learn, asked = between(days, table, None, cut), between(days, table, cut, until)
    model = recipes.fit(selection.chosen, learn, threads=2)
    told = model.predict(asked.features)
    base = next(trial for trial in selection.plan.trials if trial.recipe.name == "best_column").recipe
    plain = recipes.fit(base, learn).predict(asked.features)
    trials = {trial.recipe.name: round(trial.score, 4) for trial in selection.plan.trials if not trial.why}
    return {
        "rmsle": metrics.find("rmsle")(asked.label, told),
        "baseline": metrics.find("rmsle")(asked.label, plain),
        "bias": float(np.mean(np.log(told) - np.log(asked.label.to_numpy()))),
        "median_ape": metrics.find("median_ape")(asked.label, told),
        "folds": trials.get(selection.chosen.name, trials.get("blend")),
        "recipe": recipes.plan_of(selection.chosen),
        "trials": trials,
        "ensemble": priced(selection.offer),
        "seconds": [round(chosen - begun, 1), round(time.monotonic() - chosen, 1)],
        "rows": [len(learn), len(asked)],
    }


def priced(offer: tuning.Offer | None) -> str:
    """What the ensemble gains and costs, in a sentence."""
    if offer is None:
        return "there was none to try"
    fit, both = offer.single_seconds, offer.blend_seconds
    return (
        f"{offer.why}; a fold takes {both[0]:.1f} s to fit and {both[1]:.2f} s to answer, "
        f"the best recipe alone {fit[0]:.1f} s and {fit[1]:.2f} s"
    )


def line(name: str, told: dict[str, Any]) -> str:
    """One line of the table."""
    return (
        f"  {name:<26} RMSLE {told['rmsle']:.4f}  (folds {told['folds']:.4f}, best column {told['baseline']:.4f})"
        f"  median error {told['median_ape']:.1%}  mean log error {told['bias']:+.4f}  {told['seconds'][0]:.0f} s"
    )


def opened() -> list[dict[str, Any]]:
    """Openings of the test so far."""
    return json.loads(OPENINGS.read_text()) if OPENINGS.is_file() else []


def main() -> None:
    """Measure and print."""
    print(f"King County, own columns and day, {BUDGET_SECONDS:.0f} s of search")
    if "--open" in sys.argv:
        earlier = opened()
        if len(earlier) >= MOST:
            sys.exit(f"the test was opened {MOST} times: no more")
        told = measure(*TEST)
        code = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True)
        record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "code": code.stdout.strip(), **told}
        OPENINGS.parent.mkdir(exist_ok=True)
        OPENINGS.write_text(json.dumps([*earlier, record], indent=1) + "\n")
    else:
        told = measure(*DEVELOPMENT)
        print(line("development", told))
        print(f"  trials: {told['trials']}")
        print(f"  ensemble: {told['ensemble']}")
        print(f"  chosen: {[r['name'] for r in told['recipe'].get('recipes', [told['recipe']])]}")
    for number, record in enumerate(opened(), 1):
        print(line(f"test, opening {number} ({record['code']})", record))
    for name, value in PEERS.items():
        print(f"  {name:<26} RMSLE {value:.4f}")


if __name__ == "__main__":
    main()
