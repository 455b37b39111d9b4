"""The slow oracle: history straight from its definition, to hold the fast one against.

Nothing here is shared with the ledgers: Python loops over rows, the calendar by ``zoneinfo``, and
one join in DuckDB. A user who doubts a figure can ask here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import polars as pl

from asof.data import SourceTable
from asof.panels import Panel
from asof.times import Step

MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Row:
    """A row of a source, as the definition sees it."""

    place: str | None
    ended: datetime
    available: datetime
    value: float | None = None


@dataclass(frozen=True)
class Window:
    """What a window holds."""

    count: int
    total: float
    last: int
    """Position of the last row, -1 where there is none."""


def rows_of(table: SourceTable, value: str | None = None) -> list[Row]:
    """Rows of a source in its order."""
    columns = [table.rows["_place"], table.rows["_ended"], table.rows["_available"]]
    columns.append(table.rows[value].cast(pl.Float64) if value else pl.Series([None] * table.rows.height))
    return [Row(*row) for row in zip(*columns, strict=True)]


def window(rows: Sequence[Row], places: Iterable[str], low: datetime, high: datetime, as_of: datetime) -> Window:
    """Rows of some places with ``low < ended <= high`` and ``available <= as_of``."""
    wanted, count, total, last = list(places), 0, 0.0, -1
    for position, row in enumerate(rows):
        if row.place in wanted and low < row.ended <= high and row.available <= as_of:
            count, last = count + wanted.count(row.place), position
            total += row.value or 0.0
    return Window(count, total, last)


def windows_sql(rows: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Count and sum by one join in DuckDB.

    Args:
        rows: ``key``, ``ended``, ``available`` (int64), ``value``.
        asked: ``key``, ``low``, ``high``, ``as_of`` (int64).

    Returns:
        ``count`` and ``total`` of each question, in order.
    """
    import duckdb

    query = """
        SELECT a.number, count(r.key) AS count, coalesce(sum(r.value), 0.0) AS total
        FROM asked a LEFT JOIN rows r
          ON r.key = a.key AND r.ended > a.low AND r.ended <= a.high AND r.available <= a.as_of
        GROUP BY a.number ORDER BY a.number
    """
    with duckdb.connect() as connection:
        connection.register("rows", rows.to_arrow())
        connection.register("asked", asked.with_row_index("number").to_arrow())
        found = connection.execute(query).fetchall()
    return pl.DataFrame(found, schema={"number": pl.Int64, "count": pl.Int64, "total": pl.Float64}, orient="row")


@lru_cache(maxsize=100_000)
def shifted(moment: datetime, step: Step, zone: str, count: int = 1) -> datetime:
    """Move a moment by steps of the local calendar, minute by minute past what does not exist."""
    total = step.count * count
    if step.absolute:
        return moment + total * timedelta(seconds={"s": 1, "m": 60, "h": 3600}[step.unit])
    written = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if step.unit == "mo":
        months = written.year * 12 + written.month - 1 + total
        written = _in_month(written, months // 12, months % 12 + 1)
    else:
        written += timedelta(days=total * (7 if step.unit == "w" else 1))
    return first_moment(written, zone)


def first_moment(written: datetime, zone: str) -> datetime:
    """First moment at which the clocks of a zone show a time, or a later one where they never do."""
    while True:
        moment = written.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        if moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == written:
            return moment
        written = written.replace(second=0, microsecond=0) + timedelta(minutes=1)


@lru_cache(maxsize=100_000)
def period_of(moment: datetime, every: Step, zone: str) -> tuple[datetime, datetime]:
    """Start and end of the period, of days or hours, that contains a moment."""
    anchor = date(2000, 1, 3)
    if every.absolute:
        begun = first_moment(datetime.combine(anchor, time()), zone)
        length = every.nominal
        start = begun + (moment - begun) // length * length
        return start, start + length
    day = moment.astimezone(ZoneInfo(zone)).date()
    first = anchor + (day - anchor) // timedelta(days=every.count) * timedelta(days=every.count)
    last = first + timedelta(days=every.count)
    return tuple(first_moment(datetime.combine(edge, time()), zone) for edge in (first, last))  # type: ignore[return-value]


class Oracle:
    """History of one source, question by question."""

    def __init__(self, table: SourceTable, panel: Panel) -> None:
        """Take the rows that lie in a covered stretch."""
        self.table, self.panel, self.zone = table, panel, panel.zone
        stretches = list(zip(table.coverage.starts, table.coverage.ends, strict=True))
        self.stretches = stretches
        self.rows = [row for row in rows_of(table) if any(low < row.ended <= high for low, high in stretches)]

    def until(self, as_of: datetime) -> datetime:
        """``as_of - delay``; days of a delay are the longer of local days and of 24 hours."""
        return min(shifted(as_of, Step.of(self.table.delay), self.zone, -1), as_of - self.table.delay)

    def places(self, place: str, by: str) -> list[str]:
        """Places whose rows count."""
        listed = self.panel.places.ids.to_list()
        if by == "place":
            return [place]
        if by == "neighbours":
            return list(self.panel.places.neighbours.get(place, ()))
        if by == "all":
            return sorted({row.place for row in self.rows if row.place is not None} | set(listed))
        above = self.panel.places.coarser
        pairs = dict(zip(listed, above.to_list() if above is not None else [], strict=True))
        return [other for other in listed if pairs[other] == pairs.get(place)] if place in pairs else []

    def slot(self, moment: datetime, kind: str) -> tuple[int, ...]:
        """Weekday, hour, or both, of the start of the period that contains a moment."""
        local = period_of(moment, self.panel.every, self.zone)[0].astimezone(ZoneInfo(self.zone))
        return {"": (), "weekday": (local.weekday(),), "weekday hour": (local.weekday(), local.hour)}[kind]

    def covered(self, low: datetime, high: datetime, slot: str = "", like: datetime | None = None) -> float:
        """Covered periods in (low, high], of the slot of ``like``."""
        total, moment = 0.0, low
        while moment < high:
            start, end = period_of(moment, self.panel.every, self.zone)
            if like is None or self.slot(start, slot) == self.slot(like, slot):
                for begun, over in self.stretches:
                    piece = min(end, high, over) - max(start, low, begun)
                    total += max(piece / (end - start), 0.0)
            moment = end
        return total

    def mean(self, question: dict[str, object], by: str, length: str, slot: str = "") -> tuple[float | None, float]:
        """Events per covered period in a window, of the slot of the question; and how near the limit the cover is."""
        as_of, start = question["as_of"], question["start"]
        assert isinstance(as_of, datetime)
        assert isinstance(start, datetime)
        step = Step.parse(length)
        high = self.until(as_of)
        low = shifted(high, step, self.zone, -1)
        rows = self.rows
        if slot:
            rows = [row for row in rows if self.slot(row.ended - MICROSECOND, slot) == self.slot(start, slot)]
        count = window(rows, self.places(str(question["place"]), by), low, high, as_of).count
        covered = self.covered(low, high, slot, start if slot else None)
        slots = {"": 1.0, "weekday": 7.0, "weekday hour": 168.0 * timedelta(hours=1) / self.panel.every.nominal}[slot]
        least = 0.5 * (step.nominal / self.panel.every.nominal) / slots
        return (count / covered if covered >= least else None), covered - least

    def lag(self, question: dict[str, object], by: str, length: str) -> float | None:
        """Count of the period that starts ``length`` earlier, as it was known; none where it was not."""
        as_of, start = question["as_of"], question["start"]
        assert isinstance(as_of, datetime)
        assert isinstance(start, datetime)
        low, high = period_of(shifted(start, Step.parse(length), self.zone, -1), self.panel.every, self.zone)
        if high > self.until(as_of) or self.covered(low, high) < 1 - 1e-9:
            return None
        return float(window(self.rows, self.places(str(question["place"]), by), low, high, as_of).count)

    def days_since(self, question: dict[str, object]) -> float | None:
        """Days since the end of the last event known."""
        as_of = question["as_of"]
        assert isinstance(as_of, datetime)
        last = window(self.rows, [str(question["place"])], datetime.min.replace(tzinfo=UTC), as_of, as_of).last
        return None if last < 0 else (as_of - self.rows[last].ended) / timedelta(days=1)


def _in_month(written: datetime, year: int, month: int) -> datetime:
    for day in range(written.day, 27, -1):
        try:
            return written.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    return written.replace(year=year, month=month)
