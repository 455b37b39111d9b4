"""Any API that answers JSON in pages, by declaration: where the rows are, how pages follow, what asks for new ones.

A watermark is JSON: the latest value of the watermark column in all that was read to the end (``most``), and for a
read that was left half-way where it stands (``at``). It moves to the latest value only when all pages have been read,
since nothing says in what order rows come. Pages that overlap, as they do where rows move while they are read, are
read again until they fit together; a row is given once.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import polars as pl

from asof.adapters import calls, json_pages, jsontext, variables
from asof.adapters.calls import Patience
from asof.adapters.json_pages import Position, Service
from asof.adapters.moments import later, limit_of, moment_of, shaped
from asof.data import Finding, Severity
from asof.errors import DataError, OutsideError, UserError
from asof.ports import Batch
from asof.specs import ApiSpec
from asof.times import Step

ROWS: Final = 20_000
"""A batch ends with the page that reaches so many rows,"""
PAGES: Final = 31
"""or after so many pages."""
PASSES: Final = 5
"""How often pages that overlap are read anew."""


def _now() -> datetime:
    return datetime.now(UTC)


def _environ() -> Mapping[str, str]:
    return os.environ


@dataclass
class _Mark:
    """How far an API has been read."""

    most: str | None = None
    """Latest watermark of what was read to the end."""
    at: Position | None = None
    """The next page of a read that was left half-way,"""
    back: Position | None = None
    """the page before it,"""
    digest: str = ""
    """what that page held,"""
    since: str | None = None
    """what was asked for,"""
    found: str | None = None
    """and the latest watermark so far."""

    @classmethod
    def parse(cls, watermark: str | None) -> "_Mark":
        if watermark is None:
            return cls()
        try:
            return cls(**json.loads(watermark))
        except (ValueError, TypeError) as fault:
            message = f"the watermark {watermark[:60]!r} is none of an API; was the source of another kind before?"
            raise DataError(message) from fault

    def dump(self) -> str:
        return json.dumps({name: value for name, value in vars(self).items() if value}, sort_keys=True)


@dataclass(frozen=True)
class ApiReader:
    """Reads one API; fills ``ports.Reader``."""

    spec: ApiSpec
    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    """Columns to read; empty: all. A name with a dot reaches into an object: ``user.name``."""
    environ: Mapping[str, str] = field(default_factory=_environ, repr=False)
    clock: Callable[[], datetime] = field(default=_now, repr=False)
    patience: Patience = field(default=Patience(), repr=False)

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Yield the rows since ``watermark``, and before it those of ``recheck`` once more.

        Raises:
            UserError: the service refuses the question, or an answer does not hold what the project says.
            OutsideError: the service does not answer, or not as it should, after several attempts; credentials are
                missing, wrong or expired. Batches before have been yielded.
        """
        known = _Mark.parse(watermark)
        headers = variables.fill_all(self.spec.headers, self.environ)
        with calls.open_client("api", self.patience, {"Accept": "application/json", **headers}) as client:
            service = Service(self.spec, client, self.environ, self.patience, self.clock)
            run = _Run(self, service, known)
            for number in range(PASSES):
                yield from run.batches(first=number == 0)
                if not run.overlapped:
                    break
            else:
                raise OutsideError(
                    f"{service.host}: pages overlap, {PASSES} times over, so rows may be missing; sort them by a "
                    "parameter in params:, or page by a cursor"
                )
            yield from run.end()


@dataclass
class _Run:
    """One read of an API from a watermark to the last page."""

    reader: ApiReader
    service: Service
    known: _Mark
    overlapped: bool = False

    def __post_init__(self) -> None:
        self.spec = self.reader.spec
        self.findings: list[Finding] = []
        self.given: set[bytes] = set()
        """What has been given, by content."""
        self.ahead = 0
        half = self.known.at is not None
        self.since = self.known.since if half else self._since()
        self.found = self.known.found if half else self.known.most
        self.line = 0
        """Goes on over all passes: of two versions of a row the one that was told later has the larger line."""
        self.last: list[pl.DataFrame] = []
        """Rows of the last pages, not yet given."""

    def _since(self) -> str | None:
        """The value to ask from."""
        mark = self.spec.watermark
        if mark is None or mark.param is None:
            return None
        most = self.known.most
        moment = moment_of(most)
        if most is None or moment is None:
            return most or mark.since
        limit = limit_of(most, self.reader.clock())
        if moment > limit:
            told = f"the last watermark {most} lies in the future: has a clock gone back? Read again from now on"
            self.findings.append(Finding("watermark", Severity.WARNING, mark.column, told))
            moment = limit
        return shaped(moment - Step.parse(mark.recheck).nominal, most)

    def batches(self, *, first: bool) -> Iterator[Batch]:
        """Yield what one pass over all pages gives that was not given before."""
        self.overlapped = False
        keys: set[tuple[Any, ...]] = set()
        held: list[pl.DataFrame] = []
        count = pages = 0
        for page in self.service.pages(self.since, *self._begin(first=first)):
            frame = self._fresh(page.rows, keys)
            held.append(frame)
            count, pages = count + frame.height, pages + 1
            if page.following is not None and (count >= ROWS or pages >= PAGES):
                mark = _Mark(self.known.most)
                if first and not self.overlapped:
                    told = (self.service.hidden(page.following), self.service.hidden(page.here))
                    mark = _Mark(self.known.most, *told, page.digest, self.since, self.found)
                yield self._batch(held, mark)
                held, count, pages = [], 0, 0
        if self.overlapped and any(frame.height for frame in held):
            yield self._batch(held, _Mark(self.known.most))
            held = []
        self.last = held

    def end(self) -> Iterator[Batch]:
        """Yield the last rows of a read that reached its end, and its watermark."""
        if self.ahead:
            lie = "1 row lies" if self.ahead == 1 else f"{self.ahead:,} rows lie"
            told = f"{lie} in the future; the watermark does not move beyond now"
            column = self.spec.watermark.column if self.spec.watermark else ""
            self.findings.append(Finding("watermark", Severity.WARNING, column, told, rows=self.ahead))
        if self.given or self.findings or self.found != self.known.most:
            yield self._batch(self.last, _Mark(self.found), tuple(self.findings))

    def _begin(self, *, first: bool) -> tuple[Position | None, str]:
        """Where to begin: where the last read was left, if what it read is still there; else at the first page."""
        if not first or self.known.at is None or self.known.back is None:
            return None, ""
        at, back = self.service.shown(self.known.at), self.service.shown(self.known.back)
        try:
            same = self.service.ask(self.since, back).digest == self.known.digest
        except UserError:  # such as a cursor that has expired
            same = False
        return (at, self.known.digest) if same else (None, "")

    def _fresh(self, rows: Sequence[Mapping[str, Any]], keys: set[tuple[Any, ...]]) -> pl.DataFrame:
        """Rows not given before; a key that came with an earlier page shows that pages overlap."""
        kept = []
        here: set[tuple[Any, ...]] = set()
        for row in rows:
            key = tuple(jsontext.as_text(json_pages.dig(row, name)) for name in self.reader.key)
            if key and key in keys:
                self.overlapped = True
            here.add(key)
            content = hashlib.blake2b(json.dumps(row, sort_keys=True).encode(), digest_size=16).digest()
            if key and content in self.given:
                continue
            self.given.add(content)
            self._note(row)
            kept.append(row)
        keys |= here
        return self._frame(kept)

    def _note(self, row: Mapping[str, Any]) -> None:
        mark = self.spec.watermark
        value = jsontext.as_text(json_pages.dig(row, mark.column)) if mark else None
        if value is None:
            return
        moment = moment_of(value)
        if moment is not None and moment > limit_of(value, self.reader.clock()):
            self.ahead += 1
        else:
            self.found = later(self.found, value)

    def _frame(self, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        mark = self.spec.watermark
        names = dict.fromkeys((*self.reader.key, *([mark.column] if mark else []), *self.reader.columns))
        deep = [name for name in names if "." in name]
        if deep:
            rows = [{**row, **{name: json_pages.dig(row, name) for name in deep}} for row in rows]
        frame = jsontext.frame(rows, names)
        lines = pl.Series("_line", range(self.line + 1, self.line + frame.height + 1), pl.Int64)
        self.line += frame.height
        return frame.with_columns(pl.lit(self.service.label).alias("_file"), lines)

    def _batch(self, held: Sequence[pl.DataFrame], mark: _Mark, findings: tuple[Finding, ...] = ()) -> Batch:
        frames = [frame for frame in held if frame.height] or [self._frame([])]
        rows = pl.concat(frames, how="diagonal")
        if self.reader.columns:
            rows = rows.select(list(dict.fromkeys((*self.reader.key, *self.reader.columns, "_file", "_line"))))
        return Batch(rows.select(pl.exclude("_file", "_line"), "_file", "_line"), mark.dump(), findings=findings)
