"""Classes: what was decided and what came, how well they are ranked, and what another threshold would mean."""

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from asof.pages import charts, words
from asof.pages.facts import ReportFacts

MOST = 10
"""More classes than this are told by their commonest mix-ups, not by a square."""
MIXED = 8
_SHADES = (0.02, 0.2, 0.5, 0.8)


def decisions(facts: ReportFacts) -> Mapping[str, Any] | None:
    """Everything that is said about decisions, or none where there are none."""
    table, roc = facts.shown("confusion"), facts.shown("roc")
    thresholds = facts.shown("thresholds")
    if table is None and roc is None and thresholds is None:
        return None
    names = list(facts.classes) if table is None or facts.classes else table["truth"].unique().sort().to_list()
    square = table is not None and len(names) <= MOST
    return {
        "names": names,
        "square": _square(table, names) if table is not None and square else [],
        "mixed": [] if table is None or square else _mixed(table),
        "roc": "" if roc is None else charts.roc(roc),
        "auc": _auc(facts),
        "thresholds": _thresholds(thresholds, facts.threshold),
        "positive": names[1] if len(names) == 2 else "",
    }


def _square(table: pl.DataFrame, names: list[str]) -> list[Mapping[str, Any]]:
    found = {(row["truth"], row["decided"]): row["rows"] for row in table.to_dicts()}
    lines: list[Mapping[str, Any]] = []
    for truth in names:
        total = sum(found.get((truth, decided), 0) for decided in names)
        cells = []
        for decided in names:
            rows = found.get((truth, decided), 0)
            share = rows / total if total else 0.0
            shade = sum(share >= edge for edge in _SHADES)
            right = truth == decided
            kind = f"{'hit' if right else 'mix'}{shade}"
            cells.append({"rows": f"{rows:,}", "share": words.percent(share, 0), "kind": kind, "right": right})
        lines.append({"truth": truth, "cells": cells, "rows": f"{total:,}"})
    return lines


def _mixed(table: pl.DataFrame) -> list[Mapping[str, Any]]:
    totals = table.group_by("truth").agg(total=pl.col("rows").sum())
    wrong = table.filter(pl.col("truth") != pl.col("decided")).join(totals, on="truth")
    top = wrong.sort("rows", "truth", "decided", descending=[True, False, False]).head(MIXED).to_dicts()
    return [{**row, "share": words.percent(row["rows"] / row["total"], 0)} for row in top]


def _auc(facts: ReportFacts) -> str:
    scores = facts.shown("scores")
    if scores is None:
        return ""
    found = scores.filter(pl.col("metric") == "auc")["value"].to_list()
    return words.number(found[0]) if found and found[0] is not None else ""


def _thresholds(table: pl.DataFrame | None, chosen: float | None) -> list[Mapping[str, Any]]:
    if table is None:
        return []
    return [
        {
            "threshold": words.percent(row["threshold"], 0),
            "flagged": words.percent(row["flagged"]),
            "precision": words.percent(row["precision"], 0),
            "recall": words.percent(row["recall"], 0),
            "chosen": chosen is not None and math.isclose(row["threshold"], chosen, abs_tol=1e-9),
        }
        for row in table.sort("threshold").to_dicts()
    ]
