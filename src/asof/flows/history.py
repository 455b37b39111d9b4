"""Which release was champion when, and the way back to an earlier one: nothing is ever removed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from asof import releases, times
from asof.data import UTC_TIME
from asof.errors import DataError
from asof.flows import asking
from asof.flows.workspace import Workspace
from asof.ports import ReleaseRecord
from asof.times import Step

ROLLBACK = "rollback"
"""Kind of the decision that makes an earlier release champion again."""
WATCH = "watch"
"""Kind of the record that each look at what is served leaves beside them."""
ROLLED_BACK = "rolled back from "
"""How its reason begins."""


@dataclass(frozen=True)
class Reign:
    """A release that became champion."""

    release: str
    since: datetime
    why: str


def reigns(decisions: Sequence[Mapping[str, Any]]) -> list[Reign]:
    """List champions one after the other, oldest first, as the decisions of a project tell."""
    found = []
    for one in decisions:
        if one.get("kind") == ROLLBACK or (one.get("kind") == "promotion" and one.get("promoted")):
            since = datetime.fromisoformat(str(one["at"]))
            found.append(Reign(str(one["release"]), since, str(one.get("why", ""))))
    return sorted(found, key=lambda reign: reign.since)


def answering(workspace: Workspace, written: str) -> dict[str, Any]:
    """Say which release was champion at a day or moment (local to the counted source), and since when.

    A day means its end: what answered last on that day. Raises DataError for a time that cannot be read, or is still
    to come.
    """
    counted = workspace.spec.sources[workspace.spec.predict.source]
    zone = counted.time.zone if counted.time is not None else "UTC"
    moment, now = asking.moment(written, zone), workspace.clock()
    if moment > now:
        message = (
            f"--at {written}: it is only {now.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone}), and who will be "
            "champion is not known; name a moment of the past"
        )
        raise DataError(message)
    local = moment.astimezone(ZoneInfo(zone))
    asked = f"{local:%Y-%m-%d %H:%M} ({zone})"
    if len(written) == len("2026-01-31"):
        moment = times.end(pl.Series([moment], dtype=UTC_TIME), Step(1, "d"), zone)[0]
        asked = f"the end of {local:%Y-%m-%d} ({zone})"
    before = [reign for reign in reigns(workspace.registry.decisions()) if reign.since <= moment]
    told: dict[str, Any] = {"project": workspace.spec.name, "asked": asked, "at": moment.isoformat()}
    if not before:
        return told | {"release": None, "why": "there was no champion yet", "since": None}
    reign = before[-1]
    record = workspace.registry.find(reign.release)
    return told | {
        "release": reign.release,
        "version": record.version if record else None,
        "since": reign.since.isoformat(),
        "why": reign.why,
        "folder": str(record.folder) if record else None,
        "fingerprint": record.facts.get("fingerprint", "") if record else None,
    }


def roll_back(workspace: Workspace, which: str | None = None) -> dict[str, Any]:
    """Make an earlier champion the champion again: the one before the present one, or ``which``.

    The release is read, and so verified, before it is put in its place.

    Raises:
        DataError: there is no such release, none before, it is the champion already, or its files have changed.
    """
    with workspace.hold("rollback"):
        registry = workspace.registry
        present = registry.find("champion")
        if present is None:
            message = f"{workspace.spec.name} has no champion, so there is no way back; `asof run` makes one"
            raise DataError(message)
        wanted = _earlier(workspace, present) if which is None else registry.find(which)
        if wanted is None:
            message = f"no release {which!r}; `asof runs` lists them"
            raise DataError(message)
        if wanted.version == present.version:
            message = f"{wanted.name} is the champion already"
            raise DataError(message)
        releases.read(wanted.folder)
        why = f"{ROLLED_BACK}{present.name}"
        registry.set_alias("champion", wanted.version)
        told = {"kind": ROLLBACK, "release": wanted.name, "from": present.name, "why": why}
        registry.decide({**told, "at": workspace.clock().isoformat()})
    return {"project": workspace.spec.name, "release": wanted.name, "promoted": True, "why": why, "refused": False}


def _earlier(workspace: Workspace, present: ReleaseRecord) -> ReleaseRecord:
    """Find the champion before the present one; what was rolled back from does not come again by itself."""
    line: list[str] = []
    for reign in reigns(workspace.registry.decisions()):
        back = reign.why.startswith(ROLLED_BACK) and reign.release in line
        line = line[: line.index(reign.release)] if back else [name for name in line if name != reign.release]
        line.append(reign.release)
    for name in reversed(line[: line.index(present.name)] if present.name in line else line):
        record = workspace.registry.find(name)
        if record is not None and record.version != present.version:
            return record
    message = f"no release was champion before {present.name}; name one: asof rollback --release WHICH"
    raise DataError(message)
