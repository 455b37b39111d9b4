"""What each file gives of the columns that a project names: one that lost a column is told by its name."""

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from asof.data import Finding, Severity
from asof.specs import PointSpec, SourceSpec

Filed = Mapping[str, Mapping[str, int]]
"""By file: its valid rows, under ``ROWS``, and how many of them have a value, by column."""
ROWS: Final = ""
CHANCE: Final = 0.001
"""Where values are rare, a file without any is told of only if it would be so by chance this seldom."""
SHOWN: Final = 5
"""So many files are named in a message."""


def count(valid: pl.DataFrame, columns: Sequence[str]) -> Filed:
    """Count rows and values of each file."""
    there = [column for column in columns if column in valid.columns]
    counted = valid.group_by("_file").agg(pl.len().alias(ROWS), pl.col(there).count())
    return {str(file): dict(zip((ROWS, *there), counts, strict=True)) for file, *counts in counted.sort("_file").rows()}


def total(parts: Sequence[Filed]) -> Filed:
    """Add up what the parts of a source count."""
    found: dict[str, dict[str, int]] = {}
    for part in parts:
        for file, counts in part.items():
            sums = found.setdefault(file, {})
            for column, number in counts.items():
                sums[column] = sums.get(column, 0) + number
    return found


def findings(filed: Filed, spec: SourceSpec, name: str) -> list[Finding]:
    """One finding for each column of which some files have nothing while others have it."""
    columns = dict.fromkeys(column for counts in filed.values() for column in counts if column != ROWS)
    place = (spec.place.lat, spec.place.lon) if isinstance(spec.place, PointSpec) else (spec.place,)
    return [one for column in columns for one in without(filed, column, name, lie=column in place)]


def lost(valid: pl.DataFrame, column: str, name: str) -> list[Finding]:
    """Say which files have nothing of a column that others have."""
    return without(count(valid, [column]), column, name) if valid[column].null_count() else []


def without(filed: Filed, column: str, name: str, *, lie: bool = False) -> list[Finding]:
    """Files that have nothing of ``column``, though others do; ``lie``: by it rows lie in a place."""
    bare = {file: counts[ROWS] for file, counts in filed.items() if not counts.get(column)}
    others = [counts for file, counts in filed.items() if file not in bare]
    if not bare or not others:
        return []
    missing = 1 - sum(counts[column] for counts in others) / sum(counts[ROWS] for counts in others)
    told = {file: rows for file, rows in bare.items() if missing**rows <= CHANCE}
    if not told:
        return []
    rows, every = sum(told.values()), sum(counts[ROWS] for counts in filed.values())
    named = ", ".join(list(told)[:SHOWN]) + (", …" if len(told) > SHOWN else "")
    lone = len(told) == 1
    files = f"{named} has" if lone else f"{len(told)} files have"
    what = f"{rows:,} row" if rows == 1 else f"{rows:,} rows"
    then = ("lies" if rows == 1 else "lie") + " in no place" if lie else ("has" if rows == 1 else "have") + " none"
    message = (
        f"{files} no column {column!r}, or nothing in it, unlike the other files: {'its' if lone else 'their'} {what} "
        f"{then}{'' if lone else f' ({named})'}; bring it back"
    )
    return [Finding("columns", Severity.WARNING, f"{name}.{column}", message, rows / every, None, rows)]
