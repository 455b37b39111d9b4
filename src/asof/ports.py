"""What the flows need from outside, as protocols; ``adapters`` fills them.

Each port is one narrow seam: a short fake beside its exam in ``asof.testing`` and the real
adapter pass the same exam.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import polars as pl

from asof.data import Finding
from asof.specs import TimeSpec

Again = Literal["", "file", "all"]
"""What is told again: nothing; a ``file``, read before in another state, so that what it still says is no news; or
``all`` of a source from the start, where a content that is known is none."""


@dataclass(frozen=True)
class Batch:
    """Raw rows as read: every value as text (String columns), with where each came from."""

    rows: pl.DataFrame
    """User's columns as String, and ``_file`` (String), ``_line`` (Int64: line, row or offset within it)."""
    watermark: str | None = None
    """What the reader wants to be told next time, stored in the same commit as the rows."""
    broken: pl.DataFrame | None = None
    """Lines that could not be split into columns: ``_file``, ``_line``, ``text``, ``reason``."""
    findings: tuple[Finding, ...] = ()
    """What the reader noticed, such as a file that is gone; subjects without the name of the source."""
    again: Again = ""
    """Whether it tells how things are now, or repeats in part what was told before."""


@dataclass(frozen=True)
class Asked:
    """What a reader is told of its source besides its own options."""

    folder: Path
    """Base of relative paths: the folder of the project file."""
    key: tuple[str, ...] = ()
    time: TimeSpec | None = None
    columns: tuple[str, ...] = ()
    """Columns to read; empty: all."""


class Reader(Protocol):
    """Reads one source from outside, a batch at a time."""

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """Yield what is new since ``watermark`` (all, when none), oldest first; each batch may be committed alone."""
        ...


@runtime_checkable
class FolderReader(Protocol):
    """A reader of files in folders, which can be watched."""

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        """See ``Reader``."""
        ...

    def only(self, files: Sequence[str]) -> "Reader":
        """Read none but these files, by their names in ``_file``."""
        ...

    def folders(self) -> Mapping[Path, bool]:
        """Local folders in which files may appear, there or not yet, and whether folders within them count."""
        ...

    def stamps(self) -> Mapping[str, str]:
        """Local files that are there now, and what tells one state of each from another."""
        ...

    def unread(self, files: Sequence[str], watermark: str | None) -> list[str]:
        """Those of ``files`` that have not been read as they are now."""
        ...

    def gone(self, watermark: str | None) -> list[str]:
        """Files that were read and are no longer there."""
        ...

    def growing(self, watermark: str | None) -> list[str]:
        """Files of which a last line, cut short just now, was left for the next time."""
        ...

    def ending(self, file: str) -> Literal["whole", "open", "half"]:
        """How a file ends: with a whole line, with one that may go on, or in the middle of a record."""
        ...


class Draft(Protocol):
    """Derived tables of a source, being written part by part."""

    def put(self, part: str, valid: pl.DataFrame, quarantine: pl.DataFrame) -> None:
        """Write one part; nobody sees it yet. All parts have the same columns."""
        ...

    def commit(self, stamp: Mapping[str, str], notes: str = "") -> None:
        """Make the parts the tables, each in one commit with ``stamp``, and keep ``notes`` beside them."""
        ...


class Lake(Protocol):
    """Tables of one project: raw (append-only), valid and quarantine (derived), predictions."""

    def append(
        self, source: str, batch: Batch, key: Sequence[str], month: pl.Series, *, seen: datetime | None = None
    ) -> int:
        """Add the rows not yet there (by key and content hash); returns how many were new. One atomic commit.

        A row that returns to a former content is a new version; ``fingerprints.news`` says when it does.
        ``seen`` is noted as ``_first_seen`` of the new rows; default: the moment of the call.
        """
        ...

    def raw(
        self,
        source: str,
        version: int | None = None,
        *,
        months: Sequence[str] = (),
        columns: Sequence[str] = (),
        where: pl.Expr | None = None,
    ) -> pl.DataFrame:
        """All versions of all rows, in no order, as of ``version`` of the table (default: the latest).

        Text columns, ``_key``, ``_hash``, ``_file``, ``_line``, ``_first_seen``, ``_month``; for lines that could not
        be split, ``_text`` and ``_broken`` (the reason) in place of the user's columns. Or only rows of some
        ``months`` that meet ``where``, with some ``columns``.
        """
        ...

    def months(self, source: str, version: int | None = None) -> Mapping[str, int]:
        """Rows of each month that ``raw`` holds, in the order of months."""
        ...

    def version(self, source: str, table: str = "raw") -> int | None:
        """Version of a table, or none when it does not exist."""
        ...

    def identity(self, source: str) -> str:
        """What tells the raw rows of a source from those of a store made anew, in which versions begin again."""
        ...

    def watermark(self, source: str) -> str | None:
        """The watermark of the last commit of ``raw``."""
        ...

    def stamp(self, source: str) -> Mapping[str, str] | None:
        """Return the stamp of the derived tables if both carry the same one, else none."""
        ...

    def draft(self, source: str, kept: Collection[str] = ()) -> Draft:
        """Begin to replace the derived tables part by part, all but the parts ``kept``."""
        ...

    def notes(self, source: str) -> str:
        """What the last commit of the derived tables says of their parts, or nothing."""
        ...

    def valid(self, source: str, *, columns: Sequence[str] = (), where: pl.Expr | None = None) -> pl.DataFrame:
        """The derived valid rows (those that meet ``where``, with some ``columns`` and those of their order)."""
        ...

    def quarantine(self, source: str) -> pl.DataFrame:
        """The refused rows, whole, as text, with ``_reason``, ``_column``, ``_file``, ``_line``."""
        ...

    def write_predictions(self, rows: pl.DataFrame) -> None:
        """Append answered questions."""
        ...

    def predictions(self) -> pl.DataFrame | None:
        """All answered questions kept so far, or none."""
        ...


class AnswersTable(Protocol):
    """A table of a database into which answers are written."""

    @property
    def called(self) -> str:
        """What messages and results call it: its address, without a password."""
        ...

    def try_out(self) -> None:
        """See that it can be reached; raises ``OutsideError`` where not."""
        ...

    def write(self, answers: pl.DataFrame, key: Sequence[str], more: Sequence[str] = ()) -> int:
        """Write in one transaction; the same again changes nothing. Returns how many rows were new or changed.

        ``key``: columns that say what is asked; ``more``: those that tell rows apart whose key is not complete.
        """
        ...


@dataclass(frozen=True)
class ReleaseRecord:
    """A release as the registry knows it."""

    name: str
    version: int
    folder: Path
    created: datetime
    aliases: tuple[str, ...]
    run: str
    """Id of the tracking run."""
    figures: Mapping[str, float]
    facts: Mapping[str, str]
    """Text facts: fingerprint, cut, why it was or was not promoted."""


class Tracker(Protocol):
    """A run being recorded: parameters and metrics of the run and of its candidates and trials."""

    run: str

    def record(self, *, params: Mapping[str, Any] | None = None, figures: Mapping[str, float] | None = None) -> None:
        """Record parameters and figures of the run itself."""
        ...

    def candidate(self, name: str, params: Mapping[str, Any], figures: Mapping[str, float], parent: str = "") -> str:
        """Record a child run (a candidate, or a trial of one); returns its id."""
        ...

    def attach(self, folder: Path) -> None:
        """Attach the files of ``folder`` (report, plan, findings)."""
        ...


@dataclass(frozen=True)
class RunRecord:
    """A run, or a candidate or trial within one, as the registry knows it."""

    run: str
    label: str
    status: str
    """``running``, ``finished``, ``failed`` or ``killed``."""
    began: datetime
    ended: datetime | None
    params: Mapping[str, str]
    figures: Mapping[str, float]


class Registry(Protocol):
    """Runs and releases of one project, with the aliases ``champion`` and ``challenger``."""

    def begin(self, label: str) -> Tracker:
        """Open a run."""
        ...

    def end(self, tracker: Tracker, *, status: str) -> None:
        """Close it: ``finished`` or ``failed``."""
        ...

    def runs(self) -> list[RunRecord]:
        """All runs, newest first, without their candidates."""
        ...

    def candidates(self, run: str) -> list[RunRecord]:
        """Candidates of a run, or trials of a candidate, oldest first."""
        ...

    def register(
        self, folder: Path, tracker: Tracker, facts: Mapping[str, str], figures: Mapping[str, float]
    ) -> ReleaseRecord:
        """Make a complete release folder known, as a new version."""
        ...

    def set_alias(self, alias: str, version: int) -> None:
        """Point ``alias`` at ``version``; atomic."""
        ...

    def find(self, which: str) -> ReleaseRecord | None:
        """Find a release by alias, version number or name."""
        ...

    def releases(self) -> list[ReleaseRecord]:
        """All releases, newest first."""
        ...

    def decide(self, record: Mapping[str, Any]) -> None:
        """Keep a promotion decision with its figures, or an opening of a holdout."""
        ...

    def decisions(self) -> list[dict[str, Any]]:
        """All decisions, oldest first."""
        ...
