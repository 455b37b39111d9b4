"""The answer to one question with its reasons, and what is said of it in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from asof.flows.oracles import CHANCE
from asof.pages import words
from asof.ui.sights import Sight

FEW = 8
"""So many reasons are shown; smaller ones are added up."""


@dataclass(frozen=True)
class Reply:
    """An answer with its reasons."""

    answer: Mapping[str, Any]
    base: float | None
    """The usual prediction, which the reasons add to or take off."""
    reasons: tuple[Mapping[str, Any], ...]
    """``feature`` and ``reason`` in the unit of the prediction, the largest first."""
    refused: str = ""
    """Why there is no answer."""

    @property
    def chances(self) -> dict[str, float]:
        """Probability of each class; empty where numbers are predicted."""
        told = {name.removeprefix(CHANCE): value for name, value in self.answer.items() if name.startswith(CHANCE)}
        return {name: value for name, value in told.items() if value is not None}


def ask(sight: Sight, rows: pl.DataFrame, label: str | None = None) -> Reply:
    """Ask the desk about one row of text; ``label`` is the class whose probability is explained.

    Raises:
        DataError: a row that is no question.
    """
    answers, reasons = sight.desk.explain(rows, label, "the form")
    answer, told = answers.row(0, named=True), reasons[0]
    if answer["reason"] is not None:
        return Reply(answer, None, (), str(answer["reason"]))
    return Reply(answer, told["base"], fewest(told["reasons"]))


def fewest(reasons: list[dict[str, Any]]) -> tuple[Mapping[str, Any], ...]:
    """Return the strongest reasons, and the sum of the others as one."""
    if len(reasons) <= FEW + 1:
        return tuple(reasons)
    rest = reasons[FEW:]
    return (*reasons[:FEW], {"feature": f"{len(rest)} others", "reason": sum(one["reason"] for one in rest)})


def noun(sight: Sight) -> str:
    """What is predicted, in a word or two: ``crashes``, ``price``."""
    panel = sight.standing.prepared.panel
    if panel.rows or panel.measure in {"sum", "mean", "max"}:
        return f"{panel.measure} of {panel.column}" if not panel.rows else str(panel.column)
    return f"different {panel.column}" if panel.measure == "distinct" else panel.source


def busiest(sight: Sight, ids: Sequence[str]) -> str:
    """Return the place with the highest next prediction, to begin with; the first where there is none."""
    ready = sight.standing.ready
    if ready is None or "prediction" not in ready.columns:
        return ids[0]
    known = ready.filter(pl.col("place").is_in(list(ids)) & pl.col("prediction").is_not_null())
    return ids[0] if known.is_empty() else str(known.sort("prediction", "place", descending=[True, False])["place"][0])


def tiles(sight: Sight, reply: Reply) -> list[tuple[str, str, str]]:
    """Figures of an answer: name, figure, and what it means."""
    answer, zone = reply.answer, sight.standing.prepared.panel.zone
    told = noun(sight)
    if reply.chances:
        first = (told, str(answer["prediction"]), f"probability {words.percent(answer['probability'])}")
    else:
        kept = f"{between(answer['low'], answer['high'])}, made to hold 90 %"
        first = (told, words.brief(answer["prediction"]), kept)
    beyond = ("yes", "trust it less") if answer["outside"] else ("no", "the training saw the like")
    lines = [first, ("Outside what was seen", *beyond)]
    if answer.get("as_of") is not None:
        lines.append(("As of", words.day(answer["as_of"], zone), "nothing later is used"))
    return lines


def between(low: float | None, high: float | None) -> str:
    """Write an interval: ``0 to 4``; empty where there is none."""
    if low is None or high is None:
        return ""
    write = words.number if low.is_integer() and high.is_integer() else words.brief
    return f"{write(low)} to {write(high)}"


def spoken(reply: Reply, label: str | None) -> str:
    """Say in a sentence how the reasons add up."""
    if reply.base is None:
        return ""
    if reply.chances:
        chosen = label or list(reply.chances)[-1]
        what, ends = f"probability of {chosen}", [words.percent(value) for value in (reply.base, reply.chances[chosen])]
    else:
        what, ends = "prediction", [words.brief(value) for value in (reply.base, reply.answer["prediction"])]
    return f"The usual {what} is {ends[0]}; the bars add to it or take off it, and give {ends[1]}."
