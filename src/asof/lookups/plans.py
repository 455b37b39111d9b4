"""What ``history`` is asked for: its options, their defaults for a panel, and what can be wrong with them."""

import difflib
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from asof.errors import Problem, UserError
from asof.ledgers import Past
from asof.ledgers.past import By
from asof.panels import Panel
from asof.specs import Spec
from asof.times import Step

DAY = timedelta(days=1)
Given = TypeVar("Given")


class HistoryOptions(Spec):
    """Options of ``history``; what is left out has a default that suits the panel, ``[]`` or ``false`` is none."""

    source: str | None = None
    """Whose history; default: the counted source."""
    windows: tuple[str, ...] | None = None
    """Lengths of windows for means."""
    lags: tuple[str, ...] | None = None
    """Labels of the same place for the periods that start this much earlier; default: those that are legal."""
    weekday: tuple[str, ...] | None = None
    """Windows, in weeks, for means over the same weekday (and hour, where periods are shorter than a day)."""
    hour: tuple[str, ...] | None = None
    """Windows, in days, for means over the same hour, where periods are shorter than a day."""
    ratios: tuple[tuple[str, str], ...] | None = None
    """Pairs of windows: the mean over the first divided by the mean over the second."""
    of: tuple[str, ...] | None = None
    """Columns of numbers for totals and means; default: the predicted one."""
    since: bool = True
    """The time since the last event."""
    coarser: bool | None = None
    """The same for the coarser place; default: where there is one."""
    neighbours: bool | None = None
    """Windows over the places that touch; default: where they are known."""
    all: bool | None = None
    """The same for all places together; default: yes."""
    own: bool | None = None
    """``false``: the rows of the place itself are left out everywhere, as of a place never met; default: they are read,
    unless whole places are held out (``judge.by: place``)."""


@dataclass(frozen=True)
class Plan:
    """The options with all defaults filled in."""

    source: str
    windows: tuple[str, ...]
    lags: tuple[str, ...] | None
    """None: the default ones that are legal."""
    weekday: tuple[str, ...]
    hour: tuple[str, ...]
    ratios: tuple[tuple[str, str], ...]
    of: tuple[str, ...]
    since: bool
    coarser: bool | None
    neighbours: bool | None
    everywhere: bool | None
    own: bool = True
    usual: tuple[str, ...] = ()
    """Lags that are read by default, where they are legal."""

    @classmethod
    def of_options(cls, options: HistoryOptions, panel: Panel) -> "Plan":
        """Fill in the defaults: a week up to a year for days, hours as well for shorter periods, years for longer."""
        source = options.source or panel.source
        windows = _or(options.windows, _windows(panel.every))
        summed = panel.column if panel.measure not in {"classes", "distinct"} and source == panel.source else None
        predicted = (summed,) if summed else ()
        return cls(
            source=source,
            windows=windows,
            lags=options.lags if source == panel.source else options.lags or (),
            weekday=_or(options.weekday, () if panel.rows else _weekdays(panel.every)),
            hour=_or(options.hour, ("28d",) if panel.every.nominal < DAY else ()),
            ratios=_or(options.ratios, _ratios(windows)),
            of=_or(options.of, predicted),
            since=options.since,
            coarser=options.coarser,
            neighbours=options.neighbours,
            everywhere=options.all,
            own=_or(options.own, not (panel.apart and source == panel.source)),
            usual=_default_lags(panel.every),
        )

    def levels(self, past: Past) -> tuple[By, ...]:
        """Whose rows are read: the place's own, and the other kinds that are wanted and there are."""
        if not past.placed(self.source):
            return ("all",)
        places = past.panel.places
        if places.kind == "all":
            return ("place",)
        wanted: list[tuple[By, bool | None, bool]] = [
            ("place", self.own, True),
            ("coarser", self.coarser, places.coarser is not None),
            ("neighbours", self.neighbours, bool(places.neighbours)),
            ("all", self.everywhere, True),
        ]
        return tuple(by for by, asked, there in wanted if asked is not False and there)

    def prefix(self, by: By) -> str:
        """First part of the names of features."""
        return f"{self.source}_" if by == "place" else f"{self.source}_{by}_"

    def legal_lags(self, past: Past) -> tuple[str, ...]:
        """Lags to read: those asked for, or the default ones that are known at every horizon."""
        if self.lags is not None:
            return self.lags
        panel = past.panel
        if panel.measure == "max" or panel.rows:
            return ()
        shortest = shortest_lag(past, self.source)
        texts = [str(shortest), *_default_lags(panel.every)]
        legal = [text for text in dict.fromkeys(texts) if Step.parse(text).nominal >= shortest.nominal]
        return tuple(legal[:5]) if panel.every.nominal <= DAY else tuple(legal)


def shortest_lag(past: Past, source: str) -> Step:
    """Shortest legal lag: one period + the largest horizon + the delay, in whole periods."""
    panel = past.panel
    horizon = max((step.nominal for step in panel.horizons), default=timedelta(0))
    needed = panel.every.nominal + horizon + past.table(source).delay
    return Step(panel.every.count * math.ceil(needed / panel.every.nominal), panel.every.unit)


def problems(name: str, plan: Plan, past: Past) -> list[Problem]:
    """All that is wrong with a plan, each with its place in the project file."""
    where = f"features.{name}"
    if plan.source not in past.sources:
        near = difflib.get_close_matches(plan.source, past.sources, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return [Problem(f"no source {plan.source!r}{hint}", where=f"{where}.source")]
    if past.table(plan.source).rows["_ended"].null_count() == past.table(plan.source).rows.height:
        return [Problem(f"rows of {plan.source} have no time, so they have no history", where=f"{where}.source")]
    written = [
        *(("windows", text) for text in plan.windows),
        *(("weekday", text) for text in plan.weekday),
        *(("hour", text) for text in plan.hour),
        *(("lags", text) for text in plan.lags or ()),
    ]
    found = [problem for option, text in written if (problem := _unreadable(f"{where}.{option}", text))]
    found += [
        Problem(f"{short} / {long}: both must be among windows: {', '.join(plan.windows)}", where=f"{where}.ratios")
        for short, long in plan.ratios
        if not {short, long} <= set(plan.windows)
    ]
    if not found:
        found += _of_slots(plan, past, where) + _of_lags(plan, past, where)
    return found + _of_columns(plan, past, where) + _of_places(plan, past, where)


def _unreadable(where: str, text: str) -> Problem | None:
    try:
        step = Step.parse(text)
    except UserError as fault:
        return Problem(str(fault), where=where)
    return None if step.count else Problem(f"{text} has no length; expected at least 1{step.unit}", where=where)


def _of_slots(plan: Plan, past: Past, where: str) -> list[Problem]:
    every = past.panel.every
    found = [
        Problem(
            f"{text}: expected whole weeks, such as 28d, so that each weekday counts alike", where=f"{where}.weekday"
        )
        for text in plan.weekday
        if Step.parse(text).nominal % (7 * DAY)
    ]
    found += [
        Problem(f"{text}: expected whole days, such as 28d, so that each hour counts alike", where=f"{where}.hour")
        for text in plan.hour
        if Step.parse(text).nominal % DAY
    ]
    if plan.weekday and every.nominal > DAY:
        found.append(Problem(f"periods of {every} have no weekday; leave it out", where=f"{where}.weekday"))
    if plan.hour and every.nominal >= DAY:
        found.append(Problem(f"periods of {every} have no hour; leave it out", where=f"{where}.hour"))
    return found


def _of_lags(plan: Plan, past: Past, where: str) -> list[Problem]:
    if not plan.lags:
        return []
    panel, path = past.panel, f"{where}.lags"
    if plan.source != panel.source:
        return [Problem(f"lags are labels of {panel.source}; {plan.source} has none", where=path)]
    if panel.rows:
        return [Problem("lags are labels of earlier periods; single rows have none: use windows", where=path)]
    if panel.measure == "max":
        return [Problem("lags of a maximum cannot be read; use windows of its column instead", where=path)]
    shortest = shortest_lag(past, plan.source)
    horizon = max(panel.horizons, key=lambda step: step.nominal)
    return [
        Problem(
            f"a lag of {text} is not known in time: one period of {panel.every} + horizon {horizon} "
            f"+ delay {past.delay(plan.source)}; the shortest legal lag is {shortest}",
            where=path,
        )
        for text in plan.lags
        if Step.parse(text).nominal < shortest.nominal
    ]


def _of_columns(plan: Plan, past: Past, where: str) -> list[Problem]:
    rows = past.table(plan.source).rows
    found = []
    for column in plan.of:
        if column not in rows.columns:
            near = difflib.get_close_matches(column, rows.columns, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            found.append(Problem(f"{plan.source} has no column {column!r}{hint}", where=f"{where}.of"))
        elif not rows[column].dtype.is_numeric():
            message = f"{plan.source}.{column} is {rows[column].dtype}, not a number; say `type: number` in its checks"
            found.append(Problem(message, where=f"{where}.of"))
    return found


def _of_places(plan: Plan, past: Past, where: str) -> list[Problem]:
    places, found = past.panel.places, []
    if plan.coarser and places.coarser is None:
        message = "places have no coarser ones; say predict.per.place.coarser, a property or column"
        found.append(Problem(message, where=f"{where}.coarser"))
    if plan.neighbours and not places.neighbours:
        message = "which places touch is known for polygons and H3 cells only; leave it out"
        found.append(Problem(message, where=f"{where}.neighbours"))
    return found


def _or(value: Given | None, default: Given) -> Given:
    return default if value is None else value


def _windows(every: Step) -> tuple[str, ...]:
    # Recent weeks tell the level, a year the place itself; a single day says little about a count of few.
    if every.nominal < DAY:
        hours = tuple(text for text in ("3h", "24h") if Step.parse(text).nominal >= every.nominal)
        return (*hours, "7d", "28d", "91d", "364d")
    if every.nominal < 7 * DAY:
        return ("7d", "14d", "28d", "56d", "91d", "182d", "364d")
    return ("4w", "13w", "26w", "52w", "104w") if every.nominal < 28 * DAY else ("3mo", "6mo", "12mo", "24mo")


def _weekdays(every: Step) -> tuple[str, ...]:
    return ("28d", "91d", "182d", "364d") if every.nominal <= DAY else ()


def _default_lags(every: Step) -> tuple[str, ...]:
    # The same weekday some weeks before and a year before: 52 weeks keep the weekday.
    if every.nominal <= DAY:
        return ("7d", "14d", "21d", "28d", "364d")
    return ("52w",) if every.nominal < 28 * DAY else ("12mo",)


def _ratios(windows: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    wanted = (("7d", "91d"), ("28d", "364d"), ("13w", "52w"), ("3mo", "12mo"))
    return tuple(pair for pair in wanted if set(pair) <= set(windows))
