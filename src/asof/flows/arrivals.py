"""New files of a project, taken in as they come: ``asof ingest --watch``."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import polars as pl

from asof.errors import AsofError, Busy, DataError, OutsideError, UserError
from asof.flows import ingestion, intake
from asof.flows.ingestion import Ingested
from asof.flows.workspace import Stages, Workspace
from asof.ports import Batch, FolderReader
from asof.specs import SourceSpec

REASONS = 3
"""So many reasons of refusal are told of a file."""


@dataclass(frozen=True)
class Pace:
    """How long to wait for what, in seconds."""

    quiet: float = 0.6
    """A file that has not changed for so long is complete, if it ends with a whole line."""
    open: float = 2.0
    """The same for one whose last line has no end, though it is a whole record."""
    half: float = 30.0
    """The same for one that ends in the middle of a record: what is broken in it is then told by the reader."""
    gather: float = 5.0
    """How long files that are complete wait for others that are still being written."""
    look: float = 5.0
    """How often to look although nothing seems to have changed."""


@dataclass
class Waiting:
    """A file, or its absence, that has not been dealt with yet."""

    stamp: str
    """Its state when last looked at; empty where it is not there."""
    since: float
    """Since when it has been in that state (seconds of a clock)."""


@dataclass
class Entrance:
    """One source under watch."""

    name: str
    spec: SourceSpec
    reader: FolderReader
    done: dict[str, str] = field(default_factory=dict)
    """State of each file that has been dealt with."""
    waiting: dict[str, Waiting] = field(default_factory=dict)

    def look(self, watermark: str | None, now: float, pace: Pace) -> tuple[list[str], list[str]]:
        """Files that are complete and not read as they are now, and files that have gone for good."""
        ending = {"whole": pace.quiet, "open": pace.open, "half": pace.half}
        there = self.reader.stamps()
        gone = {file: "" for file in self.done if file not in there}
        changed = {file: stamp for file, stamp in there.items() if self.done.get(file) != stamp}
        self.waiting = {file: one for file, one in self.waiting.items() if file in changed or file in gone}
        for file, stamp in {**changed, **gone}.items():
            if file not in self.waiting or self.waiting[file].stamp != stamp:
                self.waiting[file] = Waiting(stamp, now)
        quiet = [file for file, one in self.waiting.items() if now - one.since >= pace.quiet]
        left = [file for file in quiet if file in gone]
        for file in left:
            self.settle(file)
        new = [file for file in quiet if file in changed]
        unread = set(self.reader.unread(new, watermark))
        for file in new:
            if file not in unread:
                self.settle(file)
        ready = [file for file in new if file in unread]
        return [file for file in ready if now - self.waiting[file].since >= ending[self.reader.ending(file)]], left

    def settle(self, file: str) -> None:
        """A file has been dealt with in the state in which it was last looked at."""
        one = self.waiting.pop(file)
        self.done.pop(file, None)
        if one.stamp:
            self.done[file] = one.stamp


@dataclass
class Spared:
    """Reads files one by one and goes on after a bad one; fills ``ports.Reader``."""

    entrance: Entrance
    files: Sequence[str]
    read: dict[str, int] = field(default_factory=dict)
    """Rows read of each file."""
    faults: dict[str, str] = field(default_factory=dict)
    """Why a file could not be read."""

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Yield what the files hold; what cannot be read is told in ``faults``, and what came before it is kept."""
        for file in self.files:
            self.read[file] = 0
            try:
                for batch in self.entrance.reader.only([file]).batches(watermark):
                    ingestion.refuse_foreign(self.entrance.name, self.entrance.spec, batch)
                    self.read[file] += batch.rows.height + (0 if batch.broken is None else batch.broken.height)
                    watermark = batch.watermark
                    yield batch
            except UserError as fault:
                self.faults[file] = str(fault)


def watch(
    workspace: Workspace,
    wakes: Iterable[bool],
    report: Callable[[Mapping[str, Any]], None],
    *,
    only: Sequence[str] = (),
    pace: Pace | None = None,
) -> None:
    """Take in files as they come, until ``wakes`` ends; each ingest is told to ``report``.

    Args:
        workspace: the project.
        wakes: comes round again and again, with whether something may have changed.
        report: is told what came of each ingest.
        only: names of sources; default: all sources of files.
        pace: how long to wait for what.

    Raises:
        DataError: there is no source of files, or none of that name.
    """
    pace = pace or Pace()
    entrances = entrances_of(workspace, only)
    reached = _reached(workspace, entrances)
    gone: list[tuple[str, str]] = []
    looked = held = -pace.look
    for changed in wakes:
        now = time.monotonic()
        if not changed and now - looked < pace.look and not any(one.waiting for one in entrances):
            continue
        looked = now
        ready: dict[str, list[str]] = {}
        for one in entrances:
            ready[one.name], left = one.look(reached[one.name], now, pace)
            gone += [(one.name, file) for file in left]
        count = sum(map(len, ready.values()))
        held = held if count else now
        others = sum(len(one.waiting) for one in entrances) > count
        if not (count or gone) or (others and now - held < pace.gather):
            continue
        told = _take_in(workspace, entrances, ready, gone)
        if told is not None:
            gone, reached = [], _reached(workspace, entrances)
            report(told)


def _reached(workspace: Workspace, entrances: Sequence[Entrance]) -> dict[str, str | None]:
    return {one.name: ingestion.reached(one.name, one.spec, workspace.lake) for one in entrances}


def entrances_of(workspace: Workspace, only: Sequence[str] = ()) -> list[Entrance]:
    """Sources of a project that can be watched, all or those named."""
    intake.known(workspace, only)
    found = []
    for name, spec in workspace.spec.sources.items():
        reader = workspace.readers(name)
        if (not only or name in only) and isinstance(reader, FolderReader) and reader.folders():
            found.append(Entrance(name, spec, reader))
    if not found:
        message = "there is no folder to watch: no source of files on disk" + (
            f" among {', '.join(only)}" if only else ""
        )
        raise DataError(message)
    return found


def _take_in(
    workspace: Workspace,
    entrances: Sequence[Entrance],
    ready: Mapping[str, list[str]],
    gone: Sequence[tuple[str, str]],
) -> dict[str, Any] | None:
    """Ingest what is ready, source by source; none where another run holds the project, which is tried again."""
    workspace.now, workspace.stages = datetime.now(UTC), Stages()
    files = [_row(source, file, {"note": "is no longer there; its rows stay"}) for source, file in gone]
    done: list[Ingested] = []
    refused = []
    try:
        with workspace.hold("ingest"), workspace.stages("ingest"):
            for entrance in entrances:
                if ready[entrance.name]:
                    one, rows, fault = _of_source(workspace, entrance, ready[entrance.name])
                    files += rows
                    done += [one] if one else []
                    refused += [fault] if fault else []
    except Busy:
        return None
    return {
        "project": workspace.spec.name,
        "at": workspace.now.isoformat(timespec="seconds"),
        "rows": intake.counts(done),
        "files": files,
        "refusals": refused,
        "findings": [finding for one in done for finding in intake.plain(one.findings)],
        "seconds": dict(workspace.stages.seconds),
    }


def _of_source(
    workspace: Workspace, entrance: Entrance, files: Sequence[str]
) -> tuple[Ingested | None, list[dict[str, Any]], str]:
    """Ingest files of one source: what was done, a row a file, and why the source was refused, if it was."""
    name, spared = entrance.name, Spared(entrance, files)
    done: Ingested | None = None
    fault = ""
    try:
        done = ingestion.ingest(
            name,
            entrance.spec,
            spared,
            workspace.lake,
            now=workspace.now,
            force=workspace.force,
            project=workspace.spec.name,
        )
    except AsofError as error:
        if not isinstance(error, DataError) or len(spared.faults) < len(files):
            fault = str(error)  # else there is nothing yet, and why is told of each file
        if isinstance(error, OutsideError):
            for file in files:  # once more, later
                entrance.waiting[file].since = time.monotonic()
            return None, [_row(name, file, {"fault": fault}) for file in files], fault
    for file in files:
        entrance.settle(file)
    counts = _counts(workspace, name, files) if done else {}
    return done, [_row(name, file, _came(spared, file, counts, fault)) for file in files], fault


def _row(source: str, file: str, came: Mapping[str, Any]) -> dict[str, Any]:
    return {"source": source, "file": file, **came}


def _came(spared: Spared, file: str, counts: Mapping[str, Mapping[str, Any]], fault: str) -> dict[str, Any]:
    """What came of one file."""
    read = spared.read.get(file, 0)
    if file in spared.faults:
        return {"read": read, "fault": spared.faults[file]}
    if fault:
        return {"read": read, "note": "kept, but the source is refused as it is now"}
    if read == 0:
        return {"read": 0, "fault": f"{file}: has a header and no rows"}
    found = counts[file]
    valid, quarantined = found.get("valid", 0), found.get("quarantined", 0)
    known = max(read - valid - quarantined, 0)
    return {
        "read": read,
        "valid": valid,
        "quarantined": quarantined,
        "known": known,
        "reasons": found.get("reasons", []),
    }


def _counts(workspace: Workspace, source: str, files: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Rows of each file among the valid ones and in quarantine, and the most frequent reasons for the latter."""
    valid, refused = workspace.lake.valid(source), workspace.lake.quarantine(source)
    found: dict[str, dict[str, Any]] = {file: {"valid": 0, "quarantined": 0, "reasons": []} for file in files}
    wanted = pl.col("_file").is_in(list(files))
    for (file,), rows in valid.filter(wanted).group_by("_file"):
        found[str(file)]["valid"] = rows.height
    for (file,), rows in refused.filter(wanted).group_by("_file"):
        found[str(file)] |= {"quarantined": rows.height, "reasons": intake.told(rows)[:REASONS]}
    return found
