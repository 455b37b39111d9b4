"""Lookup ``history``: what happened before, as known at the moment of each question.

All figures are read from ledgers. A window of length w is ``(as_of - delay - w, as_of - delay]``.
Means are *events per period of the panel* (a day for a day panel) over the covered part of the
window, so that a hole or the beginning of the data never looks like a quiet time; they are unknown
where less than half is covered, and the covered share stands beside them.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from asof.errors import Problem
from asof.ledgers import Beside, Distinct, Ledger, Moments, Pairs, Past
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
MICROSECONDS_A_DAY = 86_400_000_000
WHOLE = 1 - 1e-9
"""A period is covered whole from this share on."""
Number = TypeVar("Number", np.int64, np.float64)
Features = Iterator[tuple[str, Floats]]
"""Names and n numbers, NaN = unknown."""


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

    Where distinct values are predicted, an event is a value: it counts once a place and period, from the row on by
    which it was known first. Of coarser places and of all, it counts once in each of their places.
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

    def reads(self, source: str) -> timedelta | None:
        """How far back it reads a source: all of its own, where it tells the time since the last event."""
        if source != self.plan.source:
            return timedelta(0)
        usual = steps(self.plan.usual if self.plan.lags is None else ())
        return None if self.plan.since else max(self.reach, longest([*usual]))

    def of_place(self, names: Sequence[str]) -> list[str]:
        """Those of ``names`` that tell of the place's own rows: unknown where nobody has counted there."""
        others = tuple(self.plan.prefix(by) for by in ("coarser", "neighbours", "all"))
        shared = f"{self.plan.source}_covered_"
        mine = [name for name in names if name.startswith(self.plan.prefix("place"))]
        return [name for name in mine if not name.startswith((*others, shared))]

    def check(self, past: Past) -> list[Problem]:
        """Find what cannot be read: a lag not yet known, a source, column or kind of place that is not there."""
        return problems(self.name, self.plan, past)

    def read(self, questions: pl.DataFrame, past: Past) -> pl.DataFrame:
        """Answer the questions."""
        asked = _Asked(questions, past, self.plan.source)
        made: dict[str, Floats] = {}
        for by in self.plan.levels(past):
            prefix = self.plan.prefix(by)
            made.update((prefix + name, column) for name, column in self._level(asked, by))
        made.update(self._shares(asked))
        return table_of(made, questions.height)

    def _level(self, asked: "_Asked", by: By) -> Features:
        plan = self.plan
        yield from _windows(asked, plan, by)
        if by == "neighbours":
            return
        slotted: tuple[tuple[str, Slot], ...] = (
            ("same_weekday", "weekday hour" if asked.past.panel.every.absolute else "weekday"),
            ("same_hour", "hour"),
        )
        for name, slot in slotted:
            yield from _slotted(asked, plan, by, name, slot)
        yield from _lags(asked, plan, by)
        if by == "place" and plan.since:
            yield from _since(asked)
        if by in {"place", "coarser"} or not asked.past.placed(plan.source):
            for column in plan.of:
                yield from _values(asked, plan, by, column)

    def _shares(self, asked: "_Asked") -> Features:
        """Covered share of each window, once for all places."""
        wanted = dict.fromkeys([*self.plan.windows, *self.plan.weekday, *self.plan.hour])
        for text in wanted:
            share = np.minimum(asked.covered(asked.low(text), asked.high) / asked.expected(text), 1.0)
            yield f"{self.plan.source}_covered_{text}", share[asked.high.index]


class _Asked:
    """n questions as the history of one source reads them; what several features share is worked out once."""

    def __init__(self, questions: pl.DataFrame, past: Past, source: str) -> None:
        self.questions, self.past, self.source = questions, past, source
        self.every, self.zone = past.panel.every, past.panel.zone
        self.as_of, self.start = Moments.of(questions["as_of"]), Moments.of(questions["start"])
        self.high = past.until(source, self.as_of)
        """``as_of - delay``."""
        self._keys: dict[tuple[By, Slot | None], Ints] = {}
        self._lows: dict[str, Moments] = {}
        self._pairs: dict[tuple[By, Slot | None, int, bool], Pairs] = {}
        self._lags: dict[str, tuple[Moments, Moments]] = {}

    def keys(self, by: By, slot: Slot | None = None) -> Ints:
        """Key of each question."""
        if (by, slot) not in self._keys:
            self._keys[by, slot] = self.past.keys(self.questions, by, slot)
        return self._keys[by, slot]

    def low(self, window: str) -> Moments:
        """``as_of - delay - window``."""
        if window not in self._lows:
            self._lows[window] = self.high.shift(Step.parse(window), self.zone, -1)
        return self._lows[window]

    def lagged(self, lag: str) -> tuple[Moments, Moments]:
        """Start and end of the period that starts ``lag`` earlier."""
        if lag not in self._lags:
            # A day without a midnight begins at 01:00, the day before it does not: hence the start of the period.
            low = self.start.shift(Step.parse(lag), self.zone, -1).floor(self.every, self.zone)
            self._lags[lag] = (low, low.end(self.every, self.zone))
        return self._lags[lag]

    def covered(self, low: Moments, high: Moments) -> Floats:
        """Covered periods between moments that share their index: one value for each different moment."""
        periods = self.past.periods(self.source)
        return periods.until(high.values) - periods.until(low.values)

    def expected(self, window: str) -> float:
        """How many periods a window holds."""
        return Step.parse(window).nominal / self.every.nominal

    def events(self, by: By, slot: Slot | None = None, value: str | None = None) -> Ledger | Beside:
        """What is counted: rows, or the different values of a column where these are predicted."""
        panel, distinct = self.past.panel, None
        if panel.measure == "distinct" and self.source == panel.source and value is None:
            distinct = Distinct(pl.col(panel.column or ""))
        return self.past.ledger(self.source, by, slot, value=value, where=distinct)

    def pairs(self, by: By, slot: Slot | None, keys: list[Ints], *, started: bool) -> Pairs:
        """The different combinations of ``keys`` and ``as_of``, and the start of the period where that matters."""
        name = (by, slot, len(keys), started)
        if name not in self._pairs:
            self._pairs[name] = Pairs.of(_one(keys), self.as_of, *((self.start,) if started else ()))
        return self._pairs[name]


def _rate(total: Ints | Floats, covered: Floats, expected: float) -> Floats:
    """Total per covered period; NaN where less than half is covered."""
    enough = covered >= LEAST_COVERED * expected
    return np.where(enough, total / np.where(enough, covered, 1.0), np.nan)


class _Windows:
    """Windows of n questions over one kind of place, read once for each different pair of a key and moments."""

    def __init__(
        self, asked: "_Asked", plan: Plan, by: By, edges: tuple[Moments, dict[str, Moments]], **which: Any
    ) -> None:
        """Read them; ``edges`` are their ends and their beginnings, ``which`` the slot or value of the ledger."""
        high, lows = edges
        slot = which.get("slot")
        keys = [asked.keys(by, slot)]
        # The rows of the place itself are among those of its coarser place and of all; its neighbours' are others.
        if not plan.own and by in {"coarser", "all"} and asked.past.placed(asked.source):
            keys.append(asked.keys("place", slot))
        pairs = asked.pairs(by, slot, keys, started=high is not asked.high)
        self.first, self.inverse = pairs.first, pairs.inverse
        self.lows = {text: low.take(pairs.first) for text, low in lows.items()}
        self.high, as_of = high.take(pairs.first), asked.as_of.take(pairs.first)
        levels: tuple[By, ...] = (by, "place")
        self._readings = [
            asked.events(level, **which).read(key[pairs.first], self.high, as_of, list(self.lows.values()))
            for level, key in zip(levels, keys, strict=False)
        ]

    def count(self, text: str) -> Ints:
        """Events in a window, for each pair."""
        return self._less([reading.count(self.lows[text]) for reading in self._readings])

    def total(self, text: str) -> Floats:
        """Total of the value in a window, for each pair."""
        return self._less([reading.total(self.lows[text]) for reading in self._readings])

    def _less(self, read: list[npt.NDArray[Number]]) -> npt.NDArray[Number]:
        return read[0] if len(read) == 1 else np.asarray(read[0] - read[1])


def _one(keys: list[Ints]) -> Ints:
    """One number for one or two keys of each question, at least -1."""
    if len(keys) == 1:
        return keys[0]
    return (keys[0] + 1) * (int(keys[1].max(initial=0)) + 2) + keys[1] + 1


def _windows(asked: _Asked, plan: Plan, by: By) -> Features:
    read = _Windows(asked, plan, by, (asked.high, {text: asked.low(text) for text in plan.windows}))
    means: dict[str, Floats] = {}
    for text in plan.windows:
        covered = asked.covered(asked.low(text), asked.high)[read.high.index]
        means[text] = _rate(read.count(text), covered, asked.expected(text))
        yield f"mean_{text}", means[text][read.inverse]
    for short, long in plan.ratios:
        some = means[long] > 0
        ratio = np.where(some, means[short] / np.where(some, means[long], 1.0), np.nan)
        yield f"ratio_{short}_{long}", ratio[read.inverse]


def _slotted(asked: _Asked, plan: Plan, by: By, name: str, slot: Slot) -> Features:
    windows = plan.hour if slot == "hour" else plan.weekday
    if not windows:
        return
    past = asked.past
    read = _Windows(asked, plan, by, (asked.high, {text: asked.low(text) for text in windows}), slot=slot)
    slots = past.slots(asked.start, slot)[read.first]
    hours = 24 / max(asked.every.nominal / timedelta(hours=1), 1.0)
    each = {"weekday": 7.0, "hour": hours, "weekday hour": 7 * hours}[slot]
    periods = past.periods(asked.source, slot)
    for text, low in read.lows.items():
        mean = _rate(read.count(text), periods.within(low, read.high, slots), asked.expected(text) / each)
        yield f"{name}_{text}", mean[read.inverse]


def _lags(asked: _Asked, plan: Plan, by: By) -> Features:
    past, panel = asked.past, asked.past.panel
    value = None if panel.measure in {"count", "distinct"} else panel.column
    for text in plan.legal_lags(past):
        low, high = asked.lagged(text)
        whole = asked.covered(low, high) >= WHOLE
        read = _Windows(asked, plan, by, (high, {text: low}), value=value)
        known = asked.high.take(read.first).micros()
        told, defined = _label(read, text, panel.measure)
        told_in_time = whole[read.high.index] & (read.high.micros() <= known) & defined
        yield f"lag_{text}", np.where(told_in_time, told, np.nan)[read.inverse]


def _label(read: _Windows, text: str, measure: str) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The label of a period, and where it is defined: a mean of no rows is not."""
    count = read.count(text)
    if measure in {"count", "distinct"}:
        return count.astype(np.float64), np.ones(len(count), dtype=bool)
    total = read.total(text)
    if measure == "sum":
        return total, np.ones(len(count), dtype=bool)
    return total / np.maximum(count, 1), count > 0


def _since(asked: _Asked) -> Features:
    pairs = Pairs.of(asked.keys("place"), asked.as_of)
    as_of = asked.as_of.take(pairs.first)
    found = asked.past.ledger(asked.source, "place").last(asked.keys("place")[pairs.first], as_of)
    ended = asked.past.clock(asked.source)
    days = np.full(len(found), np.nan)
    some = found >= 0
    days[some] = (as_of.micros()[some] - ended[found[some]]) / MICROSECONDS_A_DAY
    yield "days_since", days[pairs.inverse]


def _values(asked: _Asked, plan: Plan, by: By, column: str) -> Features:
    """Total of a column per period, and its mean per event, over each window."""
    read = _Windows(asked, plan, by, (asked.high, {text: asked.low(text) for text in plan.windows}), value=column)
    for text in read.lows:
        count, total = read.count(text), read.total(text)
        covered = asked.covered(asked.low(text), asked.high)[read.high.index]
        per_period = _rate(total, covered, asked.expected(text))
        yield f"{column}_sum_{text}", per_period[read.inverse]
        per_event = np.where((count > 0) & ~np.isnan(per_period), total / np.maximum(count, 1), np.nan)
        yield f"{column}_mean_{text}", per_event[read.inverse]
