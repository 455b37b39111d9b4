"""Lookup ``observations``: what several named stations have measured, each measure over a period and over windows."""

import difflib
from datetime import timedelta

import numpy as np
import polars as pl
from pydantic import Field

from asof.errors import Problem
from asof.ledgers import Moments, Past
from asof.ledgers.moments import Floats, Ints
from asof.lookups.base import longest, numbers_of, read_options, steps, table_of
from asof.panels import Panel
from asof.specs import FeatureSpec, Spec
from asof.times import Step

LEAST_OBSERVED = 0.5
"""A period or window of which less than this was reported is unknown."""
DAY = timedelta(days=1)


class ObservationsOptions(Spec):
    """Options of ``NAME: {observations: SOURCE, ...}``."""

    observations: str
    """The source."""
    by: str | None = None
    """Column that tells the stations apart; none: all rows are of one."""
    stations: dict[str, str | int] = Field(default_factory=dict)
    """What features call a station, and its value in the column ``by``."""
    of: tuple[str, ...] = ()
    """Columns to read; empty: all that hold numbers."""
    totals: tuple[str, ...] = ()
    """Those of them that are summed over a period, such as rain; the others are averaged."""
    windows: tuple[str, ...] | None = None
    """Lengths of windows for means; default: those that suit the period."""
    each: str = "1d"
    """How often a station reports; what lacks more than half of its reports is unknown."""
    known_ahead: bool = False
    """The source is a forecast or a plan: its rows of the period itself may be read."""


class Observations:
    """``NAME_STATION_COLUMN`` over one period, and ``NAME_STATION_COLUMN_7d``, its mean over a window, for each column.

    Periods and windows end at ``as_of - delay``, and only what is available by ``as_of`` is read. With
    ``known_ahead`` they end with the period asked about, whenever their rows became available. A missing value is a
    missing report: a mean is that of the reports there are, a total as many times their mean as there should have
    been, and both are unknown where less than half of the reports are there.
    """

    def __init__(self, name: str, options: ObservationsOptions, panel: Panel) -> None:
        """Store them; windows that are not said suit the length of the panel's periods."""
        self.name, self._options = name, options
        self._windows = _windows(panel.every) if options.windows is None else options.windows

    @classmethod
    def of(cls, spec: FeatureSpec, panel: Panel) -> "Observations":
        """Make it from the project's words."""
        read = read_options(ObservationsOptions, spec)
        steps((*(read.windows or ()), read.each))
        return cls(spec.name, read, panel)

    @property
    def ahead(self) -> tuple[str, ...]:
        """Patterns of features that are declared to be known ahead."""
        return (f"{self.name}_*",) if self._options.known_ahead else ()

    @property
    def reach(self) -> timedelta:
        """How far back it reads."""
        return longest([*steps(self._windows)])

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions."""
        asked = _Asked(questions, past, self._options, self._windows)
        made: dict[str, Floats] = {}
        for prefix, station in self._stations():
            for column in self._columns(past):
                made.update(asked.measure(f"{self.name}_{prefix}{column}", column, station))
        return table_of(made, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find a source, columns or stations that are not there."""
        options, where = self._options, f"features.{self.name}"
        if options.observations not in past.sources:
            near = difflib.get_close_matches(options.observations, past.sources, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return [Problem(f"no source {options.observations!r}{hint}", where=f"{where}.observations")]
        if (options.by is None) != (not options.stations):
            message = "by and stations belong together: the column that tells stations apart, its values by name"
            return [Problem(message, where=where)]
        rows = past.table(options.observations).rows
        there = [name for name in rows.columns if not name.startswith("_")]
        found = [
            Problem(f"no column {name!r}; there are: {', '.join(there)}", where=f"{where}.{option}")
            for option, names in (("by", [options.by] if options.by else []), ("of", options.of))
            for name in names
            if name not in there
        ]
        if found:
            return found
        return [*self._lost_totals(past), *self._lost_stations(rows)]

    def _lost_totals(self, past: Past) -> list[Problem]:
        read = self._columns(past)
        return [
            Problem(f"{name!r} is not among the columns that are read: {', '.join(read)}", where=self._where("totals"))
            for name in self._options.totals
            if name not in read
        ]

    def _lost_stations(self, rows: pl.DataFrame) -> list[Problem]:
        if self._options.by is None:
            return []
        known = rows[self._options.by].cast(pl.String).drop_nulls().unique().sort().to_list()
        return [
            Problem(
                f"no row of {self._options.observations} has {self._options.by} {str(value)!r}; "
                f"there are: {', '.join(known[:10])}",
                where=self._where(f"stations.{name}"),
            )
            for name, value in self._options.stations.items()
            if known and str(value) not in known
        ]

    def _where(self, option: str) -> str:
        return f"features.{self.name}.{option}"

    def _stations(self) -> list[tuple[str, pl.Expr | None]]:
        """What the names of features begin with, and which rows they are made of."""
        if self._options.by is None:
            return [("", None)]
        named = pl.col(self._options.by).cast(pl.String)
        return [(f"{name}_", named == str(value)) for name, value in self._options.stations.items()]

    def _columns(self, past: Past) -> list[str]:
        if self._options.of:
            return list(self._options.of)
        table = past.table(self._options.observations)
        place = (table.place,) if isinstance(table.place, str) else table.place or ()
        return [name for name in numbers_of(table.rows) if name not in {*place, self._options.by}]


class _Asked:
    """n questions, and the stretches that are read for each; they are the same for all columns."""

    def __init__(
        self, questions: pl.DataFrame, past: Past, options: ObservationsOptions, windows: tuple[str, ...]
    ) -> None:
        self._past, self._options = past, options
        zone = past.panel.zone
        self._keys = past.keys(questions, "all")
        if options.known_ahead:
            self._high, self._as_of = Moments.of(questions["end"]), Moments.ever(questions.height)
        else:
            self._as_of = Moments.of(questions["as_of"])
            self._high = past.until(options.observations, self._as_of)
        self._lows = {"": self._high.shift(past.panel.every, zone, -1)}
        if options.known_ahead:
            self._lows[""] = Moments.of(questions["start"])
        self._lows |= {f"_{text}": self._high.shift(Step.parse(text), zone, -1) for text in windows}
        each = Step.parse(options.each).nominal // timedelta(microseconds=1)
        self._due = {name: _due(low, self._high, each) for name, low in self._lows.items()}

    def measure(self, name: str, column: str, station: pl.Expr | None) -> dict[str, Floats]:
        """One column of one station: over the period, and over each window."""
        ledger = self._past.ledger(self._options.observations, "all", value=column, where=station, covered=False)
        reading = ledger.read(self._keys, self._high, self._as_of, list(self._lows.values()))
        made = {}
        for suffix, low in self._lows.items():
            count, due = reading.count(low), self._due[suffix]
            told = (count > 0) & (count >= LEAST_OBSERVED * due)
            value = reading.total(low)
            if suffix or column not in self._options.totals:
                value = value / np.maximum(count, 1)
            else:
                value = value * (np.maximum(due, count) / np.maximum(count, 1))
            made[f"{name}{suffix}"] = np.where(told, value, np.nan)
        return made


def _due(low: Moments, high: Moments, each: int) -> Ints:
    """How many reports are due in n stretches; a day of 23 hours has one like any other."""
    return np.maximum(np.rint((high.micros() - low.micros()) / each), 1).astype(np.int64)


def _windows(every: Step) -> tuple[str, ...]:
    # Some periods up to a month for days; a longer period has its own mean already, so the windows begin beyond it.
    if every.nominal <= DAY:
        return ("3d", "7d", "14d", "30d")
    if every.nominal < 14 * DAY:
        return ("14d", "30d", "91d")
    return ("91d", "182d", "364d") if every.nominal < 91 * DAY else ("364d",)
