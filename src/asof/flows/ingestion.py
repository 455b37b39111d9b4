"""From outside to valid rows: read, keep as it came, validate, derive; each step alone, none repeated in vain."""

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import polars as pl

from asof import checks, clocks, coverage, repairs, times
from asof.coverage import Timeline
from asof.data import Finding, Severity, SourceTable
from asof.errors import DataError, ProjectError
from asof.flows import deriving
from asof.flows.deriving import Work
from asof.ports import Again, Batch, FolderReader, Lake, Reader
from asof.specs import PointSpec, SourceSpec
from asof.times import Step

SAME: Final = ("raw", "settings", "code", "table")
"""Parts of the stamp that must be equal for the derived tables to be current."""
ASKED: Final[Any] = {
    "sql": {"recheck", "page", "timeout"},
    "api": {"headers": True, "watermark": {"recheck"}, "paging": {"most"}},
}
"""Settings of a source that change how its rows are fetched, and not which they are."""
SHOWN: Final = 5
"""So many files are named in a message."""
MONTHS: Final = {"mo": 31, "w": 7, "d": 1}
"""Longest length in days of the steps of the calendar."""


@dataclass(frozen=True)
class Ingested:
    """What an ingest of one source did."""

    source: str
    read: int
    """Rows read now, lines that cannot be split included."""
    new: int
    """Of these, rows that were not there yet."""
    valid: int
    quarantined: int
    findings: tuple[Finding, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Seconds of each stage: read, validate, derive."""
    skipped: bool = False
    """Whether the derived tables were current already."""
    repeated: int = 0
    """Rows that came and are no row of their own: one that was there already, or another version of one. Of a first
    ingest, read = valid + quarantined + repeated."""


def ingest(  # noqa: PLR0913 - four things that it needs, and options by keyword
    name: str,
    spec: SourceSpec,
    reader: Reader,
    lake: Lake,
    *,
    now: datetime,
    force: bool = False,
    replay: bool = False,
    project: str = "",
    progress: Callable[[float], None] | None = None,
) -> Ingested:
    """Bring one source up to date.

    Rows are kept as they came, each batch in one commit with its watermark; then all rows are validated and the
    derived tables replaced, unless raw rows, settings and code are those of the last time. A crash at any moment
    leaves a state from which the next ingest reaches the result of an undisturbed one.

    Args:
        name: name of the source.
        spec: what the project says about it.
        reader: where its rows come from.
        lake: where they are kept.
        now: moment of the ingest (UTC).
        force: validate again although nothing has changed.
        replay: validate the kept rows again without reading the source, such as after a correction of the rules.
        project: name of the project; rows that another one keeps under the same name are none of its own.
        progress: is told the share done (0..1; a guess while reading, since no one knows how much is to come).

    Raises:
        DataError: no rows, or the store holds the rows of another project under this name.
        ProjectError: columns that the project names are not there.
        Refused: too many rows refused, or too many values missing; the derived tables stay as they were.
        OutsideError: the source or the store failed.
    """
    tell = progress or (lambda _share: None)
    before = lake.stamp(name) or {}
    seen, turned = _seen(name, now, before)
    moved = (*_told_apart(name, spec, before, project), *turned)
    begun = time.perf_counter()
    count, new, noticed = (0, 0, ()) if replay else _read(name, spec, reader, lake, seen, tell)
    seconds = {"read": time.perf_counter() - begun}
    tell(0.5)
    version = lake.version(name)
    if version is None:
        raise DataError(f"source {name} has no rows: the files are empty or have only a header; see files: or socrata:")
    stamp = {"raw": str(version), "settings": settings_hash(spec), "code": code_hash(), "table": lake.identity(name)}
    last = lake.stamp(name)
    if last is not None and not force and not replay and _current(last, stamp, now):
        recalled = _recalled(name, last, count, new, seconds)
        return replace(recalled, findings=(*recalled.findings, *noticed, *moved))
    begun = time.perf_counter()
    same = last is not None and not force and not replay and all(last.get(part) == stamp[part] for part in SAME[1:])
    work = Work(name, spec, lake, version, now, lambda share: tell(0.5 + 0.4 * share))
    derived = deriving.derive(work, lake.notes(name) if same else "")
    seconds["validate"] = time.perf_counter() - begun
    tell(0.9)
    begun = time.perf_counter()
    stamp |= {
        "valid": str(derived.valid),
        "quarantined": str(derived.quarantined),
        "versions": str(derived.versions),
        "findings": json.dumps([asdict(finding) for finding in derived.findings]),
        "due": derived.due.isoformat() if derived.due else "",
        "project": project,
        "address": _address(spec),
        "seen": seen.isoformat(),
    }
    derived.draft.commit(stamp, derived.notes)
    seconds["derive"] = time.perf_counter() - begun
    tell(1.0)
    findings = (*derived.findings, *noticed, *moved)
    repeated = count - new + max(_replaced(stamp) - _replaced(last or {}), 0)
    return Ingested(name, count, new, derived.valid, derived.quarantined, findings, seconds, repeated=repeated)


def _replaced(stamp: Mapping[str, str]) -> int:
    """Kept versions of rows that are neither valid nor refused, since a later one took their place."""
    versions, valid, quarantined = (int(stamp.get(part, 0)) for part in ("versions", "valid", "quarantined"))
    return max(versions - valid - quarantined, 0)


def _seen(name: str, now: datetime, last: Mapping[str, str]) -> tuple[datetime, tuple[Finding, ...]]:
    """When rows of now are first seen: after those of the last ingest, whatever this machine's clock says.

    By it validation knows which of two versions of a row was told last.
    """
    latest = datetime.fromisoformat(last["seen"]) if "seen" in last else now
    if now >= latest:
        return now, ()
    message = (
        f"this machine's clock shows {now:%Y-%m-%d %H:%M} UTC, and rows were taken in at {latest:%Y-%m-%d %H:%M} UTC "
        "before: it has gone back; what comes now counts as seen after that; set the clock right"
    )
    return latest + timedelta(microseconds=1), (Finding("clock", Severity.WARNING, name, message),)


def _told_apart(name: str, spec: SourceSpec, last: Mapping[str, str], project: str) -> tuple[Finding, ...]:
    """Refuse the rows of another project, and tell of an address that has changed: what it held before stays."""
    owner = last.get("project")
    if owner and project and owner != project:
        message = (
            f"the store holds rows of {name} that belong to the project {owner}: they would be mixed with those of "
            f"{project}; give this page a store of its own, such as `store: .asof-{project}`, or --set store=…"
        )
        raise DataError(message)
    if last.get("address", _address(spec)) == _address(spec):
        return ()
    message = (
        "it is read from another address than before, and the rows that came from there stay beside the new ones; "
        "to begin without them, set another store:"
    )
    return (Finding("address", Severity.WARNING, name, message),)


def _address(spec: SourceSpec) -> str:
    """Hash of where the rows of a source come from."""
    told = spec.model_dump_json(include={"files", "socrata", "sql", "api", "adapter"})
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def load(
    name: str, spec: SourceSpec, lake: Lake, *, since: datetime | None = None, until: datetime | None = None
) -> SourceTable:
    """Open the valid rows of a source for lookups, with what they cover; of a large one as if it began and ended then.

    Raises:
        DataError: the source has not been ingested, or its last ingest was interrupted.
    """
    table = outline(name, spec, lake)
    if table is None:
        rows = lake.valid(name)
        return _table(name, spec, lake, rows, rows)
    return part(table, lake, since, until)


def part(table: SourceTable, lake: Lake, since: datetime | None, until: datetime | None) -> SourceTable:
    """Open a large source, of which ``table`` is the outline, as if it began and ended then."""
    where, covered = pl.lit(value=True), table.coverage
    if since is not None and since > covered.start:
        where, covered = pl.col("_ended") > since, covered.after(since)
    if until is not None and until < covered.end:
        where, covered = where & (pl.col("_ended") <= until), covered.before(until)
    if not covered.starts:  # the whole stretch is a hole
        return replace(table, rows=lake.valid(table.name))
    return replace(table, rows=lake.valid(table.name, where=where), coverage=covered)


def outline(name: str, spec: SourceSpec, lake: Lake) -> SourceTable | None:
    """What a large source covers and how its rows look, without a row; none for one that was checked at once.

    Raises:
        DataError: the source has not been ingested, or its last ingest was interrupted.
    """
    if lake.stamp(name) is None:
        raise DataError(f"source {name} has no validated rows, or its last ingest was interrupted: run `asof ingest`")
    line = deriving.timeline(lake.notes(name), lake, name, spec.time.zone if spec.time else "UTC")
    nothing = pl.lit(value=False)
    return None if line is None else _table(name, spec, lake, lake.valid(name, where=nothing), line)


def _table(name: str, spec: SourceSpec, lake: Lake, rows: pl.DataFrame, days: pl.DataFrame | Timeline) -> SourceTable:
    zone = spec.time.zone if spec.time else "UTC"
    return SourceTable(
        name=name,
        rows=rows,
        zone=zone,
        delay=Step.parse(spec.delay).nominal,
        coverage=coverage.of(days, zone, spec.covered),
        place=(spec.place.lat, spec.place.lon) if isinstance(spec.place, PointSpec) else spec.place,
        version=(lake.stamp(name) or {}).get("raw", ""),
    )


def months(rows: pl.DataFrame, spec: SourceSpec) -> pl.Series:
    """Local month of each row's event (``2016-03``, or ``unknown``), by which raw rows are kept in parts."""
    unknown = pl.Series("_month", ["unknown"], pl.String).new_from_index(0, rows.height)
    if spec.time is None or any(column not in rows.columns for column in spec.time.columns):
        return unknown
    try:
        clock = clocks.read(rows, spec.time.model_copy(update={"available": None}), Step(0, "h"))
    except DataError:
        return unknown  # such as dates that do not tell day from month: validation says so, the rows are kept
    local = times.local(clock.times["_event"], spec.time.zone)
    return local.dt.strftime("%Y-%m").fill_null("unknown").alias("_month")


def settings_hash(spec: SourceSpec) -> str:
    """Hash of all settings that decide what is valid: not where rows come from."""
    settings = spec.model_dump_json(exclude={"files", "socrata", "sql", "api", "adapter"})
    return hashlib.sha256(settings.encode()).hexdigest()[:16]


def asked_hash(spec: SourceSpec) -> str:
    """Hash of the settings that decide what a reader gives; when they change, all is read again from the start."""
    files = spec.files.model_dump(exclude={"paths"}) if spec.files else None
    socrata = spec.socrata.model_dump(mode="json", include={"domain", "dataset", "since"}) if spec.socrata else None
    columns = sorted(checks.needed(spec)) if spec.columns else None
    others = spec.model_dump(mode="json", include={"sql", "api", "adapter"}, exclude=ASKED, exclude_none=True)
    asked = json.dumps([files, socrata, columns, spec.header, *([others] if others else [])], sort_keys=True)
    return hashlib.sha256(asked.encode()).hexdigest()[:16]


def code_hash() -> str:
    """Hash of the code that decides what is valid."""
    found = hashlib.sha256(pl.__version__.encode())
    for module in (checks, clocks, coverage, deriving, repairs, times):
        path = Path(str(module.__file__))
        for part in sorted(path.parent.glob("*.py")) if path.name == "__init__.py" else [path]:
            found.update(part.read_bytes())
    found.update(Path(__file__).read_bytes())
    return found.hexdigest()[:16]


def reached(name: str, spec: SourceSpec, lake: Lake) -> str | None:
    """How far the source has been read, in the words of its reader; none where all is to be read from the start."""
    asked, _, watermark = (lake.watermark(name) or "").partition(" ")
    return watermark if asked == asked_hash(spec) else None


def _read(
    name: str, spec: SourceSpec, reader: Reader, lake: Lake, now: datetime, tell: Callable[[float], None]
) -> tuple[int, int, tuple[Finding, ...]]:
    """Append what the reader has; returns rows read, rows new, and what the reader noticed."""
    count = new = alike = 0
    noticed: list[Finding] = []
    asked = asked_hash(spec)
    watermark = reached(name, spec, lake)
    # Files that are all read from the start say once more what they said; other sources tell how they are now.
    retold: Again = "all" if spec.files and watermark is None and lake.version(name) is not None else ""
    for number, batch in enumerate(reader.batches(watermark), start=1):
        refuse_foreign(name, spec, batch)
        kept = _kept(replace(batch, again=retold or batch.again), spec, asked)
        new += lake.append(name, kept, spec.key, months(kept.rows, spec), seen=now)
        count += batch.rows.height + (0 if batch.broken is None else batch.broken.height)
        alike += 0 if spec.key else kept.rows.height - kept.rows.drop("_file", "_line", strict=False).unique().height
        noticed += [replace(finding, subject=f"{name}.{finding.subject}") for finding in batch.findings]
        tell(0.5 * number / (number + 1))
    return count, new, (*noticed, *_alike(name, alike), *_moving(name, reader, reached(name, spec, lake)))


def _alike(name: str, rows: int) -> list[Finding]:
    """Rows without a key that equal another row in every column: they are kept once."""
    if not rows:
        return []
    message = (
        f"{name} has no key, and rows that equal another one in every column are kept once: {rows:,} left out; "
        "where they are rows of their own, give the source a key:"
    )
    return [Finding("equal rows", Severity.WARNING, name, message, figure=float(rows), rows=rows)]


def _moving(name: str, reader: Reader, watermark: str | None) -> list[Finding]:
    """Files that were read and are no longer there, whose rows stay; and those that are still being written."""
    if not isinstance(reader, FolderReader):
        return []
    gone, growing, found = reader.gone(watermark), reader.growing(watermark), []
    if gone:
        what = "a file that was read is" if len(gone) == 1 else f"{len(gone):,} files that were read are"
        message = f"{what} no longer there; the rows stay: {_shown(gone)}"
        found.append(Finding("removed", Severity.NOTE, name, message, float(len(gone))))
    if growing:
        what = "a file ends" if len(growing) == 1 else f"{len(growing):,} files end"
        message = f"{what} in the middle of a line just written, which is left for the next ingest: {_shown(growing)}"
        found.append(Finding("growing", Severity.NOTE, name, message, float(len(growing))))
    return found


def _shown(files: Sequence[str]) -> str:
    return ", ".join(files[:SHOWN]) + (", …" if len(files) > SHOWN else "")


def refuse_foreign(name: str, spec: SourceSpec, batch: Batch) -> None:
    """Refuse rows that lack the columns of key or time: none could ever be valid, and what is kept is kept for ever."""
    vital = [*spec.key, *(spec.time.columns if spec.time else ())]
    wrong = checks.lacking(batch.rows.columns, vital, spec, name)
    if wrong and batch.rows.height:
        file = str(batch.rows["_file"][0])
        raise ProjectError([replace(problem, message=f"{problem.message} ({file})") for problem in wrong])


def _kept(batch: Batch, spec: SourceSpec, asked: str) -> Batch:
    """The batch with the columns that the project keeps, all or those that it names, and what was asked for."""
    wanted = {*checks.needed(spec), "_file", "_line"} if spec.columns else set(batch.rows.columns)
    rows = batch.rows.select(column for column in batch.rows.columns if column in wanted)
    watermark = None if batch.watermark is None else f"{asked} {batch.watermark}"
    return Batch(rows, watermark, batch.broken, again=batch.again)


def _current(last: Mapping[str, str], stamp: Mapping[str, str], now: datetime) -> bool:
    """Whether the derived tables are those of these rows, settings and code, and no refused future row has come due."""
    due = last.get("due", "")
    return all(last.get(part) == stamp[part] for part in SAME) and not (due and now >= datetime.fromisoformat(due))


def recall(name: str, lake: Lake) -> Ingested | None:
    """What the last validation of a source found; none where it has not been ingested, or was interrupted."""
    last = lake.stamp(name)
    return _recalled(name, last, 0, 0, {}) if last is not None else None


def _recalled(name: str, last: Mapping[str, str], count: int, new: int, seconds: Mapping[str, float]) -> Ingested:
    """What the last validation found, from the stamp of its tables."""
    kept = [Finding(**{**entry, "severity": Severity(entry["severity"])}) for entry in json.loads(last["findings"])]
    rows = (int(last["valid"]), int(last["quarantined"]))
    return Ingested(name, count, new, *rows, tuple(kept), seconds, skipped=True, repeated=count - new)
