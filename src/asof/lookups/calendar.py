"""Lookup ``calendar``: what the local calendar says of the period asked about. It is known ahead, always."""

import math
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl

from asof.errors import Problem, UserError
from asof.ledgers import Moments, Past
from asof.lookups.base import read_options, table_of
from asof.specs import FeatureSpec, Spec
from asof.times import Step, local

FAR_DAYS: Final = 30
"""A holiday further away than this is as far as any other."""
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
        moments = pl.Series("start", begun.values, dtype=pl.Int64).cast(questions["start"].dtype)
        told = self._calendar(local(moments, past.panel.zone), past.panel.every)
        columns = pl.DataFrame(told)[begun.index].to_dict()
        ahead = (questions["start"] - questions["as_of"]).dt.total_microseconds() / 3_600_000_000
        return table_of({**columns, "horizon_hours": ahead}, questions.height)

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

    def _calendar(self, clock: pl.Series, every: Step) -> dict[str, pl.Series]:
        weekday, turn = clock.dt.weekday() - 1, clock.dt.ordinal_day()
        told = {
            "weekday": weekday,
            "weekend": weekday >= 5,
            "month": clock.dt.month(),
            "day": clock.dt.day(),
            "day_of_year": turn,
            "day_of_year_sin": pl.Series(_SINE[turn.to_numpy()]),
            "day_of_year_cos": pl.Series(_COSINE[turn.to_numpy()]),
        }
        if every.absolute:
            hour = clock.dt.hour() + clock.dt.minute() / 60
            # 24 hours in as many steps as a year has days, so that one table serves both.
            step = (hour.to_numpy() * (365.25 / 24)).round().astype(np.int64)
            told |= {"hour": hour, "hour_sin": pl.Series(_SINE[step]), "hour_cos": pl.Series(_COSINE[step])}
        return told | self._around(clock.dt.date())

    def _around(self, days: pl.Series) -> dict[str, pl.Series]:
        """Name of the holiday of each day, and the days to the next and from the last one."""
        if self._holidays is None:
            return {}
        known = sorted({day for day in days if day is not None})
        if not known:
            nothing = pl.Series([], dtype=pl.Float64)
            return {"holiday": nothing.cast(pl.String), "days_to_holiday": nothing, "days_from_holiday": nothing}
        reach = timedelta(days=FAR_DAYS)
        names = self._names(range((known[0] - reach).year, (known[-1] + reach).year + 1))
        free = np.array(sorted(day.toordinal() for day in names))
        asked = np.array([day.toordinal() for day in days])
        after = np.searchsorted(free, asked, side="left")
        before = np.searchsorted(free, asked, side="right") - 1
        to = np.where(after < len(free), free[np.minimum(after, len(free) - 1)] - asked, FAR_DAYS)
        since = np.where(before >= 0, asked - free[np.maximum(before, 0)], FAR_DAYS)
        return {
            "holiday": pl.Series([names.get(day, "none") for day in days], dtype=pl.String),
            "days_to_holiday": pl.Series(np.minimum(to, FAR_DAYS)),
            "days_from_holiday": pl.Series(np.minimum(since, FAR_DAYS)),
        }

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
