"""Lookup ``calendar``: what the local calendar says of the period asked about. It is known ahead, always."""

import math
import operator
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from asof.data import UTC_TIME
from asof.errors import Problem, UserError
from asof.ledgers import Moments, Past
from asof.ledgers.moments import Floats, Ints
from asof.lookups.base import read_options, table_of
from asof.specs import FeatureSpec, Spec
from asof.times import DAY, HOUR, THURSDAY, Step, local_micros

FAR_DAYS: Final = 30
"""A holiday further away than this is as far as any other."""
NEVER: Final = 10**9
"""A day before and after all others, counted from 1970: of some years no holidays are known."""
MOST_KEPT: Final = 64
"""Stretches of years whose holidays are kept."""
MINUTE: Final = 60_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_TURN: Final = [2 * math.pi * day / 365.25 for day in range(367)]
# From a table: vectorised sines may differ in the last bit with the number of questions.
_SINE: Final = np.array([math.sin(angle) for angle in _TURN])
_COSINE: Final = np.array([math.cos(angle) for angle in _TURN])


class CalendarOptions(Spec):
    """Options of ``calendar``."""

    holidays: str | None = None
    """Country, or country and subdivision, as the package ``holidays`` names them: ``DE``, ``US-NY``."""


class Calendar:
    """Weekday, month, day of the year, hour, holidays, and how far ahead is asked.

    ``weekday`` 0..6 (Monday first), ``weekend`` 0 or 1, ``month``, ``day`` of the month, ``day_of_year`` with its
    sine and cosine, ``hour`` with its sine and cosine for periods shorter than a day, ``horizon_hours``; with holidays,
    ``holiday`` (its name, or ``none``), ``days_to_holiday`` and ``days_from_holiday`` (0 on the day, at most 30).
    """

    name = "calendar"

    def __init__(self, holidays: str | None = None) -> None:
        """Store them."""
        self._holidays = holidays
        self._kept: dict[tuple[int, int], tuple[Mapping[int, str], Ints]] = {}

    @classmethod
    def of(cls, spec: FeatureSpec) -> "Calendar":
        """Make it from the project's words."""
        return cls(read_options(CalendarOptions, spec).holidays)

    def reads(self, source: str) -> timedelta:
        """Nothing of any source."""
        del source
        return timedelta(0)

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer from the start of each period, in the zone of the panel."""
        begun = Moments.of(questions["start"])
        clock = local_micros(begun.values, past.panel.zone)
        days = clock // DAY
        columns: dict[str, pl.Series | Floats | Ints] = {
            name: values[begun.index] for name, values in _told(clock, days, past.panel.every).items()
        }
        columns |= self._around(days, begun.index)
        ahead = (questions[name].cast(UTC_TIME).cast(pl.Int64) for name in ("start", "as_of"))
        columns["horizon_hours"] = operator.sub(*ahead) / HOUR
        return table_of(columns, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find a country that nobody keeps the holidays of, or a missing package."""
        if not past.panel.timed:
            message = f"rows of {past.panel.source} have no time, so they have no calendar; leave it out"
            return [Problem(message, where="features.calendar")]
        try:
            self._names([2020])
        except UserError as fault:
            return [Problem(str(fault), where="features.calendar.holidays")]
        return []

    def _around(self, days: Ints, index: Ints) -> dict[str, pl.Series | Floats]:
        """Name of the holiday of each day, and the days to the next and from the last one."""
        if self._holidays is None:
            return {}
        if not len(days):
            nothing = np.empty(0)
            return {"holiday": pl.Series([], dtype=pl.String), "days_to_holiday": nothing, "days_from_holiday": nothing}
        first, last = (date.fromordinal(int(day) + _EPOCH) for day in (days.min() - FAR_DAYS, days.max() + FAR_DAYS))
        names, free = self._free(first.year, last.year)
        to = free[np.searchsorted(free, days, side="left")] - days
        since = days - free[np.searchsorted(free, days, side="right") - 1]
        called = pl.Series([names.get(day, "none") for day in days.tolist()], dtype=pl.String)
        return {
            "holiday": called.gather(index),
            "days_to_holiday": np.minimum(to, FAR_DAYS)[index],
            "days_from_holiday": np.minimum(since, FAR_DAYS)[index],
        }

    def _free(self, first: int, last: int) -> tuple[Mapping[int, str], Ints]:
        """Name of each holiday of some years by its day, counted from 1970; these in order, between two far ones."""
        told = self._kept.get((first, last))
        if told is None:
            found = {day.toordinal() - _EPOCH: name for day, name in self._names(range(first, last + 1)).items()}
            told = found, np.array([-NEVER, *sorted(found), NEVER])
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[first, last] = told
        return told

    def _names(self, years: "range | list[int]") -> Mapping[date, str]:
        """Name of each holiday of some years; the observed day of a holiday carries its name."""
        if self._holidays is None:
            return {}
        try:
            import holidays
        except ImportError as fault:
            raise UserError("holidays need the package `holidays`: install asof[holidays]") from fault
        country, _, subdivision = self._holidays.partition("-")
        try:
            found = holidays.country_holidays(country, subdiv=subdivision or None, years=years)
        except NotImplementedError as fault:
            message = f"no holidays are known for {self._holidays!r}; expected a country such as DE, or US-NY"
            raise UserError(message) from fault
        return {day: name.split("; ")[0].removesuffix(" (observed)") for day, name in sorted(found.items())}


def _told(clock: Ints, days: Ints, every: Step) -> dict[str, Floats | Ints]:
    """What the calendar says of moments by the local clock, in microseconds, and of the days they lie in."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    weekday = (days + THURSDAY) % 7
    turn = days - dates.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64) + 1
    told: dict[str, Floats | Ints] = {
        "weekday": weekday,
        "weekend": (weekday >= 5).astype(np.int64),
        "month": months.astype(np.int64) % 12 + 1,
        "day": days - months.astype("datetime64[D]").astype(np.int64) + 1,
        "day_of_year": turn,
        "day_of_year_sin": _SINE[turn],
        "day_of_year_cos": _COSINE[turn],
    }
    if every.absolute:
        hour = clock % DAY // HOUR + clock % HOUR // MINUTE / 60
        # 24 hours in as many steps as a year has days, so that one table serves both.
        step = (hour * (365.25 / 24)).round().astype(np.int64)
        told |= {"hour": hour, "hour_sin": _SINE[step], "hour_cos": _COSINE[step]}
    return told
