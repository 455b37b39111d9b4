"""Past: the sources of a project as features read them."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, cast

import numpy as np
import numpy.typing as npt
import polars as pl

from asof.data import UTC_TIME, Numbered, SourceTable
from asof.errors import DataError
from asof.ledgers import scrambling
from asof.ledgers.beside import Beside
from asof.ledgers.ledger import Clock, Ledger
from asof.ledgers.moments import Floats, Ints, Moments
from asof.ledgers.periods import Periods, Slot, slots
from asof.ledgers.relations import Relations
from asof.panels import Panel
from asof.times import Step, period_micros, shift

Value = TypeVar("Value", bound=np.generic)
By = Literal["place", "coarser", "neighbours", "all"]
SLOTS: dict[Slot | None, int] = {None: 1, "weekday": 7, "hour": 24, "weekday hour": 168}
"""Number of different slots of each kind."""


class Past:
    """What features read: the sources, the panel, and the ledgers built so far.

    Rows of a source with places carry ``_place`` (String, null = outside). Ledgers count the rows
    that lie in a place (all rows of a source without places) and in a covered stretch: what is
    known of a stretch that is not covered is only a part, so it is no count.
    """

    def __init__(self, sources: Mapping[str, SourceTable], panel: Panel) -> None:
        """Keep them; ledgers are made when first asked for, and then kept."""
        self._sources = dict(sources)
        self.panel = panel
        self._made: dict[tuple[Any, ...], Any] = {}
        self._leaning: set[str] = set()

    @property
    def sources(self) -> Mapping[str, SourceTable]:
        """All sources by name."""
        return self._sources

    def table(self, name: str) -> SourceTable:
        """One source; raises DataError naming the nearest one where there is none of this name."""
        if name not in self._sources:
            near = difflib.get_close_matches(name, self._sources, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise DataError(f"no source {name!r}{hint} There are: {', '.join(sorted(self._sources))}")
        return self._sources[name]

    def placed(self, source: str) -> bool:
        """Whether rows of ``source`` lie in places."""
        return "_place" in self.table(source).rows.columns

    def delay(self, source: str) -> Step:
        """Declared delay of ``source`` as a step: whole days are days of the local calendar."""
        return Step.of(self.table(source).delay)

    def until(self, source: str, as_of: Moments) -> Moments:
        """``as_of - delay``: up to where all rows of ``source`` that came in time were known.

        A delay of a day is a day of the local calendar or 24 hours, whichever is longer: when summer time begins, the
        last hour of the day before is not yet surely known.
        """
        stepped = as_of.shift(self.delay(source), self.panel.zone, -1).values
        fixed = as_of.values - self.table(source).delay // timedelta(microseconds=1)
        return Moments(np.minimum(stepped, fixed), as_of.index)

    def ledger(
        self,
        source: str,
        by: By = "place",
        slot: Slot | None = None,
        *,
        value: str | pl.Expr | None = None,
        where: "pl.Expr | Distinct | None" = None,
        covered: bool = True,
    ) -> "Ledger | Beside":
        """Return the ledger of a source.

        Args:
            source: its name.
            by: rows of the place itself, of its coarser place, of the places that touch it, or of all.
            slot: only rows whose own period has the weekday, hour, or both, of the question's period.
            value: a column of numbers to be summed, or what is computed from each row alone; rows where it is missing
                do not count.
            where: a condition that rows must meet, such as ``pl.col("injured") > 0``; or ``Distinct``: of the rows
                that tell one value only the one that was known first.
            covered: leave out the rows of stretches that are not covered; they are no whole counts.

        Raises:
            DataError: no such source or column, a column that is no number, or places asked of a source without.
        """
        kept = where.value if isinstance(where, Distinct) else where
        condition = None if kept is None else kept.meta.serialize()
        ever = where.ever if isinstance(where, Distinct) else None
        summed = value.meta.serialize() if isinstance(value, pl.Expr) else value
        name = ("ledger", source, by, slot, summed, condition, ever, covered)
        if name not in self._made:
            if by == "neighbours" and value is None:
                here = self.ledger(source, "place", slot, where=where, covered=covered)
                self._made[name] = Beside(cast("Ledger", here), *self._relations.beside, SLOTS[slot])
            else:
                self._made[name] = self._build(source, by, slot, value, _Kept(where, covered))
        made: Ledger | Beside = self._made[name]
        return made

    def keys(self, questions: pl.DataFrame, by: By = "place", slot: Slot | None = None) -> Ints:
        """Key of each question in the ledgers of the same ``by`` and ``slot``; negative where it can have no rows."""
        place = self._relations.codes(questions["place"], by)
        return place if slot is None else self.slotted(place, Moments.of(questions["start"]), slot)

    def slotted(self, keys: Ints, period_starts: Moments, slot: Slot) -> Ints:
        """Return keys of ledgers told apart by ``slot`` as well, of those without; by the period asked about."""
        return np.where(keys < 0, -1, keys * SLOTS[slot] + self.slots(period_starts, slot))

    def listed(self, places: pl.Series) -> Ints:
        """Position of each place (String) among those of the panel, -1 where it is none of them."""
        name = ("listed",)
        if name not in self._made:
            self._made[name] = Numbered(self.panel.places.ids).of(self._relations.names)
        among: Ints = self._made[name]
        known = self._relations.codes(places, "place")
        return np.where(known < 0, -1, among[known]) if len(among) else known

    def coarser(self, places: pl.Series) -> pl.Series:
        """Coarser place of each place (String, null = none)."""
        return self._relations.above(places)

    def periods(self, source: str, slot: Slot | None = None) -> Periods:
        """Return the periods of the panel that ``source`` covers."""
        self._leaning.add(source)
        name = ("periods", source, slot)
        if name not in self._made:
            self._made[name] = Periods.of(self.table(source).coverage, self.panel.every, self.panel.zone, slot)
        made: Periods = self._made[name]
        return made

    def covered(self, source: str, low: Moments | Ints, high: Moments | Ints) -> Ints:
        """Covered microseconds of each of n stretches (low, high], given as Moments or int64 microseconds."""
        low, high = (edge if isinstance(edge, Moments) else Moments.of(edge) for edge in (low, high))
        self._leaning.add(source)
        coverage = self.table(source).coverage
        begun, ended = (
            pl.Series(list(edges), dtype=UTC_TIME).to_physical().to_numpy()
            for edges in (coverage.starts, coverage.ends)
        )
        total = np.concatenate([[0], np.cumsum(ended - begun)])

        if not len(begun):
            return np.zeros(len(low), dtype=np.int64)

        def until(moments: Ints) -> Ints:
            piece = np.searchsorted(begun, moments, side="right") - 1
            held = np.maximum(piece, 0)
            return np.where(piece < 0, 0, total[held] + np.minimum(moments - begun[held], (ended - begun)[held]))

        return np.asarray(until(high.values)[high.index] - until(low.values)[low.index])

    @property
    def leaning(self) -> frozenset[str]:
        """Sources whose coverage something that was read so far leans on."""
        return frozenset(self._leaning)

    def without(self, *columns: str) -> "Past":
        """Return the same past without some columns of its rows, for who holds it long."""
        left = {name: table.rows.drop(columns, strict=False) for name, table in self._sources.items()}
        return Past({name: replace(self._sources[name], rows=rows) for name, rows in left.items()}, self.panel)

    def known(self, cut: datetime) -> "Past":
        """Return what was known at ``cut``: only rows available by then, and coverage up to the cut - delay."""
        return Past({name: self._known(table, cut) for name, table in self._sources.items()}, self.panel)

    def scrambled(self, cut: datetime, seed: int) -> "Past":
        """Return the same past with everything that became known after ``cut`` put at random.

        Nothing that is asked as of the cut or before may answer otherwise.
        """
        draw = np.random.default_rng(seed)
        tables = self._sources.items()
        mixed = {name: replace(table, rows=scrambling.scrambled(table.rows, cut, draw)) for name, table in tables}
        return Past(mixed, self.panel)

    def _known(self, table: SourceTable, cut: datetime) -> SourceTable:
        moment = pl.Series([cut]).cast(UTC_TIME)
        stepped = shift(moment, Step.of(table.delay), self.panel.zone, -1)[0]
        end = min(stepped, moment[0] - table.delay)
        return replace(table, rows=scrambling.known(table.rows, cut), coverage=table.coverage.before(end))

    @property
    def _relations(self) -> Relations:
        if ("relations",) not in self._made:
            seen = [table.rows["_place"] for name, table in self._sources.items() if self.placed(name)]
            self._made["relations",] = Relations.of(self.panel.places, seen)
        made: Relations = self._made["relations",]
        return made

    def slots(self, period_starts: Moments, slot: Slot) -> Ints:
        """Weekday, hour, or both, of n periods by their starts (see ``periods.slots``)."""
        return slots(period_starts.values, slot, self.panel.zone)[period_starts.index]

    def ended(self, source: str, rows: Ints, *, covered: bool = True) -> Ints:
        """``_ended`` of some of the same rows as ``rows``, by their positions, in microseconds."""
        clock = self._counted(source, covered).clock
        return clock.ended[clock.ended_rank[rows]]

    def rows(self, source: str, *, covered: bool = True) -> pl.DataFrame:
        """Rows that a ledger of ``source`` counts; ``Ledger.last`` points into them."""
        name = ("rows", source, covered)
        if name not in self._made:
            inside = self._counted(source, covered).inside
            rows = self.table(source).rows
            self._made[name] = rows if inside is None else rows.filter(pl.Series(inside))
        made: pl.DataFrame = self._made[name]
        return made

    def _counted(self, source: str, covered: bool) -> "_Counted":  # noqa: FBT001 - private
        """Which rows count, their clock, and the code of their place."""
        if covered:
            self._leaning.add(source)
        name = ("counted", source, covered)
        if name not in self._made:
            table, placed = self.table(source), self.placed(source)
            rows = table.rows.select("_ended", "_available", *(["_place"] if placed else []))
            inside = _inside(table, rows) if covered else np.ones(rows.height, dtype=bool)
            if placed:
                inside &= rows["_place"].is_not_null().to_numpy()
            every = bool(inside.all())
            rows = rows if every else rows.filter(pl.Series(inside))
            place = self._relations.codes(rows["_place"], "place") if placed else np.zeros(rows.height, dtype=np.int64)
            self._made[name] = _Counted(None if every else inside, Clock.of(rows), place)
        made: _Counted = self._made[name]
        return made

    def _slots(self, source: str, slot: Slot, covered: bool) -> Ints:  # noqa: FBT001 - private
        name = ("slots", source, slot, covered)
        if name not in self._made:
            clock = self._counted(source, covered).clock
            # A row that ended on the edge of two periods belongs to the earlier one.
            begun = period_micros(clock.ended - 1, self.panel.every, self.panel.zone)[0]
            self._made[name] = slots(begun, slot, self.panel.zone)[clock.ended_rank]
        made: Ints = self._made[name]
        return made

    def _build(self, source: str, by: By, slot: Slot | None, value: str | pl.Expr | None, kept: "_Kept") -> Ledger:
        if by != "all" and not self.placed(source):
            raise DataError(f"{source} has no places; ask for all of it, or say where its rows lie (place:)")
        counted, rows = self._counted(source, kept.covered), self.table(source).rows
        clock, place = counted.clock, counted.place
        chosen = np.arange(len(place))
        numbers = None
        if value is not None:
            numbers = counted.of(_numbers(rows, source, value))
            chosen = chosen[~np.isnan(numbers)]
        if isinstance(kept.where, Distinct):
            chosen = chosen[self._firsts(source, kept.where, kept.covered)[chosen]]
        elif kept.where is not None:
            meets = rows.select(kept.where.fill_null(value=False).alias("meets"))["meets"].to_numpy()
            chosen = chosen[counted.of(meets)[chosen]]
        key, chosen = self._relations.spread(place[chosen], chosen, by)
        if slot is not None:
            key = key * SLOTS[slot] + self._slots(source, slot, kept.covered)[chosen]
        return Ledger.build(clock, key, rows=chosen, value=numbers)

    def _firsts(self, source: str, distinct: "Distinct", covered: bool) -> npt.NDArray[np.bool_]:  # noqa: FBT001 - private
        """Which of the rows that count are those known first of all with their value; ties by the order of rows.

        Whether a row is first depends on rows known earlier alone, covered or not, so that what comes later changes
        nothing.
        """
        table, counted = self.table(source), self._counted(source, covered=False)
        clock = counted.clock
        value = table.rows.select(value=distinct.value)
        value = value if counted.inside is None else value.filter(pl.Series(counted.inside))
        told = value.with_columns(place=counted.place, known=clock.available_rank)
        within = ["value"]
        if not distinct.ever:
            # A row that ended on the edge of two periods belongs to the earlier one.
            begun = period_micros(clock.ended - 1, self.panel.every, self.panel.zone)[0]
            told = told.with_columns(period=begun[clock.ended_rank])
            within += ["place", "period"]
        found = told.with_row_index("row").drop_nulls("value").sort("known", "row")
        first = np.zeros(len(counted.place), dtype=bool)
        first[found.unique(within, keep="first", maintain_order=True)["row"].to_numpy()] = True
        return first[counted.of(_inside(table, table.rows))] if covered else first


@dataclass(frozen=True)
class Distinct:
    """What counts once: the rows that tell one ``value``, of a place and period of the panel, or ``ever``, of all."""

    value: pl.Expr
    ever: bool = False


@dataclass(frozen=True)
class _Kept:
    """Which rows stand in a ledger."""

    where: "pl.Expr | Distinct | None"
    covered: bool


@dataclass(frozen=True)
class _Counted:
    """Rows of a source that count."""

    inside: npt.NDArray[np.bool_] | None
    """Which of all; none where all do. No rows are copied for it."""
    clock: Clock
    place: Ints
    """Code of the place of each."""

    def of(self, values: npt.NDArray[Value]) -> npt.NDArray[Value]:
        """Those of the values of all rows that belong to the rows that count."""
        return values if self.inside is None else values[self.inside]


def _numbers(rows: pl.DataFrame, source: str, value: str | pl.Expr) -> Floats:
    if isinstance(value, str):
        return number_column(rows, source, value)
    told = rows.select(value.cast(pl.Float64).alias("value"))["value"]
    return told.fill_null(float("nan")).to_numpy()


def number_column(rows: pl.DataFrame, source: str, name: str) -> Floats:
    """Return a column as float64, NaN where it is missing; raises DataError where it is no number."""
    if name not in rows.columns:
        near = difflib.get_close_matches(name, rows.columns, n=1)
        raise DataError(f"{source} has no column {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    column = rows[name]
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(f"{source}.{name} is {column.dtype}, not a number; state its type in checks:, or leave it out")
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _inside(table: SourceTable, rows: pl.DataFrame) -> npt.NDArray[np.bool_]:
    """Which rows ended in a covered stretch."""
    ended = rows["_ended"].to_physical().to_numpy()
    inside = np.zeros(len(ended), dtype=bool)
    for begun, over in zip(table.coverage.starts, table.coverage.ends, strict=True):
        low, high = pl.Series([begun, over], dtype=UTC_TIME).to_physical().to_list()
        inside |= (ended > low) & (ended <= high)
    return inside
