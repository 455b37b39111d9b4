"""How much of a large source must be at hand: its rows from a moment on, where no feature reads further back."""

from datetime import date, datetime, timedelta
from typing import Final

import polars as pl

from asof import lookups as looking
from asof import places, times
from asof.data import UTC_TIME, SourceTable
from asof.flows import asking, ingestion, preparation
from asof.flows.workspace import Workspace
from asof.panels import Panel
from asof.times import Step

SPARE: Final = 1.05
"""A month may be longer than its nominal length."""
DAYS: Final = timedelta(days=3)
"""And days have their own lengths."""


def open_tables(
    workspace: Workspace, first: datetime | None = None, until: datetime | None = None
) -> dict[str, SourceTable]:
    """Open all sources as lookups see them.

    Where only periods from ``first`` on (and up to ``until``) will be asked about, and the counted source is a large
    one, it begins as far before them as features read: what they tell of these periods stays the same to the bit,
    except that totals of fractions are added up from another row on.
    """
    spec = workspace.spec
    begun = None if first is None else _begin(workspace, first)
    within = {"since": begun, "until": None if begun is None else until}
    return {
        name: ingestion.load(name, source, workspace.lake, **(within if name == spec.predict.source else {}))
        for name, source in spec.sources.items()
    }


def between(workspace: Workspace, start: str | None, end: str | None) -> tuple[datetime | None, datetime | None]:
    """Moments between which the periods lie that are asked about, as written, else the next ones; none where open."""
    if start is None or end is None:
        return _next_from(workspace), None
    first, until = (asking.moment(text, zone_of(workspace)) for text in (start, end))
    # A period that begins before the end may reach beyond it.
    return first, max(first, until) + 2 * Step.parse(workspace.spec.predict.per.every).nominal


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


def _begin(workspace: Workspace, first: datetime) -> datetime | None:
    """Local midnight from which on rows of the counted source matter; none where all do."""
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
    begun = min(first, counted.coverage.end) - SPARE * (far + ahead + counted.delay + 2 * panel.every.nominal) - DAYS
    zone = counted.zone
    day: date = times.local(pl.Series([begun], dtype=UTC_TIME), zone).dt.date()[0]
    return times.midnight(day, zone)


def _reach(workspace: Workspace, panel: Panel) -> timedelta | None:
    """How far back the features read the counted source; none where one of them reads all of it, or does not say."""
    made = looking.make_all(workspace.spec.features, panel, workspace.plugins)
    told = [looking.reach_of(lookup, panel.source) for lookup in made]
    known = [one for one in told if one is not None]
    return max(known) if len(known) == len(told) else None
