"""What was known at a moment: a lake as it stood then, out of the rows that had been seen.

Raw rows are append-only and keep when each version was first seen. What was known at T are the versions seen by T,
judged as they would have been judged then. Nothing is read from outside and nothing is written: the tables of the
present stay as they are, and those of T live as long as this view of them.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NoReturn
from zoneinfo import ZoneInfo

import polars as pl

from asof import checks, times
from asof.checks import Validated
from asof.data import Finding
from asof.errors import DataError, UserError
from asof.flows import asking, deriving, ingestion
from asof.flows.ingestion import Ingested
from asof.flows.workspace import Workspace
from asof.ports import Batch, Lake
from asof.specs import ProjectSpec, SourceSpec

ORDER = ("_ended", "_available", "_key")
"""Columns by which valid rows are ordered."""


@dataclass(frozen=True)
class Then:
    """One source as it was known."""

    validated: Validated
    findings: tuple[Finding, ...]
    stamp: Mapping[str, str]


@dataclass
class KnownAt:
    """The lake of a project as it was known at a moment; fills ``ports.Lake`` for reading."""

    lake: Lake
    spec: ProjectSpec
    at: datetime
    zone: str
    """In which messages tell moments."""
    _known: dict[str, Then] = field(default_factory=dict)
    _since: dict[str, Any] = field(default_factory=dict)
    """First load of each source that was looked at."""

    def append(
        self, source: str, batch: Batch, key: Sequence[str], month: pl.Series, *, seen: datetime | None = None
    ) -> int:
        """Refuse: nothing becomes known in the past."""
        del source, batch, key, month, seen
        self._refuse()

    def write_predictions(self, rows: pl.DataFrame) -> None:
        """Refuse: what is answered now was not answered then."""
        del rows
        self._refuse()

    def draft(self, source: str, kept: Collection[str] = ()) -> NoReturn:
        """Refuse."""
        del source, kept
        self._refuse()

    def notes(self, source: str) -> str:
        """Nothing: what is made here is made once."""
        del source
        return ""

    def raw(
        self,
        source: str,
        version: int | None = None,
        *,
        months: Sequence[str] = (),
        columns: Sequence[str] = (),
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """Versions of rows that had been seen; ``DataError`` naming the first load, where there were none."""
        if source not in self._since:
            self._since[source] = self.lake.raw(source, columns=["_first_seen"])["_first_seen"].min()
        first = self._since[source]
        if not isinstance(first, datetime) or first > self.at:
            begun = f"first loaded at {self.local(first)}" if isinstance(first, datetime) else "never loaded"
            message = f"nothing of {source} was known at {self.local(self.at)}: it was {begun}; name a later moment"
            raise DataError(message)
        seen = pl.col("_first_seen") <= self.at
        wanted = seen if where is None else seen & where
        return self.lake.raw(source, version, months=months, columns=columns, where=wanted)

    def months(self, source: str, version: int | None = None) -> dict[str, int]:
        """Rows of each month that had been seen, in the order of months."""
        counted = self.raw(source, version, columns=["_month"]).group_by("_month").len().sort("_month")
        return dict(counted.iter_rows())

    def version(self, source: str, table: str = "raw") -> int | None:
        """Version of the rows, whatever they were."""
        del table
        return self.lake.version(source)

    def identity(self, source: str) -> str:
        """What tells the rows from those of a store made anew."""
        return self.lake.identity(source)

    def watermark(self, source: str) -> str | None:
        """How far the source has been read by now."""
        return self.lake.watermark(source)

    def stamp(self, source: str) -> Mapping[str, str] | None:
        """Return what decides the tables: the moment in place of a version, settings and code."""
        return self.then(source).stamp

    def valid(self, source: str, *, columns: Sequence[str] = (), where: pl.Expr | None = None) -> pl.DataFrame:
        """Rows that were valid, by ``_ended``, ``_available``, ``_key``."""
        rows = self.then(source).validated.valid
        rows = rows if where is None else rows.filter(where)
        return rows.select(dict.fromkeys([*columns, *ORDER])) if columns else rows

    def quarantine(self, source: str) -> pl.DataFrame:
        """Rows that were refused, by file, line and reason."""
        return self.then(source).validated.quarantine.sort("_file", "_line", "_reason", nulls_last=True)

    def predictions(self) -> pl.DataFrame | None:
        """Questions answered so far."""
        return self.lake.predictions()

    def then(self, source: str) -> Then:
        """One source as it was known; made once.

        Raises:
            DataError: nothing of it was known yet.
            Refused: it would have been refused then.
        """
        if source not in self._known:
            spec = self.spec.sources[source]
            raw = self.raw(source)
            validated = checks.validate(raw, spec, now=self.at, name=source)
            findings = deriving.passed(source, spec, raw, validated)
            stamp = {
                "raw": f"as known at {self.at.isoformat()}",
                "settings": ingestion.settings_hash(spec),
                "code": ingestion.code_hash(),
                "valid": str(validated.valid.height),
                "quarantined": str(validated.quarantine.height),
                "findings": json.dumps([asdict(finding) for finding in findings]),
            }
            self._known[source] = Then(validated, findings, stamp)
        return self._known[source]

    def recall(self, names: Sequence[str]) -> list[Ingested]:
        """What an ingest of the sources would have found then; all that were not known yet are told together."""
        unknown = []
        for name in names:
            try:
                self.then(name)
            except DataError as fault:
                unknown.append(str(fault))
        if unknown:
            raise DataError("\n".join(unknown))
        found = [(name, self.then(name)) for name in names]
        return [
            Ingested(name, 0, 0, then.validated.valid.height, then.validated.quarantine.height, then.findings)
            for name, then in found
        ]

    def local(self, moment: datetime) -> str:
        """A moment as messages tell it."""
        zone = ZoneInfo(self.zone)
        return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S} ({self.zone})"

    def _refuse(self) -> NoReturn:
        raise UserError(f"the data as known at {self.local(self.at)} are only looked at: leave out --as-of")


def look_back(workspace: Workspace, written: str) -> Workspace:
    """Return the project as it was known at a day (its first moment) or moment, local to what is predicted.

    Raises:
        DataError: the moment cannot be read, or has not come yet.
    """
    spec = workspace.spec
    counted = spec.sources[spec.predict.source]
    zone = spec.predict.per.zone or (counted.time.zone if counted.time else "UTC")
    at = asking.moment(written, zone).astimezone(UTC)
    if at > workspace.now:
        now = f"{workspace.now.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M} ({zone})"
        raise DataError(
            f"--as-of {written}: it is only {now}, and what will be known is not; name a moment of the past"
        )
    then = spec.model_copy(update={"sources": {name: _then(one, at) for name, one in spec.sources.items()}})
    return replace(workspace, spec=then, lake=KnownAt(workspace.lake, then, at, zone), known_at=at)


def _then(spec: SourceSpec, at: datetime) -> SourceSpec:
    """A source whose declared coverage does not reach beyond ``at``."""
    zone = spec.time.zone if spec.time else "UTC"
    local = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    begun = [(low, high) for low, high in spec.covered if times.moment(low, zone) < at]
    kept = tuple((low, high if times.moment(high, zone) <= at else local) for low, high in begun)
    return spec.model_copy(update={"covered": kept})
