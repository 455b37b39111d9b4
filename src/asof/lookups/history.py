"""Lookup ``history``: what happened before, as known at the moment of each question.

All figures are read from ledgers. A window of length w is ``(as_of - delay - w, as_of - delay]``.
Means are *events per period of the panel* (a day for a day panel) over the covered part of the
window, so that a hole or the beginning of the data never looks like a quiet time; they are unknown
where less than half is covered, and the covered share stands beside them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import polars as pl

from asof.errors import Problem
from asof.ledgers import Moments, Pairs, Past, Reading
from asof.ledgers.moments import Floats, Ints
from asof.ledgers.past import By
from asof.ledgers.periods import Slot
from asof.lookups.base import longest, read_options, steps, table_of
from asof.lookups.plans import HistoryOptions, Plan, problems
from asof.panels import Panel
from asof.specs import FeatureSpec
from asof.times import Step

LEAST_COVERED = 0.5
"""A window that is covered less than this is unknown."""
WHOLE = 1 - 1e-9
"""A period is covered whole from this share on."""


class History:
    """Means over windows, means over the same weekday, lags, and the time since the last event.

    Names, for a source ``crashes``, with ``coarser_``, ``neighbours_`` or ``all_`` after it for rows of other places:

    - ``crashes_mean_28d``: events per period over 28 days;
    - ``crashes_same_weekday_364d``: events per period over those periods of 364 days that have the weekday (for
      periods below a day: the weekday and the hour) of the period asked about; ``crashes_same_hour_28d`` likewise;
    - ``crashes_ratio_28d_364d``: the one mean divided by the other;
    - ``crashes_lag_7d``: the label of the same place for the period that starts 7 days earlier, as it was known;
    - ``crashes_days_since``: days from the end of the last event known until ``as_of``;
    - ``crashes_covered_28d``: covered share of the window;
    - ``crashes_injured_sum_28d``, ``crashes_injured_mean_28d``: total of a column per period, and its mean per event.
    """

    def __init__(self, name: str, plan: Plan) -> None:
        """Store them."""
        self.name, self.plan = name, plan

    @classmethod
    def of(cls, spec: FeatureSpec, panel: Panel) -> "History":
        """Make it from the project's words; what is not said has a default that suits the panel."""
        return cls(spec.name, Plan.of_options(read_options(HistoryOptions, spec), panel))

    @property
    def reach(self) -> timedelta:
        """How far back it reads."""
        plan = self.plan
        return longest([*steps(plan.windows), *steps(plan.weekday), *steps(plan.hour), *steps(plan.lags or ())])

    def check(self, past: Past) -> list[Problem]:
        """Find what cannot be read: a lag not yet known, a source, column or kind of place that is not there."""
        return problems(self.name, self.plan, past)

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions."""
        asked = _Asked.of(questions, past, self.plan.source)
        made: dict[str, pl.Series] = {}
        for by in self.plan.levels(past):
            prefix = self.plan.prefix(by)
            made.update((prefix + name, column) for name, column in self._level(asked, by))
        made.update(self._shares(asked))
        return table_of(made, questions.height)

    def _level(self, asked: "_Asked", by: By) -> Iterator[tuple[str, pl.Series]]:
        plan = self.plan
        yield from _windows(asked, plan, by)
        if by == "neighbours":
            return
        slotted: tuple[tuple[str, Slot, tuple[str, ...]], ...] = (
            ("same_weekday", "weekday hour" if asked.past.panel.every.absolute else "weekday", plan.weekday),
            ("same_hour", "hour", plan.hour),
        )
        for name, slot, windows in slotted:
            yield from _slotted(asked, by, name, slot, windows)
        yield from _lags(asked, plan, by)
        if by == "place":
            yield from _since(asked, plan)
        if by in {"place", "coarser"} or not asked.past.placed(plan.source):
            for column in plan.of:
                yield from _values(asked, plan, by, column)

    def _shares(self, asked: "_Asked") -> Iterator[tuple[str, pl.Series]]:
        """Covered share of each window, once for all places."""
        wanted = dict.fromkeys([*self.plan.windows, *self.plan.weekday, *self.plan.hour])
        for text in wanted:
            step = Step.parse(text)
            covered = asked.covered(asked.high.shift(step, asked.zone, -1), asked.high)
            share = np.minimum(covered / _expected(step, asked.past.panel.every), 1.0)
            yield f"{self.plan.source}_covered_{text}", pl.Series(share[asked.high.index])


@dataclass(frozen=True)
class _Asked:
    """n questions as the history of one source reads them."""

    questions: pl.DataFrame
    past: Past
    source: str
    as_of: Moments
    high: Moments
    """``as_of - delay``."""
    start: Moments

    @classmethod
    def of(cls, questions: pl.DataFrame, past: Past, source: str) -> "_Asked":
        as_of = Moments.of(questions["as_of"])
        return cls(questions, past, source, as_of, past.until(source, as_of), Moments.of(questions["start"]))

    @property
    def zone(self) -> str:
        return self.past.panel.zone

    def covered(self, low: Moments, high: Moments) -> Floats:
        """Covered periods between moments that share their index: one value for each different moment."""
        periods = self.past.periods(self.source)
        return periods.until(high.values) - periods.until(low.values)


def _expected(window: Step, every: Step) -> float:
    """How many periods a window holds."""
    return window.nominal / every.nominal


def _rate(total: Ints | Floats, covered: Floats, expected: float) -> Floats:
    """Total per covered period; NaN where less than half is covered."""
    enough = covered >= LEAST_COVERED * expected
    return np.where(enough, total / np.where(enough, covered, 1.0), np.nan)


def _pairs(asked: _Asked, by: By) -> tuple[Ints, Pairs, Moments, Moments]:
    """Key, place in the questions, end of the windows and ``as_of`` of each different (key, as_of)."""
    keys = asked.past.keys(asked.questions, by)
    pairs = Pairs.of(keys, asked.as_of)
    return keys[pairs.first], pairs, asked.high.take(pairs.first), asked.as_of.take(pairs.first)


def _windows(asked: _Asked, plan: Plan, by: By) -> Iterator[tuple[str, pl.Series]]:
    keys, pairs, high, as_of = _pairs(asked, by)
    reading = asked.past.ledger(asked.source, by).read(keys, high, as_of)
    means: dict[str, Floats] = {}
    for text in plan.windows:
        step = Step.parse(text)
        low = high.shift(step, asked.zone, -1)
        expected = _expected(step, asked.past.panel.every)
        means[text] = _rate(reading.count(low), asked.covered(low, high)[high.index], expected)
        yield f"mean_{text}", pl.Series(means[text][pairs.inverse])
    for short, long in plan.ratios:
        some = means[long] > 0
        ratio = np.where(some, means[short] / np.where(some, means[long], 1.0), np.nan)
        yield f"ratio_{short}_{long}", pl.Series(ratio[pairs.inverse])


def _slotted(asked: _Asked, by: By, name: str, slot: Slot, windows: tuple[str, ...]) -> Iterator[tuple[str, pl.Series]]:
    if not windows:
        return
    past, panel = asked.past, asked.past.panel
    keys = past.keys(asked.questions, by, slot)
    pairs = Pairs.of(keys, asked.as_of)
    high, as_of = asked.high.take(pairs.first), asked.as_of.take(pairs.first)
    slots = past.slots(asked.start, slot)[pairs.first]
    reading = past.ledger(asked.source, by, slot).read(keys[pairs.first], high, as_of)
    hours = 24 / max(panel.every.nominal / timedelta(hours=1), 1.0)
    each = {"weekday": 7.0, "hour": hours, "weekday hour": 7 * hours}[slot]
    periods = past.periods(asked.source, slot)
    for text in windows:
        step = Step.parse(text)
        low = high.shift(step, asked.zone, -1)
        covered = periods.within(low, high, slots)
        mean = _rate(reading.count(low), covered, _expected(step, panel.every) / each)
        yield f"{name}_{text}", pl.Series(mean[pairs.inverse])


def _lags(asked: _Asked, plan: Plan, by: By) -> Iterator[tuple[str, pl.Series]]:
    past, panel = asked.past, asked.past.panel
    lags = plan.legal_lags(past)
    if not lags:
        return
    keys = past.keys(asked.questions, by)
    pairs = Pairs.of(keys, asked.start, asked.as_of)
    keys = keys[pairs.first]
    start, as_of, known = (moments.take(pairs.first) for moments in (asked.start, asked.as_of, asked.high))
    ledger = past.ledger(asked.source, by, value=panel.column)
    for text in lags:
        low = start.shift(Step.parse(text), asked.zone, -1)
        high = low.shift(panel.every, asked.zone)
        reading = ledger.read(keys, high, as_of)
        value, defined = _label(reading, low, panel.measure)
        whole = (asked.covered(low, high) >= WHOLE)[low.index] & (high.micros() <= known.micros())
        yield f"lag_{text}", pl.Series(np.where(whole & defined, value, np.nan)[pairs.inverse])


def _label(reading: Reading, low: Moments, measure: str) -> tuple[Floats, "np.ndarray"]:
    """The label of a period, and where it is defined: a mean of no rows is not."""
    count = reading.count(low)
    if measure == "count":
        return count.astype(np.float64), np.ones(len(count), dtype=bool)
    total = reading.total(low)
    if measure == "sum":
        return total, np.ones(len(count), dtype=bool)
    return total / np.maximum(count, 1), count > 0


def _since(asked: _Asked, plan: Plan) -> Iterator[tuple[str, pl.Series]]:
    if not plan.since:
        return
    keys, pairs, _, as_of = _pairs(asked, "place")
    found = asked.past.ledger(asked.source, "place").last(keys, as_of)
    ended = asked.past.clock(asked.source)
    days = (as_of.micros() - ended[np.maximum(found, 0)]) / 86_400_000_000 if len(ended) else np.zeros(len(found))
    yield "days_since", pl.Series(np.where(found >= 0, days, np.nan)[pairs.inverse])


def _values(asked: _Asked, plan: Plan, by: By, column: str) -> Iterator[tuple[str, pl.Series]]:
    """Total of a column per period, and its mean per event, over each window."""
    keys, pairs, high, as_of = _pairs(asked, by)
    reading = asked.past.ledger(asked.source, by, value=column).read(keys, high, as_of)
    for text in plan.windows:
        step = Step.parse(text)
        low = high.shift(step, asked.zone, -1)
        count, total = reading.count(low), reading.total(low)
        covered = asked.covered(low, high)[high.index]
        per_period = _rate(total, covered, _expected(step, asked.past.panel.every))
        yield f"{column}_sum_{text}", pl.Series(per_period[pairs.inverse])
        per_event = np.where((count > 0) & ~np.isnan(per_period), total / np.maximum(count, 1), np.nan)
        yield f"{column}_mean_{text}", pl.Series(per_event[pairs.inverse])
