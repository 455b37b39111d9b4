"""The data of a project as they were taken in: rows, what is in quarantine and why, and what `asof check` says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from asof.flows import checking, intake
from asof.terminal import data as told_data
from asof.ui.sights import Sight

EXAMPLES = 3
"""Refused rows that are shown of each reason: where they stand, and the cell that is wrong; nothing else of them."""
SHOWN = 60
"""Longest text of such a cell."""


@dataclass(frozen=True)
class Source:
    """A source as it was last taken in."""

    name: str
    rows: int
    """Rows that were judged, the newest version of each."""
    valid: int
    quarantined: int
    covered: str
    """Stretches of time that it covers, in words; empty without a time."""


@dataclass(frozen=True)
class Refusal:
    """Why rows of a source are in quarantine."""

    source: str
    column: str
    """Of the cell, or of the cells, that are wrong; empty where the line itself is."""
    reason: str
    rows: int
    examples: tuple[str, ...]
    """``crashes.csv, line 12: '-73.9 W'``: where it stands, and the offending cell."""


@dataclass(frozen=True)
class Quality:
    """Everything that is known of the data."""

    sources: tuple[Source, ...]
    refusals: tuple[Refusal, ...]
    findings: Sequence[Mapping[str, Any]]
    """What ``asof check`` found, but for what stands in quarantine and in repairs."""
    repairs: Sequence[Mapping[str, Any]]
    asked: Sequence[tuple[str, str]]
    """What the questions of the project are, in figures."""
    profiles: Mapping[str, pl.DataFrame] = field(repr=False)
    """By source, a row a column: see ``profiles.of``."""


def quality(sight: Sight) -> Quality:
    """Look at the data as they have been taken in; no source is read."""
    workspace = sight.workspace
    told = checking.look(workspace, sight.standing.prepared)
    done = intake.kept(workspace)
    sources = [
        Source(one.source, one.valid + one.quarantined, one.valid, one.quarantined, _covered(told, one.source))
        for one in done
    ]
    repairs, findings = told_data.repaired(told["findings"])
    refusals = [each for one in done if one.quarantined for each in refused(sight, one.source)]
    return Quality(
        tuple(sources),
        tuple(refusals),
        [one for one in findings if one["check"] != "quarantine" or one["severity"] == "error"],
        [one for one in repairs if one["rows"]],
        told_data.asked(told["panel"]),
        {name: pl.DataFrame(one["columns"]) for name, one in told["profiles"].items()},
    )


def _covered(told: Mapping[str, Any], source: str) -> str:
    return str(told["profiles"][source]["covered"])


def refused(sight: Sight, source: str) -> list[Refusal]:
    """Why rows of a source are in quarantine, the most frequent reason first, with a few of the cells that are wrong.

    Of a row itself nothing is shown: it may hold what is personal.
    """
    found = []
    for column, reason, rows in intake.refusals(sight.workspace.lake.quarantine(source)):
        first = rows.sort("_file", "_line", nulls_last=True).head(EXAMPLES)
        examples = tuple(_example(row, column) for row in first.iter_rows(named=True))
        found.append(Refusal(source, column, reason, rows.height, examples))
    return found


def _example(row: Mapping[str, Any], column: str) -> str:
    where = f"{row['_file']}, line {row['_line']}" if row.get("_file") and row.get("_line") is not None else "a row"
    names = [name for part in column.split("; ") for name in part.split(", ") if name in row]
    cells = [f"{row[name]!r}" if row[name] is not None else "empty" for name in names]
    shown = ", ".join(text if len(text) <= SHOWN else f"{text[:SHOWN]}…" for text in cells)
    return f"{where}: {shown}" if shown else where
