"""Reasons: what the model goes by, and why it said what it said."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from asof.pages import charts, words
from asof.pages.drawing import scale, tag
from asof.pages.facts import ReportFacts

SHOWN = 12
_WIDTH, _HEIGHT = 160.0, 20.0


def importance(facts: ReportFacts) -> list[Mapping[str, Any]]:
    """Features, what moves predictions most first: name, members, bar, share and size."""
    frame = facts.shown("importance")
    if frame is None:
        return []
    known = frame.with_columns(pl.col("importance").cast(pl.Float64).fill_null(0.0).fill_nan(0.0))
    total = float(known["importance"].sum()) or 1.0
    top = known.sort("importance", descending=True, maintain_order=True).head(SHOWN)
    largest = max(*top["importance"].to_list(), 1e-12)
    return [
        {
            "feature": row["feature"],
            "members": row.get("members") or "",
            "bar": charts.bar(row["importance"] / largest),
            "share": words.percent(row["importance"] / total, 0),
            "size": moved(row["importance"], facts.task),
        }
        for row in top.to_dicts()
    ]


def examples(facts: ReportFacts) -> list[Mapping[str, Any]]:
    """Explained predictions: what was predicted, what came, and the reasons with bars on one scale each."""
    told, reasons = facts.shown("examples"), facts.shown("reasons")
    if told is None or reasons is None:
        return []
    made: list[Mapping[str, Any]] = []
    for row in told.to_dicts():
        own = reasons.filter(pl.col("example") == row["example"]).to_dicts()
        far = max((abs(each["reason"]) for each in own), default=0.0) or 1.0
        lines = [
            {
                "feature": each["feature"],
                "value": each["value"] or "",
                "bar": _signed_bar(each["reason"] / far),
                "said": words.signed(each["reason"], lambda value: moved(value, facts.task)),
            }
            for each in own
            if each["reason"] != 0.0  # it says nothing
        ]
        made.append(
            {
                **row,
                "lines": lines,
                "base": amount(row["base"], facts.task),
                "prediction": amount(row["prediction"], facts.task),
            }
        )
    return made


def amount(value: float | None, task: str) -> str:
    """Write a number in the unit of the prediction: a probability as a percentage."""
    return words.percent(value) if task == "class" else words.brief(value)


def moved(value: float | None, task: str) -> str:
    """Write a difference of predictions: of probabilities in percentage points."""
    return words.points(value) if task == "class" else words.brief(value)


def _signed_bar(share: float) -> str:
    """Draw a bar of -1..1 to either side of a line."""
    across = scale(-1, 1, 2, _WIDTH - 2)
    start, end = sorted((across(0), across(share)))
    kind = "more" if share > 0 else "less"
    middle = tag("line", x1=across(0), x2=across(0), y1=1, y2=_HEIGHT - 1, class_="axis")
    drawn = tag("rect", x=start, y=5, width=end - start, height=10, rx=2, class_=kind)
    view = f"0 0 {_WIDTH:.0f} {_HEIGHT:.0f}"
    return tag("svg", drawn + middle, viewBox=view, preserveAspectRatio="none", class_="strip", aria_hidden="true")
