"""What was answered beside what came of it, period by period: the error over time, as truth arrives."""

import polars as pl

from asof import times
from asof.flows import oracles, preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.releases import Release
from asof.times import Step

POINTS = 90
"""Periods that are told apart at most: days, else weeks, months, years."""
LENGTHS = (Step(1, "d"), Step(1, "w"), Step(1, "mo"), Step(12, "mo"))


def served(workspace: Workspace, prepared: Prepared, release: str) -> pl.DataFrame | None:
    """Answers that ``release`` has given, each once, with their truth as ``label`` (null while not known).

    Left out are those whose outcome it had learnt, since they are no forecasts. None where it has answered nothing.
    """
    kept = workspace.lake.predictions()
    if kept is None:
        return None
    mine = kept.filter(pl.col("release") == release, pl.col("reason").is_null())
    if "learnt" in mine.columns:
        mine = mine.filter(~pl.col("learnt").fill_null(value=False))
    mine = mine.unique(oracles.identity(prepared.panel), keep="first", maintain_order=True)
    return with_truth(prepared, mine) if mine.height else None


def with_truth(prepared: Prepared, answers: pl.DataFrame) -> pl.DataFrame:
    """Return answers with ``label``, null where it is not known yet."""
    if not prepared.panel.rows:
        return preparation.label(prepared, answers)
    rows = preparation.of_rows(prepared)
    there = [name for name in rows.columns if name not in answers.columns or name == "unit"]
    return answers.join(rows.select(there), on="unit", how="inner", maintain_order="left")


def judged(prepared: Prepared, release: Release) -> pl.DataFrame | None:
    """Errors of the answers by which a release was judged, by period; see ``by_period``. None where none were kept."""
    kept = release.judged()
    return None if kept is None else by_period(prepared, kept)


def by_period(prepared: Prepared, answers: pl.DataFrame) -> pl.DataFrame | None:
    """How far off answers were, by local day, or the longer stretch of which there are not too many.

    Args:
        prepared: the project's data, for its zone and its classes.
        answers: n answers with ``label``; perhaps ``baseline``.

    Returns:
        ``start`` (UTC), ``answers`` (with a known truth), ``error``: the mean distance of prediction and truth, or the
        share of wrong classes; ``rule``: the same of the baseline, null where it is not known; ``coverage``: the share
        of truths within their interval, null for classes. None where nothing has a time or a known truth.
    """
    known = answers.filter(pl.col("label").is_not_null())
    if known.is_empty() or "start" not in known.columns or known["start"].null_count():
        return None
    zone = prepared.panel.zone
    begun = _stretches(known["start"], zone)
    return (
        _missed(prepared, known)
        .with_columns(start=begun)
        .group_by("start")
        .agg(
            answers=pl.len(),
            error=pl.col("miss").mean(),
            rule=pl.col("rule").mean(),
            coverage=pl.col("held").cast(pl.Float64).mean(),
        )
        .sort("start")
    )


def _missed(prepared: Prepared, known: pl.DataFrame) -> pl.DataFrame:
    """By answer: ``miss``, ``rule`` and ``held``."""
    nothing = pl.lit(None, dtype=pl.Float64)
    if known.schema["prediction"] == pl.String:
        label = known["label"]
        if label.dtype != pl.String:  # a code, as questions have it
            label = pl.Series(prepared.panel.classes, dtype=pl.String).gather(label.cast(pl.Int64))
        wrong = (known["prediction"] != label).cast(pl.Float64)
        return pl.select(miss=wrong, rule=nothing, held=nothing)
    rule = (pl.col("label") - pl.col("baseline")).abs() if "baseline" in known.columns else nothing
    held = (pl.col("low") <= pl.col("label")) & (pl.col("label") <= pl.col("high"))
    return known.select(miss=(pl.col("label") - pl.col("prediction")).abs(), rule=rule, held=held)


def _stretches(starts: pl.Series, zone: str) -> pl.Series:
    """Start of the stretch of each period, the shortest of which there are at most ``POINTS``."""
    for length in LENGTHS:
        begun = times.floor(starts, length, zone)
        if begun.n_unique() <= POINTS:
            return begun
    return begun
