"""Busyness of cells, cells held out: pings as others counted them, orders as they are; and real days in Helsinki.

    python bench/busyness.py

Regina, one day, 31 cells of H3 resolution 7 in four whole hours. Five folds of whole cells (`judge: {by: place}`):
every choice, tuning and fit without the cells that are tested, none of whose pings is read. Others counted pings of a
cell and hour over the whole file, as a label repeated on each ping: their R2 is one over pings, so ours is given
weighted by pings as well. Cells without a ping in an hour are zeros here; theirs had no such rows. Helsinki, two
months: the last 14 days, a day and an hour ahead. Each figure stands beside the best simple rule in the same folds,
and the R2 that counting noise leaves possible, were counts Poisson: orders nearly are, pings come in series.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

import asof
from asof import evaluation, metrics
from asof.flows import intake, nesting, preparation, running

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "busyness"
SHARED = ROOT.parent / "shared" / "data"
OTHERS = {"R2": 0.542, "RMSE": 153}
PINGS = ("predict.distinct=null", "predict.count=pings")
KNOWN = ("leave_out=null",)
"""The restaurants of a held-out cell are known, though by nothing but its own orders."""


def held_out(*changes: str) -> pl.DataFrame:
    """Answers to every cell and hour of Regina, by models that have met neither the cell nor its pings."""
    with tempfile.TemporaryDirectory() as store:
        usual = (f"store={store}", "train.threads=1", "judge.repeats=1")
        project = asof.open_project(str(EXAMPLE / "regina.yaml"), overrides=(*usual, *changes))
        intake.take_in(project)
        prepared = preparation.prepare(project, intake.open_tables(project))
        bench = running.lay_out(project, prepared)
        answers = nesting.nested(project, bench)
        pings = prepared.counted.rows.select(place="_place", start=pl.col("_event").dt.truncate("1h"))
        weights = pings.group_by("place", "start").len("pings")
        return answers.join(weights, on=["place", "start"], how="left", maintain_order="left").with_columns(
            pl.col("pings").fill_null(0)
        )


def line(name: str, answers: pl.DataFrame, weight: str | None = None) -> str:
    """R2 and RMSE of the model, of the best simple rule, and what counting noise leaves possible."""
    label, told, rule = (answers[column].to_numpy() for column in ("label", "prediction", "baseline"))
    weights = None if weight is None else answers[weight].to_numpy().astype(np.float64)
    figures = [metrics.find(name)(label, made, weights) for made in (told, rule) for name in ("r2", "rmse")]
    most = evaluation.ceiling(label, told).r2_ceiling if weight is None else float("nan")
    shown = [f"{figure:9.3f}" if number % 2 == 0 else f"{figure:9.1f}" for number, figure in enumerate(figures)]
    return f"{name:<46}" + "".join(shown) + (f"{most:9.3f}" if np.isfinite(most) else f"{'-':>9}")


def regina() -> None:
    """Print what is reached in cells held out."""
    print(f"{'Regina, cells held out, 5 folds':<46}{'R2':>9}{'RMSE':>9}{'rule R2':>9}{'RMSE':>9}{'most R2':>9}")
    print(f"{'others: pings, each ping a row (as told)':<46}{OTHERS['R2']:9.3f}{OTHERS['RMSE']:9.1f}")
    known = held_out(*PINGS, *KNOWN)
    print(line("pings by ping, restaurants of the cell known", known, "pings"), flush=True)
    pings = held_out(*PINGS)
    print(line("pings by ping, not known", pings, "pings"))
    print(line("pings a cell and hour, not known", pings), flush=True)
    print(line("orders, restaurants of the cell known", held_out(*KNOWN)), flush=True)
    print(line("orders, not known (the page, its gate)", held_out()), flush=True)
    print(line("orders, not known, other folds", held_out("train.seed=21")), flush=True)


def helsinki() -> None:
    """Print what is reached on the last days of Helsinki, a day and an hour ahead."""
    head = f"{'R2':>8}{'RMSE':>8}{'skill':>8}{'interval':>18}{'explained':>11}  chosen, rule"
    print(f"\n{'Helsinki, the last 14 days':<30}{head}")
    for horizon in ("1d", "1h"):
        with tempfile.TemporaryDirectory() as store:
            overrides = (f"store={store}", "train.threads=2", f"predict.horizon={horizon}")
            result = asof.run(asof.open_project(str(EXAMPLE / "wolt.yaml"), overrides=overrides))
        scores, skill = result["holdout"], result["skill"]
        span = f"{skill['low']:.1%} .. {skill['high']:.1%}"
        figures = f"{scores['r2']['value']:8.3f}{scores['rmse']['value']:8.4f}{skill['value']:8.1%}{span:>18}"
        names = f"{result['recipe']}, {result['baseline']['name']}"
        print(f"{horizon + ' ahead':<30}{figures}{result['explained']['value']:11.1%}  {names}", flush=True)


if __name__ == "__main__":
    if not SHARED.is_dir():
        sys.exit(f"no data at {SHARED}: these two files may not be passed on")
    regina()
    helsinki()
