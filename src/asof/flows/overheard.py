"""Parity through HTTP: a real server is asked one question after the other, and answers as the batch does."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from asof.audit import Outcome, Verdict, base
from asof.data import Finding, Severity
from asof.flows import oracles, predicting
from asof.flows.oracles import CHANCE
from asof.flows.preparation import Prepared
from asof.flows.serving import Desk, stand
from asof.flows.workspace import Workspace

CLOSE = 1e-12
"""Predictions may differ by so much, relative to their size: a batch sums in another order than one row."""


def check(workspace: Workspace, prepared: Prepared, which: str, questions: pl.DataFrame, *, seed: int) -> Verdict:
    """Ask a server that answers with the release ``which``; it must say what ``predict`` says.

    Args:
        workspace: its ``listen`` opens a server; where it has none, nothing is asked, and the coverage says so.
        prepared: the data as they are.
        which: the release, as ``predict --release`` takes it.
        questions: those that may be asked, as a run knows them; a few of the next ones are asked as well.
        seed: of the order of the questions.
    """
    if workspace.listen is None:
        return Verdict("parity", Outcome.NOT_APPLICABLE, "nothing asked over HTTP: the extra serve is not installed")
    standing = stand(workspace, oracles.open_release(workspace, which), prepared, {})
    if standing.ready is not None:
        coming = predicting.next_questions(prepared, standing.oracle.places)
        few = base.sample(coming, max(questions.height // 2, 1), np.random.default_rng(seed))
        questions = pl.concat([questions.select(few.columns), few])
    told = predicting.answer_all(workspace, prepared, standing.oracle, questions)
    found: list[Finding] = []
    with workspace.listen(Desk.of(workspace, standing)) as ask:
        for asked, expected in zip(_written(prepared, questions), told.iter_rows(named=True), strict=True):
            for _ in range(2):  # the second answer may come out of what the first has left
                wrong = _differing(ask(asked), expected)
                found += [_finding(name, asked) for name in wrong]
    coverage = f"{questions.height:,} questions asked twice over HTTP"
    return base.settle("parity", coverage, found)


def _written(prepared: Prepared, questions: pl.DataFrame) -> list[dict[str, Any]]:
    """Questions as a user writes them: place, start and horizon, or the columns of the row without its label."""
    panel = prepared.panel
    if not panel.rows:
        told = questions.select(
            *([] if panel.places.kind == "all" else ["place"]),
            pl.col("start").dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "horizon",
        )
        return told.to_dicts()
    rows = prepared.counted.rows
    kept = [name for name in rows.columns if name != panel.column and not name.startswith("_")]
    joined = questions.select(_key="unit").join(rows, on="_key", how="left", maintain_order="left")
    return joined.select(pl.col(kept).cast(pl.String)).to_dicts()


def _differing(answer: Mapping[str, Any], expected: Mapping[str, Any]) -> list[str]:
    """Names of what a server says otherwise."""
    chances = answer.get("chances") or {}
    flat = {**answer, **{f"{CHANCE}{name}": value for name, value in chances.items()}}
    told = [name for name in expected if name not in {"start", "end", "as_of", "horizon"}]
    return [name for name in told if not _equal(flat.get(name), expected[name])]


def _equal(answer: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(answer, (int, float)):
        return math.isclose(answer, expected, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(answer == expected)


def _finding(name: str, asked: Mapping[str, Any]) -> Finding:
    few = ", ".join(f"{column} {value}" for column, value in list(asked.items())[:4])
    message = f"{name} differs between a batch and the server, asked about {few}"
    return Finding("parity", Severity.ERROR, name, message, rows=1)
