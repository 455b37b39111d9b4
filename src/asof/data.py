"""The nouns of tables: findings, sources as tables, and what they cover.

A source in memory is a Polars frame with the user's columns and five of ours, sorted by
``(_ended, _available, _key)`` so that nothing depends on the order of loading:

====================  =======================  ====================================================
column                dtype                    meaning
====================  =======================  ====================================================
``_key``              String                   the declared key, or the content hash without one
``_event``            Datetime[us, UTC]        when it happened: start of the smallest period stated
``_ended``            Datetime[us, UTC]        end of that smallest period (HH:MM: + 1 minute; a
                                               date: the next local midnight), or of the interval
                                               that the row describes
``_available``        Datetime[us, UTC]        ``_ended`` + delay, or a column of its own
``_first_seen``       Datetime[us, UTC]        when this version of the row was first loaded
====================  =======================  ====================================================

The clock of every window is ``_ended``: "the events of Monday" are those with
``Monday 00:00 < _ended <= Tuesday 00:00``, which for minutes and dates alike are the
events that a person would count, and ``_ended <= t`` is exactly "over by t".
"""

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

import numpy as np
import polars as pl
from numpy.typing import NDArray

FEW = 2_560
"""Up to this many rows one thread alone is quickest."""
UTC_TIME = pl.Datetime("us", "UTC")
"""The one dtype of time inside: microseconds, UTC."""


class Severity(StrEnum):
    """How much a finding matters: an ``error`` refuses, a ``warning`` is shown, a ``note`` is kept."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One named observation of a check (validation, audit, monitoring)."""

    check: str
    """Name of the check, such as ``coverage`` or ``future``."""
    severity: Severity
    subject: str
    """What it is about: ``source.column``, a feature, a period."""
    message: str
    figure: float | None = None
    limit: float | None = None
    rows: int | None = None
    """Number of rows concerned, where that has a meaning."""


@dataclass(frozen=True)
class Coverage:
    """The stretches of time for which a source is known to be complete.

    ``starts[i] <= t < ends[i]`` (UTC) is covered; stretches are sorted and disjoint. It is
    causal: whether a moment is covered depends only on rows up to that moment's period, so
    dropping later rows never changes it.
    """

    starts: tuple[datetime, ...]
    ends: tuple[datetime, ...]

    @property
    def start(self) -> datetime:
        """First covered moment."""
        return self.starts[0]

    @property
    def end(self) -> datetime:
        """Moment at which coverage ends (exclusive)."""
        return self.ends[-1]

    def after(self, begin: datetime) -> "Coverage":
        """Return what is covered from ``begin`` on."""
        kept = [(max(low, begin), high) for low, high in zip(self.starts, self.ends, strict=True) if high > begin]
        return Coverage(tuple(low for low, _ in kept), tuple(high for _, high in kept))

    def before(self, end: datetime) -> "Coverage":
        """Return what is covered before ``end``."""
        kept = [(low, min(high, end)) for low, high in zip(self.starts, self.ends, strict=True) if low < end]
        return Coverage(tuple(low for low, _ in kept), tuple(high for _, high in kept))


@dataclass(frozen=True)
class SourceTable:
    """A source ready for lookups: its rows, its clock, and what it covers."""

    name: str
    rows: pl.DataFrame
    """User's columns and the five of ours (see the module's table)."""
    zone: str
    """IANA zone of the source's own clock."""
    delay: timedelta
    """Constant declared delay; a row with ``_available > _ended + delay`` is *late*."""
    coverage: Coverage
    place: "tuple[str, str] | str | None" = None
    """(latitude column, longitude column), or the column that names the place, or none."""
    version: str = ""
    """Version of the table read, for the record of the run."""


@dataclass(frozen=True)
class Table:
    """What an estimator learns from: n questions with features, labels and weights."""

    features: pl.DataFrame
    """n rows; numbers (null = unknown), and String columns for categories."""
    label: pl.Series
    """n labels, Float64, none unknown."""
    weight: pl.Series | None = None
    """n weights, or none for equal ones."""

    def __len__(self) -> int:
        """Return the number of questions."""
        return self.features.height


@dataclass(frozen=True)
class Profile:
    """What a column of a source looks like, for ``asof check``: one row a column."""

    source: str
    columns: pl.DataFrame = field(repr=False)
    """column, type, missing (share), distinct, low, median, high, top (most frequent values)."""
    rows: int = 0


Sources = Mapping[str, SourceTable]
"""All sources of a project by name, as lookups see them."""


class Numbered:
    """Texts that are known, each by its position among them."""

    def __init__(self, known: pl.Series) -> None:
        """Store n texts (String), no two alike."""
        self._known = known

    @functools.cached_property
    def _places(self) -> Mapping[str | None, int]:
        return {text: number for number, text in enumerate(self._known)}

    def of(self, texts: pl.Series) -> NDArray[np.int64]:
        """Position of each text (String), -1 where it is null or not known."""
        if len(texts) <= FEW:  # to ask Polars would take longer
            told = map(self._places.get, texts.to_list(), itertools.repeat(-1))
            return np.fromiter(told, dtype=np.int64, count=len(texts))
        numbers = pl.Series(np.arange(len(self._known)), dtype=pl.Int64)
        found = texts.replace_strict(self._known, numbers, default=None, return_dtype=pl.Int64)
        return found.fill_null(-1).to_numpy()


def numbers(table: pl.DataFrame) -> NDArray[np.float64]:
    """Return n x p numbers of Float64 columns, unknown ones NaN."""
    if table.height > FEW or not table.width:
        many: NDArray[np.float64] = table.to_numpy()
        return many
    # Few rows are copied at once: to wake other threads costs more, and where they are busy very much more.
    columns = np.empty((table.width, table.height))
    for place, column in enumerate(table.iter_columns()):
        columns[place] = column.to_numpy()
    return np.ascontiguousarray(columns.T)
