"""Lookup ``around``: the rows nearest in space among those already known."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from weakref import WeakKeyDictionary

import numpy as np
import polars as pl
from pydantic import Field

from asof.data import UTC_TIME
from asof.errors import Problem, UserError
from asof.ledgers import Moments, Past
from asof.ledgers.moments import Floats, Ints
from asof.ledgers.past import number_column
from asof.lookups import coordinates
from asof.lookups.base import OWN, read_options, table_of
from asof.lookups.comparables import Traits, expected, logs, unlogged
from asof.lookups.corrections import Errors, Recent
from asof.lookups.points import Asked, Found, Points, sphere
from asof.panels import Panel
from asof.specs import FeatureSpec, Spec
from asof.times import Step, shift

SOFT_KM = 0.1
"""Added to each distance before it weighs, so that what lies at the same address does not weigh all."""
_DISTANCE = re.compile(r"(\d+(?:\.\d+)?)\s*(km|m)")
_CLOCK = ("_ended", "_available")
_BEFORE_ALL = np.iinfo(np.int64).min


class AroundOptions(Spec):
    """Options of ``around``."""

    source: str | None = None
    """Whose rows; default: the counted source."""
    of: tuple[str, ...] | None = None
    """Columns of numbers; default: the predicted one where rows are predicted by their value."""
    nearest: int = Field(default=20, ge=1, le=1000)
    """How many rows at most."""
    radius: str | None = None
    """How far away at most, such as ``5km`` or ``300m``; none: however far."""
    window: str | None = None
    """How old at most; none: however old."""
    like: tuple[str, ...] = ()
    """Columns of the row asked about and of the rows around: what would these give if they were like it?"""
    compared: int = Field(default=200, ge=10, le=1000)
    """How many rows at most are compared by ``like``."""
    corrected: str | None = None
    """How far back it looks at its own errors, by whose mean ``expected`` is moved, such as ``28d``; none: never."""


class Around:
    """``around_COLUMN_mean``, ``_median`` and ``_weighted`` for each column, ``around_km`` and ``around_rows``.

    Of the rows nearest in space among those that were known at ``as_of``, never the row itself. Weights are
    1 / (distance + 100 m). ``around_km`` is the distance of the furthest of them, ``around_rows`` says how many there
    were. Distances are great circles on a sphere; of rows equally far (to the millimetre) the one that ended last comes
    first, then the smaller key. Rows that lack all the columns are left out, single missing values take no part.

    With ``like`` also ``around_COLUMN_expected``: what a row with these columns would have in this neighbourhood, by a
    regression on the ``compared`` nearest rows, weighted alike. Numbers enter by their logarithm, texts by the number
    that they begin with and as the same or another. With ``corrected`` it is moved by what such answers were off on
    the rows that ended of late, each told as of its own question: a level that rises is followed without delay.
    """

    def __init__(self, name: str, options: AroundOptions, panel: Panel) -> None:
        """Store them, with the defaults that the panel tells."""
        self.name, self._options = name, options
        self._source = options.source or panel.source
        predicted = panel.measure == "value" and self._source == panel.source and panel.column
        self._of = options.of if options.of is not None else (panel.column,) if predicted and panel.column else ()
        told = bool(options.like) and bool(predicted) and panel.column in self._of
        self.against = (f"{self.name}_{panel.column}_expected",) if told else ()
        """Features that say by themselves what the label should be: recipes may be learnt against them."""
        self._errors: WeakKeyDictionary[Past, dict[tuple[str, str], Errors]] = WeakKeyDictionary()

    @classmethod
    def of(cls, spec: FeatureSpec, panel: Panel) -> "Around":
        """Make it from the project's words."""
        return cls(spec.name, read_options(AroundOptions, spec), panel)

    @property
    def reach(self) -> timedelta:
        """How far back it reads; nothing is given up for what has no end."""
        window, corrected = self._options.window, self._options.corrected
        if window is None:
            return timedelta(0)
        return Step.parse(window).nominal + (Step.parse(corrected).nominal if corrected else timedelta(0))

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions."""
        rows = self._rows(past)
        whole = questions.with_columns(coordinates.asked(questions, past)).with_row_index("_asked")
        asked = whole.drop_nulls(["_lat", "_lon", "as_of"])
        points = self._points(rows)
        found = points.nearest(self._asked(asked, rows, past), self._most, self._radius)
        few = Found(found.rows[:, : self._options.nearest], found.km[:, : self._options.nearest])
        expected = dict(self._expected(found, rows, asked, past))
        if self._options.corrected is not None and expected:
            expected = self._moved(expected, asked, _Known(rows, points, past))
        made = dict(self._made(few, rows)) | expected
        every = np.full((questions.height, len(made)), np.nan)
        every[asked["_asked"].to_numpy()] = np.column_stack(list(made.values()))
        return table_of({f"{self.name}_{name}": every[:, at] for at, name in enumerate(made)}, questions.height)

    def check(self, past: Past) -> list[Problem]:
        """Find what cannot be read: a source, coordinates, moments or columns that are not there."""
        where = f"features.{self.name}"
        if self._source not in past.sources:
            near = difflib.get_close_matches(self._source, past.sources, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            return [Problem(f"no source {self._source!r}{hint}", where=f"{where}.source")]
        found = [*self._unreadable(where), *self._nowhere(past, where)]
        for column in self._of:
            try:
                number_column(past.table(self._source).rows, self._source, column)
            except UserError as fault:
                found.append(Problem(str(fault), where=f"{where}.of"))
        return [*found, *self._unlike(past, where)]

    def _unreadable(self, where: str) -> Iterator[Problem]:
        radius = self._options.radius
        if radius is not None and kilometres(radius) is None:
            yield Problem(f"expected a distance such as 5km or 300m, got {radius!r}", where=f"{where}.radius")
        for option, text in (("window", self._options.window), ("corrected", self._options.corrected)):
            try:
                if text is not None and not Step.parse(text).count:
                    yield Problem(f"{text} has no length; expected one such as 365d", where=f"{where}.{option}")
            except UserError as fault:
                yield Problem(str(fault), where=f"{where}.{option}")
        if self._options.corrected is not None and not self._options.like:
            message = "what is expected is corrected, and without like: nothing is expected"
            yield Problem(message, where=f"{where}.corrected")

    def _unlike(self, past: Past, where: str) -> Iterator[Problem]:
        """Say which columns of ``like`` a question does not carry, or the rows do not have."""
        there = set(past.panel.own) if self._source == past.panel.source else set[str]()
        for column in self._options.like:
            if column in self._of:
                yield Problem(f"{column} is what is looked for; it cannot be compared by", where=f"{where}.like")
            elif column not in there:
                near = difflib.get_close_matches(column, there, n=1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                message = f"rows asked about have no column {column!r}{hint} of {self._source}"
                yield Problem(message, where=f"{where}.like")

    def _nowhere(self, past: Past, where: str) -> Iterator[Problem]:
        """Say which coordinates or moments are missing."""
        table, panel = past.table(self._source), past.panel
        if table.rows["_ended"].null_count() == table.rows.height or not panel.timed:
            message = f"rows of {self._source} have no time, so none was known before another"
            yield Problem(message, where=f"{where}.source")
        if coordinates.of(past, self._source) is None:
            message = f"{self._source} has no coordinates; say where its rows lie: `place: {{lat: …, lon: …}}`"
            yield Problem(message, where=f"{where}.source")
        elif not coordinates.told(past):
            message = f"questions have no coordinates: rows of {panel.source} have none, and their places neither"
            yield Problem(message, where=where)

    @property
    def _most(self) -> int:
        return max(self._options.nearest, self._options.compared if self._options.like else 0)

    @property
    def _radius(self) -> float:
        radius = None if self._options.radius is None else kilometres(self._options.radius)
        return np.inf if radius is None else radius

    def _rows(self, past: Past) -> pl.DataFrame:
        """Rows with a point, a time and some value, in the order in which ties are broken."""
        table = past.table(self._source)
        lat, lon = coordinates.of(past, self._source) or ("", "")
        numbers = {f"={name}": number_column(table.rows, self._source, name) for name in self._of}
        rows = table.rows.select("_key", "_ended", "_available", *coordinates.degrees(table.rows[lat], table.rows[lon]))
        rows = (
            rows.with_row_index("_at")
            .with_columns(pl.Series(name, column) for name, column in numbers.items())
            .drop_nulls()
        )
        if numbers:
            rows = rows.filter(pl.any_horizontal(pl.col(name).is_finite() for name in numbers))
        return rows.sort("_ended", "_key", descending=[True, False], maintain_order=True)

    def _points(self, rows: pl.DataFrame) -> Points:
        ended, available = (_micros(rows[name]) for name in ("_ended", "_available"))
        code = rows["_key"].rank("dense").cast(pl.Int64).to_numpy()
        return Points(sphere(rows["_lat"], rows["_lon"]), ended, available, code)

    def _asked(self, asked: pl.DataFrame, rows: pl.DataFrame, past: Past) -> Asked:
        as_of = Moments.of(asked["as_of"])
        low = np.full(len(as_of), _BEFORE_ALL)
        if self._options.window is not None:
            step = Step.parse(self._options.window)
            low = past.until(self._source, as_of).shift(step, past.panel.zone, -1).micros()
        itself = np.full(len(as_of), -1)
        if "unit" in asked.columns and self._source == past.panel.source:
            keys = rows.select(unit="_key", _code=pl.col("_key").rank("dense").cast(pl.Int64)).unique("unit")
            of = asked.select(pl.col("unit").cast(pl.String)).join(keys, on="unit", how="left", maintain_order="left")
            itself = of["_code"].fill_null(-1).to_numpy()
        return Asked(sphere(asked["_lat"], asked["_lon"]), as_of.micros(), low, itself)

    def _made(self, found: Found, rows: pl.DataFrame) -> Iterator[tuple[str, Floats]]:
        """Features of n questions, by the last part of their names."""
        there = np.isfinite(found.km)
        weights = 1 / (found.km + SOFT_KM)
        for name in self._of:
            column = rows[f"={name}"].to_numpy()
            held = np.where(there, column[found.rows], np.nan) if len(column) else np.full(there.shape, np.nan)
            held[~np.isfinite(held)] = np.nan
            yield f"{name}_mean", _mean(held, np.ones_like(held))
            yield f"{name}_median", _median(held)
            yield f"{name}_weighted", _mean(held, weights)
        count = there.sum(axis=1)
        last = np.take_along_axis(found.km, np.maximum(count - 1, 0)[:, None], axis=1)[:, 0]
        yield "km", np.where(count > 0, last, np.nan)
        yield "rows", count.astype(np.float64)

    def _expected(
        self, found: Found, rows: pl.DataFrame, asked: pl.DataFrame, past: Past
    ) -> Iterator[tuple[str, Floats]]:
        """What rows like those asked about would have in their neighbourhoods."""
        if not self._options.like:
            return
        names = list(self._options.like)
        kept = past.table(self._source).rows.select(names)[rows["_at"]]
        texts = [name for name, dtype in kept.schema.items() if dtype == pl.String]
        here = asked.select(pl.col(OWN + name).alias(name) for name in names)
        alike = [pl.col(name).cast(pl.String if name in texts else pl.Float64, strict=False) for name in names]
        traits = Traits.of(kept.with_columns(alike), here.with_columns(alike))
        weights = 1 / (found.km + SOFT_KM)  # 0 where there is none
        for name in self._of:
            yield f"{name}_expected", expected(rows[f"={name}"].to_numpy(), traits, found.rows, weights)

    def _moved(self, expected: dict[str, Floats], asked: pl.DataFrame, known: "_Known") -> dict[str, Floats]:
        """Move what is expected by the mean error of late of such answers, told as far ahead."""
        past, rows = known.past, known.rows
        high = past.until(self._source, Moments.of(asked["as_of"]))
        low = high.shift(Step.parse(self._options.corrected or ""), past.panel.zone, -1)
        moments = self._asked(asked, rows, past)
        position = np.full(rows.height + 1, -1)  # of each code, counted from the earliest row; code 0 is no row
        position[rows["_key"].rank("dense").cast(pl.Int64).to_numpy()] = np.arange(rows.height)[::-1]
        recent = Recent(moments.as_of, low.micros(), high.micros(), position[np.maximum(moments.itself, 0)])
        moved = {name: logs(values) for name, values in expected.items()}
        errors = self._errors.setdefault(past, {})
        for horizon in asked["horizon"].unique().sort():
            part = (asked["horizon"] == horizon).arg_true().to_numpy()
            looks = Recent(recent.as_of[part], recent.low[part], recent.high[part], recent.itself[part])
            for name, told in moved.items():
                made = errors.setdefault((name, horizon), Errors(*(_micros(rows[c])[::-1] for c in _CLOCK)))
                told[part] += made.mean(looks, partial(self._missed, name, horizon, known))
        return {name: unlogged(told) for name, told in moved.items()}

    def _missed(self, name: str, horizon: str, known: "_Known", at: Ints) -> Floats:
        """By how much rows, counted from the earliest, were missed on the log scale, each as of its own question."""
        past, rows = known.past, known.rows
        told = rows[rows.height - 1 - at]
        table = past.table(self._source).rows[told["_at"]]
        asked = told.select("_lat", "_lon", unit=pl.col("_key").cast(pl.String)).with_columns(
            table.select(pl.col(column).alias(OWN + column) for column in self._options.like),
            as_of=shift(table["_event"].cast(UTC_TIME), Step.parse(horizon), past.panel.zone, -1),
        )
        found = known.points.nearest(self._asked(asked, rows, past), self._most, self._radius)
        expected = dict(self._expected(found, rows, asked, past))[name]
        return logs(told["=" + name.removesuffix("_expected")].to_numpy()) - logs(expected)


@dataclass(frozen=True)
class _Known:
    """The rows around, latest first."""

    rows: pl.DataFrame
    points: Points
    past: Past


def kilometres(text: str) -> float | None:
    """Read a distance such as ``5km`` or ``300m``; none where it is no distance, or zero."""
    found = _DISTANCE.fullmatch(text.strip())
    read = float(found[1]) / (1 if found[2] == "km" else 1000) if found else 0.0
    return read if read > 0 else None


def _micros(times: pl.Series) -> Ints:
    return times.cast(UTC_TIME).to_physical().to_numpy()


def _mean(held: Floats, weights: Floats) -> Floats:
    """Weighted mean of each row without NaN, summed one by one so that a row has the same bits among many."""
    total, weight = np.zeros(len(held)), np.zeros(len(held))
    for place in range(held.shape[1]):
        there = ~np.isnan(held[:, place])
        total += np.where(there, held[:, place] * weights[:, place], 0.0)
        weight += np.where(there, weights[:, place], 0.0)
    mean: Floats = np.divide(total, weight, out=np.full(len(held), np.nan), where=weight > 0)
    return mean


def _median(held: Floats) -> Floats:
    """Median of each row without NaN."""
    ascending = np.sort(held, axis=1)
    count = (~np.isnan(held)).sum(axis=1)
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, held.shape[1] - 1)
    middle = [np.take_along_axis(ascending, at[:, None], axis=1)[:, 0] for at in (low, high)]
    return np.where(count > 0, (middle[0] + middle[1]) / 2, np.nan)
