"""What was served, asked again: the same questions at earlier times, for ``watch`` to hold it against."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from asof import monitoring, times
from asof.data import UTC_TIME
from asof.flows import preparation, reasoning
from asof.flows.predicting import Oracle
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.monitoring import Look, Stretches
from asof.times import Step

MOST = 2_000
"""Questions of one stretch that are looked at."""
MOST_STRETCHES = 156
"""Earlier stretches, a week apart: three years."""
LEARNT = 4
"""A stretch is held against so many that were learnt from last."""


@dataclass(frozen=True)
class Laid:
    """Questions in stretches, with what was known of them."""

    questions: pl.DataFrame
    features: pl.DataFrame
    told: np.ndarray
    """n predictions, or n x c chances of the classes that are looked at."""
    stretches: Stretches
    looks: tuple[Look, ...]
    length: int
    """Steps below which two looks overlap."""


def lay(workspace: Workspace, prepared: Prepared, oracle: Oracle, answered: pl.DataFrame) -> Laid:
    """Ask what was served again, further and further back."""
    seed = workspace.spec.train.seed
    way = _timeless if not prepared.panel.timed else _windows if prepared.panel.rows else _shifted
    parts, looks, length = way(workspace, prepared, oracle, answered.sample(min(answered.height, MOST), seed=seed))
    asked = pl.concat(parts, how="diagonal_relaxed")
    number = np.repeat(np.arange(len(parts)), [part.height for part in parts]).astype(np.int64)
    features = preparation.read(prepared, asked, workspace.spec.leave_out)
    told = reasoning.Told(oracle).predict(features.select(list(oracle.model.columns)))
    return Laid(asked, features, told, Stretches(number, len(parts)), looks, length)


Laying = tuple[list[pl.DataFrame], tuple[Look, ...], int]


def _cut(oracle: Oracle) -> datetime:
    return datetime.fromisoformat(oracle.release.facts["cut"])


def _shifted(workspace: Workspace, prepared: Prepared, oracle: Oracle, answered: pl.DataFrame) -> Laying:
    """The same places, days of the week and horizons, a week earlier each time."""
    panel, cut = prepared.panel, _cut(oracle)
    first = preparation.learn_from(workspace, prepared)
    step = panel.every if panel.every.nominal >= timedelta(days=7) else Step(7, "d")
    pattern = answered.select("place", "start", "horizon")
    parts = [_asked(prepared, pattern, step, 0)]
    gap = 0
    delay = Step.of(prepared.counted.delay)
    for back in range(1, MOST_STRETCHES + 1):
        part = _asked(prepared, pattern, step, back)
        if _least(part, "start") < first:
            break
        known = times.shift(pl.Series([part["end"].max()], dtype=UTC_TIME), delay, panel.zone)[0]
        gap = back if not gap and known <= cut else gap
        parts.append(part)
    parts = [preparation.label(prepared, part) for part in parts]
    span = _most(parts[0], "start") - _least(parts[0], "start")
    length = max(int(np.ceil((span + panel.every.nominal) / step.nominal)), 1)
    return parts, monitoring.looks(len(parts), gap, LEARNT) if gap else (), length


def _least(questions: pl.DataFrame, column: str) -> datetime:
    found = questions[column].min()
    assert isinstance(found, datetime)  # noqa: S101 - a column of moments
    return found


def _most(questions: pl.DataFrame, column: str) -> datetime:
    found = questions[column].max()
    assert isinstance(found, datetime)  # noqa: S101 - a column of moments
    return found


def _asked(prepared: Prepared, pattern: pl.DataFrame, step: Step, back: int) -> pl.DataFrame:
    """Questions of ``pattern``, ``back`` steps earlier."""
    panel = prepared.panel
    begun = times.floor(times.shift(pattern["start"], step, panel.zone, -back), panel.every, panel.zone)
    asked = pattern.with_columns(begun.alias("start"), times.end(begun, panel.every, panel.zone).alias("end"))
    each = [
        asked.filter(pl.col("horizon") == str(horizon)).with_columns(
            as_of=times.shift(asked.filter(pl.col("horizon") == str(horizon))["start"], horizon, panel.zone, -1)
        )
        for horizon in panel.horizons
    ]
    return pl.concat(each).select("place", "start", "end", "as_of", "horizon")


def _windows(workspace: Workspace, prepared: Prepared, oracle: Oracle, answered: pl.DataFrame) -> Laying:
    """Rows in windows of equal length, that of the rows served first."""
    del workspace
    cut = _cut(oracle)
    rows = preparation.of_rows(prepared)
    served = rows.filter(pl.col("unit").is_in(answered["unit"].implode()))
    begun = _least(served, "as_of")
    length = max(_most(served, "as_of") - begun, timedelta(days=7))
    learnt = rows.filter(pl.col("known_at") <= cut, pl.col("as_of") < begun)
    back = ((begun - pl.col("as_of")) / length).floor().cast(pl.Int64)
    parts = [served]
    for _, part in learnt.with_columns(back.alias("_back")).sort("_back").group_by("_back", maintain_order=True):
        parts.append(part.drop("_back").sample(min(part.height, MOST), seed=0))
    parts = parts[: MOST_STRETCHES + 1]
    return parts, monitoring.looks(len(parts), 1, LEARNT), 1


def _timeless(workspace: Workspace, prepared: Prepared, oracle: Oracle, answered: pl.DataFrame) -> Laying:
    """Rows that were learnt from, drawn into parts as large as what was served."""
    del oracle
    rows = preparation.of_rows(prepared)
    mine = pl.col("unit").is_in(answered["unit"].implode())
    learnt = rows.filter(~mine, pl.col("label").is_not_null())
    learnt = learnt.sample(learnt.height, shuffle=True, seed=workspace.spec.train.seed)
    size = max(1, min(answered.height, learnt.height // (4 * LEARNT)))
    parts = [rows.filter(mine), *(learnt[at : at + size] for at in range(0, learnt.height - size + 1, size))]
    parts = parts[: MOST_STRETCHES + 1]
    return parts, monitoring.looks(len(parts), 1, LEARNT), 1
