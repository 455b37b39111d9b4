"""The leaderboard: who came second, and by how much."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from asof.pages import charts, words
from asof.pages.drawing import spread
from asof.pages.facts import ReportFacts

SHORT = 0.01
"""Shorter times, in seconds, are not told apart."""


def leaderboard(facts: ReportFacts) -> list[Mapping[str, Any]]:
    """Candidates, the best first, each with its folds drawn and how far it is behind the chosen one."""
    board = facts.shown("leaderboard")
    if board is None:
        return []
    seconds = pl.col("seconds").sum() if "seconds" in board.columns else pl.lit(None, pl.Float64)
    means = board.group_by("candidate", "kind", maintain_order=True).agg(
        pl.col("value").mean().alias("mean"), pl.col("value").alias("folds"), seconds.alias("seconds")
    )
    means = means.sort("mean", descending=facts.greater_is_better, nulls_last=True, maintain_order=True)
    better = means.head(max(3, -(-means.height // 2)))
    bounds = spread(better["folds"].explode().drop_nulls().to_list())  # a hopeless one must not squeeze the others
    rows = means.to_dicts()
    first: list[float | None] = next((row["folds"] for row in rows if row["candidate"] == facts.chosen), [])
    return [
        {
            **row,
            "chosen": row["candidate"] == facts.chosen,
            "strip": _strip(row, bounds, facts.chosen),
            "behind": "" if row["candidate"] == facts.chosen else behind(row["folds"], first),
        }
        for row in rows
    ]


def behind(folds: Sequence[float | None], chosen: Sequence[float | None]) -> str:
    """Write the mean difference to the chosen one, fold by fold, with its 95 % interval (paired t); empty if unknown.

    With few folds the interval is wide; where it holds 0, the folds do not tell the two apart.
    """
    from scipy.special import stdtrit

    pairs = [(a, b) for a, b in zip(folds, chosen, strict=False) if a is not None and b is not None]
    moved = [a - b for a, b in pairs if math.isfinite(a) and math.isfinite(b)]
    if len(folds) != len(chosen) or len(moved) < 2:
        return ""
    count, mean = len(moved), sum(moved) / len(moved)
    spread_of = math.sqrt(sum((each - mean) ** 2 for each in moved) / (count - 1) / count)
    half = float(stdtrit(count - 1, 0.975)) * spread_of
    said = f"{words.signed(mean)} ({words.signed(mean - half)} to {words.signed(mean + half)})"
    return f"{said}: not told apart" if mean - half <= 0 <= mean + half else said


def gain(offer: Mapping[str, Any] | None) -> str:
    """Say what a blend gains over the best single recipe, and what it takes; empty where nothing was blended."""
    if offer is None:
        return ""
    if offer["members"] == 1:
        return "A blend was tried and not chosen: nothing that is mixed in makes the best single recipe better."
    single, both = (sum(offer[name]) for name in ("single_seconds", "blend_seconds"))
    scores = (
        f"A blend of {offer['members']} recipes scores {words.number(offer['blend'])}, the best single one "
        f"{words.number(offer['single'])}"
    )
    took = f"A fold takes {seconds(both)} s in place of {seconds(single)} s"
    if offer["pays"]:
        return f"{scores}: it gains {words.brief(offer['gain'])}. {took}."
    if offer["gain"] <= 0:
        score = words.number(offer["blend"])
        return f"A blend was tried and not chosen: it scores {score}, no better than the best single recipe."
    more = f"it would gain {words.brief(offer['gain'])}, and at least {words.brief(offer['limit'])} is asked"
    return f"{scores}: {more}, so it was not chosen. {took}."


def seconds(value: float | None) -> str:
    """Write a time in seconds, to the hundredth."""
    if value is None:
        return ""
    return f"{value:,.2f}" if value >= SHORT else f"< {SHORT}"


def _strip(row: Mapping[str, Any], bounds: tuple[float, float], chosen: str) -> str:
    values = [value for value in row["folds"] if value is not None]
    return charts.strip(values, bounds, chosen=row["candidate"] == chosen)
