"""What is not known of a history: rows that were first loaded long after they could be known may have been corrected.

Raw rows keep when each version was first seen. Of what a row said before the first load nothing is known: a score on
such rows is that of a history as corrected by then.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from asof.data import Finding, Severity
from asof.flows.workspace import Workspace

CHECK: Final = "history"
"""Name of the check."""
LONG: Final = timedelta(days=7)
"""A row that was known so long before the first load may have been corrected by then."""


def findings(raw: pl.DataFrame, valid: pl.DataFrame, zone: str, name: str) -> list[Finding]:
    """Say by when the history of a source was corrected, and how many rows have been corrected since.

    Args:
        raw: versions of rows, with ``_key`` and ``_first_seen``.
        valid: their valid rows, with ``_available``.
        zone: of the source, in which the day of the first load is told.
        name: of the source.

    Returns:
        One note, or nothing where no row was known ``LONG`` before the first load.
    """
    loaded = raw["_first_seen"].min()
    return tell(loaded, count(raw, valid, loaded), zone, name) if isinstance(loaded, datetime) else []


def count(raw: pl.DataFrame, valid: pl.DataFrame, loaded: datetime) -> tuple[int, int, int]:
    """Valid rows, those of them known ``LONG`` before the first load, and rows corrected since; parts add up."""
    old = valid.filter(pl.col("_available") < pl.lit(loaded) - LONG).height
    seen = raw.filter(pl.col("_key").is_duplicated()).group_by("_key").agg(times=pl.col("_first_seen").n_unique())
    return valid.height, old, seen.filter(pl.col("times") > 1).height


def tell(loaded: datetime, counted: tuple[int, int, int], zone: str, name: str) -> list[Finding]:
    """Say it of rows first ``loaded`` then; see ``findings``."""
    valid, old, since = counted
    if old == 0:
        return []
    day = f"{loaded.astimezone(ZoneInfo(zone)):%Y-%m-%d}"
    message = (
        f"history as corrected by {day}, when it was first loaded: what {old:,} of {valid:,} rows said before "
        f"is not known; {since or 'none':{',' if since else ''}} corrected since"
    )
    return [Finding(CHECK, Severity.NOTE, name, message, old / valid, None, since)]


def told(workspace: Workspace) -> list[Finding]:
    """What was found of each source when it was last validated."""
    found = []
    for name in workspace.spec.sources:
        stamp = workspace.lake.stamp(name) or {}
        kept = [entry for entry in json.loads(stamp.get("findings", "[]")) if entry["check"] == CHECK]
        found += [Finding(**{**entry, "severity": Severity(entry["severity"])}) for entry in kept]
    return found


def words(workspace: Workspace) -> Mapping[str, str]:
    """``history as corrected by DATE; 3 corrected since`` of each source of which that is so."""
    return {one.subject: brief(one.message) for one in told(workspace)}


def brief(message: str) -> str:
    """By when a history was corrected, and how many rows since."""
    return f"{message.partition(',')[0]}; {message.rpartition('; ')[2]}"


def data_of(workspace: Workspace) -> str:
    """``data as known at T``, where they are looked at as of a moment of the past, else nothing."""
    return f"data as known at {workspace.known_at:%Y-%m-%d %H:%M:%S} UTC" if workspace.known_at else ""


def facts(workspace: Workspace) -> dict[str, str]:
    """What a release says of the age of what it knows: ``known_at``, and ``history``, by when it was corrected."""
    at, history = workspace.known_at, words(workspace)
    told = {"known_at": at.isoformat()} if at else {}
    return told | ({"history": json.dumps(history)} if history else {})
