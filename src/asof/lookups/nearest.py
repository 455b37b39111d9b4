"""Lookup ``nearest``: the last that was known of another source, or what is known ahead of it."""

import difflib
from datetime import timedelta
from typing import Literal

import numpy as np
import polars as pl

from asof.errors import Problem
from asof.ledgers import Moments, Pairs, Past
from asof.ledgers.moments import Floats, Ints
from asof.lookups.base import numbers_of, read_options, table_of
from asof.specs import FeatureSpec, Spec
from asof.times import HOUR, Step


class NearestOptions(Spec):
    """Options of ``NAME: {nearest: SOURCE, ...}``, or of ``NAME: {nearest: {source: SOURCE, ...}}``."""

    source: str
    columns: tuple[str, ...] = ()
    """Columns to read; empty: all that hold numbers."""
    max_age: str | None = None
    """A value whose row ended longer ago is unknown; none: it holds until the next one."""
    known_ahead: bool = False
    """The source is a forecast or a plan: its rows of the period itself may be read."""


class Nearest:
    """``NAME_COLUMN`` for each column, and ``NAME_age_hours``.

    As known at ``as_of``: the value of the row that ended last among those available, for each column the last that is
    not missing, of the same place where the source has places. With ``known_ahead``: the mean over the rows of the
    period itself (numbers only), whenever they became available.
    """

    def __init__(self, name: str, options: NearestOptions) -> None:
        """Store them."""
        self.name, self._options = name, options

    @classmethod
    def of(cls, spec: FeatureSpec) -> "Nearest":
        """Make it from the project's words; the source is the one of the lookup's name where none is said."""
        options = dict(spec.options)
        said = options.pop("nearest", None)
        if isinstance(said, dict):
            options = {**options, **said}
        elif isinstance(said, str):
            options["source"] = said
        options.setdefault("source", spec.name)
        read = read_options(NearestOptions, spec, options)
        if read.max_age is not None:
            Step.parse(read.max_age)
        return cls(spec.name, read)

    @property
    def ahead(self) -> tuple[str, ...]:
        """Patterns of features that are declared to be known ahead."""
        return (f"{self.name}_*",) if self._options.known_ahead else ()

    def reads(self, source: str) -> timedelta | None:
        """All of its own source, nothing of others."""
        return None if source == self._options.source else timedelta(0)

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions."""
        columns = self._columns(past)
        if self._options.known_ahead:
            return self._of_period(questions, past, columns)
        as_of, keys = Moments.of(questions["as_of"]), past.keys(questions, self._by(past))
        pairs = Pairs.of(keys, as_of)
        as_of, keys = as_of.take(pairs.first), keys[pairs.first]
        rows = past.rows(self._options.source, covered=False)
        made: dict[str, pl.Series | Floats] = {}
        for column in columns:
            last = self._young(past, as_of, self._last(past, as_of, keys, column))
            made[f"{self.name}_{column}"] = _spread(rows[column], last, pairs.inverse)
        last = self._last(past, as_of, keys, None)
        known = np.flatnonzero(last >= 0)
        age = np.full(len(last), np.nan)
        age[known] = (as_of.micros()[known] - past.ended(self._options.source, last[known], covered=False)) / HOUR
        return table_of({**made, f"{self.name}_age_hours": age[pairs.inverse]}, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find a source or columns that are not there."""
        where = f"features.{self.name}"
        if self._options.source not in past.sources:
            near = difflib.get_close_matches(self._options.source, past.sources, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return [Problem(f"no source {self._options.source!r}{hint}", where=f"{where}.nearest")]
        rows = past.table(self._options.source).rows
        lacking = [column for column in self._options.columns if column not in rows.columns]
        there = ", ".join(name for name in rows.columns if not name.startswith("_"))
        return [Problem(f"no column {name!r}; there are: {there}", where=f"{where}.columns") for name in lacking]

    def _columns(self, past: Past) -> list[str]:
        table = past.table(self._options.source)
        if self._options.columns:
            return list(self._options.columns)
        where = (table.place,) if isinstance(table.place, str) else table.place or ()
        return [name for name in numbers_of(table.rows) if name not in where]

    def _last(self, past: Past, as_of: Moments, keys: Ints, column: str | None) -> Ints:
        """Row that ended last among those known, of those with a value in a column where one is named; -1: none."""
        where = None if column is None else pl.col(column).is_not_null()
        return past.ledger(self._options.source, self._by(past), where=where, covered=False).last(keys, as_of)

    def _young(self, past: Past, as_of: Moments, rows: Ints) -> Ints:
        """Rows that are not too old, -1 in place of others."""
        if self._options.max_age is None:
            return rows
        limit = as_of.shift(Step.parse(self._options.max_age), past.panel.zone, -1).micros()
        known = np.flatnonzero(rows >= 0)
        old = known[past.ended(self._options.source, rows[known], covered=False) < limit[known]]
        rows = rows.copy()
        rows[old] = -1
        return rows

    def _of_period(self, questions: pl.DataFrame, past: Past, columns: list[str]) -> pl.DataFrame:
        """Mean of each column over the rows of the period itself, whenever they became available."""
        source, by = self._options.source, self._by(past)
        low, high = Moments.of(questions["start"]), Moments.of(questions["end"])
        keys = past.keys(questions, by)
        made = {}
        for column in columns:
            ledger = past.ledger(source, by, value=column, covered=False)
            reading = ledger.read(keys, high, Moments.ever(questions.height), [low])
            count = reading.count(low)
            mean = reading.total(low) / np.maximum(count, 1)
            made[f"{self.name}_{column}"] = pl.Series(np.where(count > 0, mean, np.nan))
        return table_of(made, questions.height)

    def _by(self, past: Past) -> Literal["place", "all"]:
        return "place" if past.placed(self._options.source) else "all"


def _spread(column: pl.Series, rows: Ints, inverse: Ints) -> pl.Series | Floats:
    """Values of a column at rows (-1 = none), each as often as it is asked for."""
    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        known = np.flatnonzero(rows >= 0)
        told = np.full(len(rows), np.nan)
        told[known] = column[rows[known]].cast(pl.Float64).to_numpy()
        return told[inverse]
    return column.gather(pl.Series(rows, dtype=pl.Int64).set(pl.Series(rows < 0), None)).gather(inverse)
