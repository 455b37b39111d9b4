"""What was served, asked again: the same questions at earlier times, for ``watch`` to hold it against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from asof import monitoring, times
from asof.data import UTC_TIME
from asof.flows import preparation, reasoning
from asof.flows.oracles import Oracle
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.monitoring import Look, Stretches
from asof.times import Step

Ints = NDArray[np.int64]
MOST = 2_000
"""Questions of one stretch that are looked at."""
MOST_STRETCHES = 156
"""Earlier stretches, a week apart: three years."""
LEARNT = 4
"""A stretch is held against so many."""
SCALES = (1, 7, 28)
"""Days, the latest that were served, that are looked at: the longest is held against what was learnt from last, the
others against what came just before them, which tells a sudden change from a season."""
WEEK = timedelta(days=7)


@dataclass(frozen=True)
class Scale:
    """Questions of some days, and the same questions at earlier times."""

    days: int
    """0 where questions have no time."""
    rows: Ints
    """m positions in what was laid; a question may be in several stretches."""
    stretches: Stretches
    looks: tuple[Look, ...]
    length: int
    """Steps below which two looks overlap."""


@dataclass(frozen=True)
class Laid:
    """Questions with what was known of them, and how they are looked at."""

    questions: pl.DataFrame
    features: pl.DataFrame
    told: np.ndarray
    """n predictions, or n x c chances of the classes that are looked at."""
    before: Ints
    """n, the question that came before it, of the same place and horizon; -1: none."""
    scales: tuple[Scale, ...]
    """Longest first."""


def lay(workspace: Workspace, prepared: Prepared, oracle: Oracle, answered: pl.DataFrame) -> Laid:
    """Ask what was served again, further and further back."""
    way = _timeless if not prepared.panel.timed else _windows if prepared.panel.rows else _shifted
    asked, scales = way(workspace, prepared, oracle, answered)
    features = preparation.read(prepared, asked, workspace.spec.leave_out)
    told = reasoning.Told(oracle).predict(features.select(list(oracle.model.columns)))
    return Laid(asked, features, told, before(asked), scales)


Laying = tuple[pl.DataFrame, tuple[Scale, ...]]


def before(questions: pl.DataFrame) -> Ints:
    """Position of the question that came before each of n: a period earlier, or of rows the row asked about before."""
    found = np.full(questions.height, -1, dtype=np.int64)
    if "as_of" not in questions.columns or questions["as_of"].null_count():
        found[1:] = np.arange(questions.height - 1)
        return found
    of_rows = "unit" in questions.columns
    by = ["as_of", "unit"] if of_rows else ["place", "horizon", "start"]
    ordered = questions.select(by).with_row_index("_at").sort(by)
    if not of_rows:
        ordered = ordered.with_columns(pl.col("start").diff().over("place", "horizon").alias("_apart"))
    at = ordered["_at"].to_numpy().astype(np.int64)
    if of_rows:
        found[at[1:]] = at[:-1]
        return found
    apart = ordered["_apart"]
    next_to = (apart == apart.median()).fill_null(value=False).to_numpy()
    found[at[1:]] = np.where(next_to[1:], at[:-1], -1)
    return found


def _cut(oracle: Oracle) -> datetime:
    return datetime.fromisoformat(oracle.release.facts["cut"])


def _shifted(workspace: Workspace, prepared: Prepared, oracle: Oracle, answered: pl.DataFrame) -> Laying:
    """The same places, days of the week and horizons, a week (or a longer period) earlier each time."""
    panel, cut = prepared.panel, _cut(oracle)
    step = panel.every if panel.every.nominal >= WEEK else Step(7, "d")
    delay = Step.of(prepared.counted.delay)
    first = preparation.learn_from(workspace, prepared)
    served = _fewer(answered.select("place", "start", "horizon"), workspace.spec.train.seed)
    latest = most(served, "start")
    laid: list[tuple[int, int, list[pl.DataFrame]]] = []
    for days in sorted(SCALES, reverse=True):
        pattern = served.filter(pl.col("start") > latest - timedelta(days=days))
        parts, gap = [_asked(prepared, pattern, step, 0)], 0 if days == max(SCALES) else 1
        for back in range(1, MOST_STRETCHES + 1):
            part = _asked(prepared, pattern, step, back)
            if least(part, "start") < first:
                break
            known = times.shift(pl.Series([part["end"].max()], dtype=UTC_TIME), delay, panel.zone)[0]
            gap = back if not gap and known <= cut else gap
            parts.append(part)
        if not any((gap, parts[0].height) == (other, known[0].height) for _, other, known in laid):
            laid.append((days, gap, parts))
    whole = pl.concat([part for _, _, parts in laid for part in parts])
    whole = whole.unique(["place", "start", "horizon"], maintain_order=True)
    at = whole.select("place", "start", "horizon").with_row_index("_at")
    scales = []
    for days, gap, parts in laid:
        rows = pl.concat(parts).join(at, on=["place", "start", "horizon"], how="left", maintain_order="left")["_at"]
        looks = monitoring.looks(len(parts), gap, LEARNT) if gap else ()
        span = most(parts[0], "start") - least(parts[0], "start") + panel.every.nominal
        length = max(int(np.ceil(span / step.nominal)), 1)
        scales.append(_scale((days, length), parts, looks, rows.to_numpy(), panel.zone))
    return preparation.label(prepared, whole), tuple(scales)


def _scale(
    told: tuple[int, int], parts: Sequence[pl.DataFrame], looks: tuple[Look, ...], rows: Ints, zone: str | None
) -> Scale:
    """Lay out a scale of some days, of which so many steps overlap; without a zone questions have no days."""
    number = np.repeat(np.arange(len(parts)), [part.height for part in parts]).astype(np.int64)
    days, length = told
    local = [] if zone is None else [part["start"].dt.convert_time_zone(zone).dt.date() for part in parts]
    day = pl.concat(local).to_physical().fill_null(-1).to_numpy().astype(np.int64) if local else None
    return Scale(days, rows.astype(np.int64), Stretches(number, len(parts), length, day), looks, length)


def _fewer(served: pl.DataFrame, seed: int) -> pl.DataFrame:
    """At most about ``MOST`` questions, all of those places and horizons that are drawn."""
    pairs = served.select("place", "horizon").unique(maintain_order=True)
    count = max(1, pairs.height * MOST // max(served.height, 1))
    if count >= pairs.height:
        return served
    return served.join(pairs.sample(count, seed=seed), on=["place", "horizon"], how="semi", maintain_order="left")


def least(questions: pl.DataFrame, column: str) -> datetime:
    """Return the first of a column of moments."""
    found = questions[column].min()
    assert isinstance(found, datetime)  # noqa: S101 - a column of moments
    return found


def most(questions: pl.DataFrame, column: str) -> datetime:
    """Return the last of a column of moments."""
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
    """The rows that were asked about, and all rows in windows of equal length, a week earlier each time."""
    cut = _cut(oracle)
    rows = preparation.of_rows(prepared).with_row_index("_at")
    served = rows.filter(pl.col("unit").is_in(answered["unit"].implode()))
    latest, earliest = most(served, "as_of"), least(rows, "as_of")
    found = []
    for days in sorted(SCALES, reverse=True):
        length = timedelta(days=days)
        parts = [served.filter(pl.col("as_of") > latest - length)]
        for back in range(1, MOST_STRETCHES + 1):
            end = latest - back * WEEK
            if end - length < earliest:
                break
            inside = (pl.col("as_of") > end - length) & (pl.col("as_of") <= end)
            parts.append(rows.filter(inside & ~pl.col("unit").is_in(served["unit"].implode())))
        seed = workspace.spec.train.seed
        parts = [part.sample(min(part.height, MOST), seed=seed, shuffle=False).sort("_at") for part in parts]
        steps = -(-days // 7)
        gap = max(steps, int(np.ceil((latest - cut) / WEEK))) if days == max(SCALES) else steps
        looks = monitoring.looks(len(parts), gap, LEARNT)
        found.append(_scale((days, steps), parts, looks, pl.concat(parts)["_at"].to_numpy(), prepared.panel.zone))
    return rows.drop("_at"), tuple(found)


def _timeless(workspace: Workspace, prepared: Prepared, oracle: Oracle, answered: pl.DataFrame) -> Laying:
    """Rows that were learnt from, drawn into parts as large as what was served."""
    del oracle
    rows = preparation.of_rows(prepared).with_row_index("_at")
    mine = pl.col("unit").is_in(answered["unit"].implode())
    learnt = rows.filter(~mine, pl.col("label").is_not_null())
    learnt = learnt.sample(learnt.height, shuffle=True, seed=workspace.spec.train.seed)
    size = max(1, min(answered.height, learnt.height // (4 * LEARNT)))
    parts = [rows.filter(mine), *(learnt[at : at + size] for at in range(0, learnt.height - size + 1, size))]
    parts = parts[: MOST_STRETCHES + 1]
    looks = monitoring.looks(len(parts), 1, LEARNT)
    return rows.drop("_at"), (_scale((0, 1), parts, looks, pl.concat(parts)["_at"].to_numpy(), None),)
