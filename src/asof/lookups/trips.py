"""Lookup ``trips``: how far the rows of a source lie from another point that each of them names."""

import difflib
from datetime import timedelta
from math import pi

import numpy as np
import polars as pl

from asof.errors import Problem, UserError
from asof.ledgers import Moments, Past
from asof.ledgers.moments import Floats
from asof.ledgers.past import By
from asof.lookups import coordinates
from asof.lookups.base import OWN, longest, read_options, steps, table_of
from asof.lookups.points import EARTH_KM
from asof.panels import Panel
from asof.specs import FeatureSpec, Spec
from asof.times import Step

DAY = timedelta(days=1)


class TripsOptions(Spec):
    """Options of ``NAME: {trips: SOURCE, to: [lat, lon], ...}``."""

    trips: str
    """Source whose rows have coordinates: ``place: {lat: …, lon: …}``."""
    to: tuple[str, str]
    """Columns of latitude and longitude of the other point."""
    windows: tuple[str, ...] | None = None
    """Lengths of windows for means; default: a day and four weeks, or where periods are longer as many of them."""


class Trips:
    """``NAME_km_28d``, for rows of other places ``NAME_neighbours_km_28d`` and ``NAME_all_km_28d``: mean distance.

    Great circles, over the rows with both points in a window ``(as_of - delay - w, as_of - delay]``, known at
    ``as_of``; unknown where there are none. Where whole places are held out, rows of the place itself are not read, and
    those of all neither. A question about a row also has ``NAME_km``, its own distance.
    """

    def __init__(self, name: str, options: TripsOptions, panel: Panel) -> None:
        """Store them; windows that are not said suit the length of the panel's periods."""
        self.name, self._options = name, options
        usual = ("1d", "28d") if panel.every.nominal <= DAY else (str(panel.every),)
        self._windows = usual if options.windows is None else options.windows

    @classmethod
    def of(cls, spec: FeatureSpec, panel: Panel) -> "Trips":
        """Make it from the project's words."""
        return cls(spec.name, read_options(TripsOptions, spec), panel)

    @property
    def reach(self) -> timedelta:
        """How far back it reads."""
        return longest([*steps(self._windows)])

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions."""
        made: dict[str, pl.Series | Floats] = {}
        if self._own(past):
            named = {name: questions[OWN + name] for name in (*self._pair(past), *self._options.to)}
            made[f"{self.name}_km"] = pl.DataFrame(named).select(km=self._km(past))["km"]
        source = self._options.trips
        high, as_of = past.until(source, Moments.of(questions["as_of"])), Moments.of(questions["as_of"])
        lows = {text: high.shift(Step.parse(text), past.panel.zone, -1) for text in self._windows}
        for by in self._levels(past):
            ledger = past.ledger(source, by, value=self._km(past), covered=False)
            reading = ledger.read(past.keys(questions, by), high, as_of, list(lows.values()))
            prefix = "" if by == "place" else f"{by}_"
            for text, low in lows.items():
                count, total = reading.count(low), reading.total(low)
                mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
                made[f"{self.name}_{prefix}km_{text}"] = mean
        return table_of(made, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find what cannot be read: a source, coordinates, moments, columns or lengths of time."""
        where, source = f"features.{self.name}", self._options.trips
        if source not in past.sources:
            near = difflib.get_close_matches(source, past.sources, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return [Problem(f"no source {source!r}{hint}", where=f"{where}.trips")]
        rows = past.table(source).rows
        found = []
        if rows["_ended"].null_count() == rows.height or not past.panel.timed:
            found.append(Problem(f"rows of {source} have no time, so none was known before another", where=where))
        if coordinates.of(past, source) is None:
            told = f"{source} has no coordinates; say where its rows lie: `place: {{lat: …, lon: …}}`"
            found.append(Problem(told, where=where))
        for name in self._options.to:
            if name not in rows.columns or not rows[name].dtype.is_numeric():
                there = ", ".join(column for column, kind in rows.schema.items() if kind.is_numeric())
                found.append(Problem(f"no column of numbers {name!r}; there are: {there}", where=f"{where}.to"))
        return [*found, *self._unreadable(f"{where}.windows")]

    def _unreadable(self, where: str) -> list[Problem]:
        found = []
        for text in self._windows:
            try:
                if not Step.parse(text).count:
                    found.append(Problem(f"{text} has no length; expected one such as 28d", where=where))
            except UserError as fault:
                found.append(Problem(str(fault), where=where))
        return found

    def _levels(self, past: Past) -> tuple[By, ...]:
        panel = past.panel
        if panel.places.kind == "all" or not past.placed(self._options.trips):
            return ("all",)
        near: tuple[By, ...] = ("neighbours",) if panel.places.neighbours else ()
        if panel.apart and self._options.trips == panel.source:
            return near
        return ("place", *near, "all")

    def _own(self, past: Past) -> bool:
        mine = past.panel.rows and past.panel.source == self._options.trips
        return mine and {*self._pair(past), *self._options.to} <= set(past.panel.own)

    def _pair(self, past: Past) -> tuple[str, str]:
        return coordinates.of(past, self._options.trips) or ("", "")

    def _km(self, past: Past) -> pl.Expr:
        """Great-circle distance in km to the millimetre (haversine); null where a coordinate is nowhere on earth."""
        pairs = (self._pair(past), self._options.to)
        (lat, lon), (to_lat, to_lon) = ([pl.col(name).cast(pl.Float64) * (pi / 180) for name in pair] for pair in pairs)
        half = ((to_lat - lat) / 2).sin().pow(2) + lat.cos() * to_lat.cos() * ((to_lon - lon) / 2).sin().pow(2)
        told = (2 * EARTH_KM * half.sqrt().clip(upper_bound=1.0).arcsin()).round(6)
        on_earth = [pl.col(north).is_between(-90, 90) & pl.col(east).is_between(-180, 180) for north, east in pairs]
        return pl.when(on_earth[0] & on_earth[1]).then(told)
