"""Lookup ``history``: what happened before, as known at the moment of each question.

All figures are read from ledgers. A window of length w is ``(as_of - delay - w, as_of - delay]``.
Means are *events per period of the panel* (a day for a day panel) over the covered part of the
window, so that a hole or the beginning of the data never looks like a quiet time; they are unknown
where less than half is covered, and the covered share stands beside them.
"""

import functools
import itertools
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TypeVar

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
from asof.times import DAY, Step, period_micros

LEAST_COVERED = 0.5
"""A window that is covered less than this is unknown."""
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
        asked = _Asked(questions, past, self.plan)
        made: dict[str, Floats] = {}
        for by in self.plan.levels(past):
            prefix = self.plan.prefix(by)
            made.update((prefix + name, column) for name, column in self._level(asked, by))
        made.update(_shares(asked))
        return table_of(made, questions.height)

    def _level(self, asked: "_Asked", by: By) -> Features:
        plan = self.plan
        yield from _windows(asked, by)
        if by == "neighbours":
            return
        slotted: tuple[tuple[str, Slot], ...] = (
            ("same_weekday", "weekday hour" if asked.every.absolute else "weekday"),
            ("same_hour", "hour"),
        )
        for name, slot in slotted:
            yield from _slotted(asked, by, name, slot)
        yield from _lags(asked, by)
        if by == "place" and plan.since:
            yield from _since(asked)
        if by in {"place", "coarser"} or not asked.past.placed(plan.source):
            for column in plan.of:
                yield from _values(asked, by, column)


class _Asked:
    """n questions as the history of one source reads them; what several features share is worked out once."""

    def __init__(self, questions: pl.DataFrame, past: Past, plan: Plan) -> None:
        self.questions, self.past, self.plan, self.source = questions, past, plan, plan.source
        self.every, self.zone = past.panel.every, past.panel.zone
        self.as_of, self.start = Moments.of(questions["as_of"]), Moments.of(questions["start"])
        self.high = past.until(self.source, self.as_of)
        """``as_of - delay``."""
        self.when = Pairs.of(np.zeros(questions.height, dtype=np.int64), self.as_of, self.start)
        """The different pairs of as_of and start: what hangs on no place is worked out for these alone."""
        self.together = len(self.when.first) == len(self.as_of.values)
        """Whether all questions of one as_of are about one start."""
        self.lags = self._lagged(plan.legal_lags(past))
        """Start and end of the period that starts so much earlier, by lag."""
        lengths = {text: Step.parse(text) for text in (*plan.windows, *plan.weekday, *plan.hour)}
        self.lows = dict(zip(lengths, self.high.shifts(list(lengths.values()), self.zone, -1), strict=True))
        """``as_of - delay - window``, by window."""
        self.expected = {text: step.nominal / self.every.nominal for text, step in lengths.items()}
        """How many periods a window holds."""
        self._keys: dict[tuple[By, Slot | None], Ints] = {}
        self._pairs: dict[tuple[By, Slot | None, int, bool], Pairs] = {}
        self._until: dict[int, Floats] = {}
        self._shares: dict[str, Floats] = {}
        self._slots: dict[Slot, dict[str, Floats]] = {}
        self._reads: dict[tuple[By, str | None, bool], _Read] = {}

    def _lagged(self, lags: Sequence[str]) -> dict[str, tuple[Moments, Moments]]:
        if not lags:
            return {}
        found = self.start.shifts([Step.parse(lag) for lag in lags], self.zone, -1)
        # A day without a midnight begins at 01:00, the day before it does not: hence the start of the period.
        low, high = period_micros(np.concatenate([moments.values for moments in found]), self.every, self.zone)
        sides = [np.split(side, len(lags)) for side in (low, high)]
        begun, ended = ([Moments(part, self.start.index) for part in side] for side in sides)
        return dict(zip(lags, zip(begun, ended, strict=True), strict=True))

    def keys(self, by: By, slot: Slot | None = None) -> Ints:
        """Key of each question."""
        if (by, slot) not in self._keys:
            if slot is None:
                self._keys[by, slot] = self.past.keys(self.questions, by)
            else:
                self._keys[by, slot] = self.past.slotted(self.keys(by), self.start, slot)
        return self._keys[by, slot]

    def covered(self, low: Moments, high: Moments) -> Floats:
        """Covered periods between moments that share their index: one value for each different moment."""
        if not self._until:
            edges = [self.high, *self.lows.values(), *itertools.chain.from_iterable(self.lags.values())]
            until = self.past.periods(self.source).until(np.concatenate([edge.values for edge in edges]))
            ends = np.cumsum([len(edge.values) for edge in edges])
            self._until = {id(edge): part for edge, part in zip(edges, np.split(until, ends[:-1]), strict=True)}
        return self._until[id(high)] - self._until[id(low)]

    def share(self, text: str) -> Floats:
        """Covered periods of a window, NaN where they are too few; one for each different as_of."""
        if text not in self._shares:
            self._shares[text] = _enough(self.covered(self.lows[text], self.high), self.expected[text])
        return self._shares[text]

    def slotted(self, windows: Sequence[str], slot: Slot) -> dict[str, Floats]:
        """Covered periods of windows that have the slot of the period asked about; one for each of ``when``."""
        if slot not in self._slots:
            first, panel = self.when.first, self.past.panel
            edges = [self.high, *(self.lows[text] for text in windows)]
            moments = np.concatenate([edge.micros() for edge in Moments.take_all(edges, first)])
            own = np.tile(self.past.slots(self.start.take(first), slot), len(edges))
            upto, *since = np.split(self.past.periods(self.source, slot).until(moments, own), len(edges))
            hours = 24 / max(panel.every.nominal / timedelta(hours=1), 1.0)
            each = {"weekday": 7.0, "hour": hours, "weekday hour": 7 * hours}[slot]
            self._slots[slot] = {
                text: _enough(upto - before, self.expected[text] / each)
                for text, before in zip(windows, since, strict=True)
            }
        return self._slots[slot]

    @functools.cached_property
    def in_time(self) -> dict[str, npt.NDArray[np.bool_]]:
        """Whether the period of a lag is covered whole and known by as_of; one for each of ``when``."""
        first, until = self.when.first, self.high.take(self.when.first).micros()
        told = {}
        for text, (low, high) in self.lags.items():
            whole = self.covered(low, high) >= WHOLE
            index = high.index[first]
            told[text] = whole[index] & (high.values[index] <= until)
        return told

    def events(self, by: By, slot: Slot | None = None, value: str | None = None) -> Ledger | Beside:
        """What is counted: rows, or the different values of a column where these are predicted."""
        panel, distinct = self.past.panel, None
        if panel.measure == "distinct" and self.source == panel.source and value is None:
            distinct = Distinct(pl.col(panel.column or ""))
        return self.past.ledger(self.source, by, slot, value=value, where=distinct)

    def pairs(self, by: By, slot: Slot | None, keys: list[Ints], *, started: bool) -> Pairs:
        """The different combinations of ``keys`` and ``as_of``, and the start of the period where that matters."""
        started = started and not self.together
        name = (by, slot, len(keys), started)
        if name not in self._pairs:
            self._pairs[name] = Pairs.of(_one(keys), self.as_of, *((self.start,) if started else ()))
        return self._pairs[name]

    def read(self, by: By, value: str | None = None, *, lagged: bool = False) -> "_Read":
        """What a ledger tells of the windows, or of the lags; of both at once where the same questions ask for them."""
        name = (by, value, lagged and not self.together)
        if name not in self._reads:
            panel, edges = self.past.panel, list[Moments]()
            if not name[2] and (value is None or value in self.plan.of):
                edges += [self.lows[text] for text in self.plan.windows]
            if by != "neighbours" and (name[2] or self.together) and value == _lagged_value(panel):
                edges += [edge for pair in self.lags.values() for edge in pair]
            self._reads[name] = _Read(self, by, edges, started=name[2], value=value)
        return self._reads[name]


class _Read:
    """Stretches of n questions over one kind of place, read once for each different pair of a key and moments."""

    def __init__(
        self,
        asked: _Asked,
        by: By,
        edges: Sequence[Moments],
        *,
        started: bool,
        slot: Slot | None = None,
        value: str | None = None,
    ) -> None:
        """Read them; ``edges`` are the beginnings of stretches, and the ends of those that do not end with ``high``."""
        keys = [asked.keys(by, slot)]
        # The rows of the place itself are among those of its coarser place and of all; its neighbours' are others.
        if not asked.plan.own and by in {"coarser", "all"} and asked.past.placed(asked.source):
            keys.append(asked.keys("place", slot))
        pairs = asked.pairs(by, slot, keys, started=started)
        self.first, self.inverse = pairs.first, pairs.inverse
        self.when = asked.when.inverse[pairs.first]
        """The pair of as_of and start of each pair."""
        self.index = asked.as_of.index[pairs.first]
        """The as_of of each pair."""
        high, as_of, *lows = Moments.take_all([asked.high, asked.as_of, *edges], pairs.first)
        self._mine = {id(edge): low for edge, low in zip(edges, lows, strict=True)}
        levels: tuple[By, ...] = (by, "place")
        self._readings = [
            asked.events(level, slot, value).read(key[pairs.first], high, as_of, lows)
            for level, key in zip(levels, keys, strict=False)
        ]

    def count(self, low: Moments, high: Moments | None = None) -> Ints:
        """Events in a stretch, for each pair."""
        return self._less([reading.count(*self._edges(low, high)) for reading in self._readings])

    def total(self, low: Moments, high: Moments | None = None) -> Floats:
        """Total of the value in a stretch, for each pair."""
        return self._less([reading.total(*self._edges(low, high)) for reading in self._readings])

    def _edges(self, low: Moments, high: Moments | None) -> tuple[Moments, Moments | None]:
        return self._mine[id(low)], None if high is None else self._mine[id(high)]

    def _less(self, read: list[npt.NDArray[Number]]) -> npt.NDArray[Number]:
        return read[0] if len(read) == 1 else np.asarray(read[0] - read[1])


def _one(keys: list[Ints]) -> Ints:
    """One number for one or two keys of each question, at least -1."""
    if len(keys) == 1:
        return keys[0]
    return (keys[0] + 1) * (int(keys[1].max(initial=0)) + 2) + keys[1] + 1


def _enough(covered: Floats, expected: float) -> Floats:
    """Covered periods to divide by; NaN where less than half is covered."""
    return np.where(covered >= LEAST_COVERED * expected, covered, np.nan)


def _lagged_value(panel: Panel) -> str | None:
    """Column that lags are made of; none where events are counted."""
    return None if panel.measure in {"count", "distinct"} else panel.column


def _windows(asked: _Asked, by: By) -> Features:
    read = asked.read(by)
    means: dict[str, Floats] = {}
    for text in asked.plan.windows:
        means[text] = read.count(asked.lows[text]) / asked.share(text)[read.index]
        yield f"mean_{text}", means[text][read.inverse]
    for short, long in asked.plan.ratios:
        some = means[long] > 0
        ratio = np.where(some, means[short] / np.where(some, means[long], 1.0), np.nan)
        yield f"ratio_{short}_{long}", ratio[read.inverse]


def _slotted(asked: _Asked, by: By, name: str, slot: Slot) -> Features:
    windows = asked.plan.hour if slot == "hour" else asked.plan.weekday
    if not windows:
        return
    read = _Read(asked, by, [asked.lows[text] for text in windows], started=True, slot=slot)
    covered = asked.slotted(windows, slot)
    for text in windows:
        mean = read.count(asked.lows[text]) / covered[text][read.when]
        yield f"{name}_{text}", mean[read.inverse]


def _lags(asked: _Asked, by: By) -> Features:
    panel = asked.past.panel
    value = _lagged_value(panel)
    for text, (low, high) in asked.lags.items():
        read = asked.read(by, value, lagged=True)
        told, defined = _label(read, low, high, panel.measure)
        yield f"lag_{text}", np.where(asked.in_time[text][read.when] & defined, told, np.nan)[read.inverse]


def _label(read: _Read, low: Moments, high: Moments, measure: str) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The label of a period, and where it is defined: a mean of no rows is not."""
    count = read.count(low, high)
    if measure in {"count", "distinct"}:
        return count.astype(np.float64), np.ones(len(count), dtype=bool)
    total = read.total(low, high)
    if measure == "sum":
        return total, np.ones(len(count), dtype=bool)
    return total / np.maximum(count, 1), count > 0


def _since(asked: _Asked) -> Features:
    keys = asked.keys("place")
    pairs = asked.pairs("place", None, [keys], started=False)
    as_of = asked.as_of.take(pairs.first)
    found = asked.past.ledger(asked.source, "place").last(keys[pairs.first], as_of)
    days = np.full(len(found), np.nan)
    some = np.flatnonzero(found >= 0)
    days[some] = (as_of.micros()[some] - asked.past.ended(asked.source, found[some])) / DAY
    yield "days_since", days[pairs.inverse]


def _values(asked: _Asked, by: By, column: str) -> Features:
    """Total of a column per period, and its mean per event, over each window."""
    read = asked.read(by, column)
    for text in asked.plan.windows:
        count, total = read.count(asked.lows[text]), read.total(asked.lows[text])
        per_period = total / asked.share(text)[read.index]
        yield f"{column}_sum_{text}", per_period[read.inverse]
        per_event = np.where((count > 0) & ~np.isnan(per_period), total / np.maximum(count, 1), np.nan)
        yield f"{column}_mean_{text}", per_event[read.inverse]


def _shares(asked: _Asked) -> Features:
    """Covered share of each window, once for all places."""
    for text, low in asked.lows.items():
        share = np.minimum(asked.covered(low, asked.high) / asked.expected[text], 1.0)
        yield f"{asked.source}_covered_{text}", share[asked.high.index]
