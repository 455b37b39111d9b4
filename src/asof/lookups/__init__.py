"""Lookups: features that read sources as of the moment of each question. One file a lookup."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase

import polars as pl

from asof.errors import DataError, Problem, ProjectError
from asof.ledgers import Past
from asof.lookups.around import Around
from asof.lookups.base import OWN, Lookup
from asof.lookups.calendar import Calendar
from asof.lookups.distances import Distances
from asof.lookups.history import History
from asof.lookups.nearest import Nearest
from asof.lookups.observations import Observations
from asof.lookups.own import Own
from asof.lookups.place import Place
from asof.lookups.plugin import PluginLookup
from asof.lookups.trips import Trips
from asof.panels import Panel
from asof.plugins import Plugins
from asof.specs import FeatureSpec

__all__ = ["OWN", "Lookup", "against", "ahead", "features", "make", "make_all", "reach_of"]

ASKED = ("place", "start", "end", "as_of", "horizon")


def make(spec: FeatureSpec, panel: Panel, plugins: Plugins | None = None) -> Lookup:
    """Make one lookup from the project's words; raises ProjectError for options that it does not take."""
    if spec.kind == "calendar":
        return Calendar.of(spec)
    if spec.kind == "history":
        return History.of(spec, panel)
    if spec.kind == "around":
        return Around.of(spec, panel)
    if spec.kind == "nearest":
        return Nearest.of(spec)
    if spec.kind == "observations":
        return Observations.of(spec, panel)
    if spec.kind == "distances":
        return Distances.of(spec)
    if spec.kind == "trips":
        return Trips.of(spec, panel)
    found = None if plugins is None else plugins.lookups.get(spec.name)
    if found is None:
        known = ", ".join(["calendar", "history", "around", *sorted(plugins.lookups if plugins else ())])
        told = f"{known}, or any name with `nearest:`, `observations:`, `distances:` or `trips:` and a SOURCE"
        message = f"no lookup of this name; there are: {told}"
        raise ProjectError([Problem(message, where=f"features.{spec.name}")])
    return PluginLookup(spec.name, found, spec.options)


def make_all(specs: Sequence[FeatureSpec], panel: Panel, plugins: Plugins | None = None) -> tuple[Lookup, ...]:
    """Make all lookups of a project: ``place`` (and ``own``, for rows), then those named, or calendar and history.

    Raises:
        ProjectError: all faults of all options at once.
    """
    usual = (FeatureSpec(name="calendar", kind="calendar"), FeatureSpec(name="history", kind="history"))
    wanted = specs or (usual if panel.timed else ())
    made: list[Lookup] = [Place(), Own()] if panel.rows else [Place()]
    problems: list[Problem] = []
    for spec in wanted:
        try:
            made.append(make(spec, panel, plugins))
        except ProjectError as fault:
            problems += fault.problems
    if problems:
        raise ProjectError(problems)
    return tuple(made)


def features(questions: pl.DataFrame, lookups: Sequence[Lookup], past: Past) -> pl.DataFrame:
    """Answer questions with features: the one way, for training, backtest, batch and a single question.

    Args:
        questions: n rows: ``place`` (String), ``start``, ``end``, ``as_of`` (UTC), ``horizon`` (String).
        lookups: in the order of their columns.
        past: the sources.

    Returns:
        n rows in the order of ``questions``: Float64 (null = unknown) and String columns. The answer to a question is
        the same to the bit whichever others are asked with it.

    Raises:
        DataError: a column of the questions is missing, or two lookups make a feature of one name.
    """
    lacking = [name for name in ASKED if name not in questions.columns]
    if lacking:
        raise DataError(f"questions lack the columns {', '.join(lacking)}; expected {', '.join(ASKED)}")
    made: dict[str, pl.Series] = {}
    owner: dict[str, str] = {}
    for lookup in lookups:
        for column in lookup.read(questions, past).get_columns():
            if column.name in owner:
                first = owner[column.name]
                raise DataError(f"lookups {first} and {lookup.name} both make a feature {column.name!r}; rename one")
            owner[column.name] = lookup.name
            made[column.name] = column
    return pl.DataFrame(list(made.values()))


def reach_of(lookup: Lookup, source: str) -> timedelta | None:
    """How far back a lookup reads ``source``; none where it may read all of it."""
    told: Callable[[str], timedelta | None] | None = getattr(lookup, "reads", None)
    return None if told is None else told(source)


def ahead(lookups: Sequence[Lookup], names: Sequence[str]) -> list[str]:
    """Those of ``names`` that are declared to be known ahead, and so may read what comes after ``as_of``."""
    patterns = [pattern for lookup in lookups for pattern in getattr(lookup, "ahead", ())]
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def against(lookups: Sequence[Lookup], names: Sequence[str]) -> tuple[str, ...]:
    """Those of ``names`` that say by themselves what the label should be: recipes may be learnt against them."""
    told = {name for lookup in lookups for name in getattr(lookup, "against", ())}
    return tuple(name for name in names if name in told)
