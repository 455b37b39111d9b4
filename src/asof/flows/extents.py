"""How much of a large source must be at hand: its rows from a moment on, where no feature reads further back."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from asof import lookups as looking
from asof import places, times
from asof.data import UTC_TIME, SourceTable
from asof.flows import asking, ingestion, intake, preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.panels import Panel
from asof.times import Step

SPARE: Final = 1.05
"""A month may be longer than its nominal length."""
DAYS: Final = timedelta(days=3)
"""And days have their own lengths."""
YEAR: Final = timedelta(days=365)
"""So much of a large source is asked about at once."""


@dataclass(frozen=True)
class Stretch:
    """A project prepared for the periods in [first, until); the next ones where it has no end, all without either."""

    prepared: Prepared
    first: datetime | None
    until: datetime | None


def open_tables(
    workspace: Workspace, first: datetime | None = None, until: datetime | None = None
) -> dict[str, SourceTable]:
    """Open all sources as lookups see them.

    Where only periods from ``first`` on (and up to ``until``) will be asked about, and the counted source is a large
    one, it begins as far before them as features read: what they tell of these periods stays the same to the bit,
    except that totals of fractions, and of parts of days where clocks change, are added up from another row on.
    """
    large = None if first is None else _large(workspace)
    if large is None or first is None:
        return intake.open_tables(workspace)
    name = workspace.spec.predict.source
    others = {other: _load(workspace, other) for other in workspace.spec.sources if other != name}
    counted = ingestion.part(large.outline, workspace.lake, large.begin(first), until)
    return {other: others.get(other, counted) for other in workspace.spec.sources}


def stretches(workspace: Workspace, first: datetime | None, until: datetime | None) -> Iterator[Stretch]:
    """Prepare the project for the periods in [first, until), of a large source a year after another.

    No more than a year and what its features read is at hand at once; rows that two years share are read and joined
    to places once. Let go of one stretch before the next is asked for. Without ``until``: the next periods.
    """
    large = None if first is None or until is None or until - first <= YEAR else _large(workspace)
    if large is None or first is None or until is None:
        ended = None if until is None else until + _spare(workspace)
        yield Stretch(preparation.prepare(workspace, open_tables(workspace, first, ended)), first, until)
        return
    spec, name = workspace.spec, workspace.spec.predict.source
    tables = {other: _load(workspace, other) for other in spec.sources if other != name}
    held: tuple[pl.DataFrame, datetime] | None = None
    while first < until:
        ended = min(first + YEAR, until)
        # Before the source begins there is nothing to tell of; the first rows say so.
        known = max(ended, large.outline.coverage.start + DAYS) + _spare(workspace)
        counted = large.continued(workspace, held, first, known)
        held = (counted.rows, known)
        yield Stretch(preparation.prepare(workspace, {**tables, name: counted}, large.places), first, ended)
        first = ended


def between(workspace: Workspace, start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Moments between which the periods lie that are asked about, as written, else the next ones; none where open."""
    if start is None or end is None:
        return _next_from(workspace), None
    first, until = (asking.moment(text, zone_of(workspace)) for text in (start, end))
    return first, max(first, until)


def learnt_from(workspace: Workspace) -> datetime | None:
    """First moment that training asks about, where the project says so."""
    since = workspace.spec.train.since
    return None if since is None else times.midnight(since, zone_of(workspace))


def _next_from(workspace: Workspace) -> datetime | None:
    """A moment before the next periods; none where the counted source has no time, or is opened whole."""
    spec = workspace.spec
    name = spec.predict.source
    large = None if spec.predict.rows else ingestion.outline(name, spec.sources[name], workspace.lake)
    if large is None or not large.coverage.ends:
        return None
    return large.coverage.end - 2 * Step.parse(spec.predict.per.every).nominal - DAYS


def zone_of(workspace: Workspace) -> str:
    """Zone in which periods are cut."""
    spec = workspace.spec
    time = spec.sources[spec.predict.source].time
    return spec.predict.per.zone or (time.zone if time else "UTC")


@dataclass(frozen=True)
class _Large:
    """A counted source of which a part is enough."""

    outline: SourceTable
    places: places.Places
    before: timedelta
    """So long before the first period asked about rows matter."""

    def begin(self, first: datetime) -> datetime:
        """Local midnight from which on rows matter."""
        zone = self.outline.zone
        begun = min(first, self.outline.coverage.end) - self.before
        day: date = times.local(pl.Series([begun], dtype=UTC_TIME), zone).dt.date()[0]
        return times.midnight(day, zone)

    def continued(
        self, workspace: Workspace, held: tuple[pl.DataFrame, datetime] | None, first: datetime, until: datetime
    ) -> SourceTable:
        """Rows for the periods in [first, until), joined to places.

        ``held``: rows that are at hand, joined to places, and until when they ended; only what comes after is read.
        """
        place, since = workspace.spec.predict.per.place, self.begin(first)
        covered = self.outline.coverage.after(since).before(until)
        if not covered.starts:  # a hole from end to end: what was covered last tells where it begins
            since, held = max(end for end in self.outline.coverage.ends if end <= since) - DAYS, None
            covered = self.outline.coverage.after(since).before(until)
        kept = None if held is None or held[1] <= since else held[0].filter(pl.col("_ended") > since)
        later = pl.col("_ended").is_between(since if kept is None or held is None else held[1], until, closed="right")
        more = replace(self.outline, rows=workspace.lake.valid(self.outline.name, where=later))
        rows = preparation.join_places(more, place, self.places).rows
        return replace(self.outline, rows=rows if kept is None else pl.concat([kept, rows]), coverage=covered)


def _large(workspace: Workspace) -> _Large | None:
    """Of the counted source, where a part of it is enough; none where all its rows matter."""
    spec = workspace.spec
    predict = spec.predict
    counted = None if predict.rows else ingestion.outline(predict.source, spec.sources[predict.source], workspace.lake)
    known = None if counted is None else places.load(predict.per.place, workspace.folder)
    # A source that was checked at once is held whole, and places that are found in rows are found in all of them.
    if counted is None or known is None or not counted.coverage.ends:
        return None
    panel = preparation.panel_of(spec, counted, known)
    far = _reach(workspace, panel)
    if far is None:
        return None
    ahead = max(step.nominal for step in panel.horizons)
    return _Large(counted, known, SPARE * (far + ahead + counted.delay + 2 * panel.every.nominal) + DAYS)


def _load(workspace: Workspace, name: str) -> SourceTable:
    return ingestion.load(name, workspace.spec.sources[name], workspace.lake)


def _spare(workspace: Workspace) -> timedelta:
    """How long after the end a period may last that begins before it."""
    return 2 * Step.parse(workspace.spec.predict.per.every).nominal


def _reach(workspace: Workspace, panel: Panel) -> timedelta | None:
    """How far back the features read the counted source; none where one of them reads all of it, or does not say."""
    made = looking.make_all(workspace.spec.features, panel, workspace.plugins)
    told = [looking.reach_of(lookup, panel.source) for lookup in made]
    known = [one for one in told if one is not None]
    return max(known) if len(known) == len(told) else None
