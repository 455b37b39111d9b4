"""What was answered is kept in the store: questions with their as_of, to be held against the truth once it is known.

Kept are what a question is about (place and period, or the key of a row), its moments, the answer with its interval and
the release. The columns of a row are not: they may tell of people, and once the row itself is in its source, its key
finds them there. A row that was asked about without its key could never be joined with its truth, so it is not kept.
"""

from collections.abc import Sequence
from datetime import datetime

import polars as pl

from asof.data import UTC_TIME
from asof.flows.workspace import Workspace

MOST = 100_000
"""Answers of one command that are kept; of more, so many are drawn."""
RUN, PREDICT, SERVER = "run", "predict", "server"
"""Doors through which answers are given."""


def write(workspace: Workspace, answers: pl.DataFrame, unit: Sequence[str], door: str) -> int:
    """Keep answers that the store does not hold yet; returns how many.

    Asked again, such as by a run after a crash or one that found nothing new, the store holds each answer once.

    Args:
        workspace: the project.
        answers: n answers as ``predicting`` makes them.
        unit: columns that say what a question is about; with the release they tell answers apart.
        door: through which they were given.
    """
    told = shape(answers, workspace.clock(), door)
    if told.height > MOST:
        told = told.sample(MOST, seed=workspace.spec.train.seed)
    kept = workspace.lake.predictions() if told.height else None
    key = ["release", *(name for name in unit if name != "end")]
    if kept is not None and set(key) <= set(kept.columns):  # else the page asks in another way than it did
        told = told.join(kept, on=key, how="anti", maintain_order="left", nulls_equal=True)
    if told.height:
        workspace.lake.write_predictions(told)
    return told.height


def shape(answers: pl.DataFrame, moment: datetime, door: str) -> pl.DataFrame:
    """Answers in the form in which they are kept: those that are none, and rows without a key, are left out."""
    told = answers.filter(pl.col("reason").is_null())
    if "unit" in told.columns:
        told = told.filter(pl.col("unit").is_not_null() & (pl.col("unit") != ""))
    return told.with_columns(pl.lit(moment).cast(UTC_TIME).alias("moment"), pl.lit(door).alias("door"))
