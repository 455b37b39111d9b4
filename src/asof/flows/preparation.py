"""From tables of sources to questions with features and labels: the part that every verb shares."""

import difflib
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from asof import checks, panels, places, rows, times
from asof import labels as labelling
from asof import lookups as looking
from asof.data import UTC_TIME, Finding, Severity, SourceTable
from asof.errors import DataError, Problem, ProjectError
from asof.flows.workspace import Workspace
from asof.ledgers import Past
from asof.lookups import Lookup
from asof.lookups.plugin import PluginLookup
from asof.panels import Panel
from asof.specs import PlaceSpec, PredictSpec, ProjectSpec, SourceSpec
from asof.times import Step

ENDED_DAYS = 2
"""A source that ends more days before the counted one is told of."""


@dataclass(frozen=True)
class Prepared:
    """A project's data, ready to be asked.

    Moments (``first``, ``last``) are there only where questions have them: ``panel.timed``.
    """

    panel: Panel
    past: Past
    lookups: tuple[Lookup, ...]
    known_from: pl.DataFrame
    """``place``, ``known_from`` (UTC): when each place was first known; a polygon always was."""
    left_out: frozenset[str] = frozenset()
    """Columns of sources that no lookup sees, because the owner leaves them out."""
    group: tuple[str, ...] = ()
    """Columns by which rows belong together."""
    findings: tuple[Finding, ...] = ()

    @property
    def counted(self) -> SourceTable:
        """The source whose rows make the label."""
        return self.past.table(self.panel.source)

    @functools.cached_property
    def first(self) -> datetime:
        """Start of the first period wholly covered by the counted source."""
        covered = self.counted.coverage.start
        begun = times.floor(pl.Series([covered], dtype=UTC_TIME), self.panel.every, self.panel.zone)
        first: datetime = begun[0] if begun[0] == covered else times.end(begun, self.panel.every, self.panel.zone)[0]
        return first

    @functools.cached_property
    def last(self) -> datetime:
        """Last moment of prediction that is not refused: everything over by then minus the delay is covered."""
        end = pl.Series([self.counted.coverage.end], dtype=UTC_TIME)
        last: datetime = times.shift(end, Step.of(self.counted.delay), self.panel.zone)[0]
        return last


def prepare(workspace: Workspace, tables: Mapping[str, SourceTable], loaded: places.Places | None = None) -> Prepared:
    """Join sources to places, make the panel and the lookups, and refuse what cannot be answered in time.

    ``loaded``: the places of the project, where they are at hand; rows with ``_place`` have been joined to them.
    """
    spec = workspace.spec
    counted = tables[spec.predict.source]
    faults = [*_of_unit(spec.predict, counted), *_of_left_out(spec, tables)]
    if faults:
        raise ProjectError(faults)
    place = spec.predict.per.place
    loaded = loaded or places.load(place, workspace.folder)
    placed: dict[str, SourceTable] = {}
    findings: list[Finding] = [*_unlabelled(spec, counted), *_ended(tables, counted)]
    for name, table in tables.items():
        out = [column for column in spec.leave_out if column in table.rows.columns]
        seen = replace(table, rows=table.rows.drop(out)) if out else table
        if table.place is not None or name == counted.name:
            if "_place" not in table.rows.columns:
                seen = join_places(seen, place, loaded)
            findings += _outside(seen)
        placed[name] = seen
    there = placed[counted.name].rows
    if loaded is not None:  # nothing else is asked of the rows in places that are known from the start
        there = there.select("_place", "_available")
    there = there.filter(pl.col("_place").is_not_null())
    if there.height == 0:
        message = f"no row of {counted.name} lies in a place; check place: and predict.per.place in the project file"
        raise DataError(message)
    panel = panel_of(spec, placed[counted.name], loaded or _places_of(there, place))
    findings += panel.places.findings
    past = Past(placed, panel)
    lookups = looking.make_all(spec.features, panel, workspace.plugins)
    problems = [problem for lookup in lookups for problem in lookup.check(past)]
    if problems:
        raise ProjectError(problems)
    columns = {column for table in tables.values() for column in table.rows.columns}
    left_out = frozenset(columns.intersection(spec.leave_out))
    known_from = _known_from(there, loaded if loaded is not None or not panel.rows else panel.places)
    return Prepared(panel, past, lookups, known_from, left_out, spec.judge.group, tuple(findings))


def join_places(table: SourceTable, place: PlaceSpec | None, loaded: places.Places | None) -> SourceTable:
    """Return the table with the place in which each row lies, ``_place``."""
    inside = places.assign(table.rows, table.place, place, loaded)
    return replace(table, rows=table.rows.with_columns(inside.alias("_place")))


def panel_of(spec: ProjectSpec, counted: SourceTable, known: places.Places) -> Panel:
    """Units of the project: places and periods, or the rows of ``counted``."""
    predict = spec.predict
    column = predict.column or ""
    return Panel(
        places=known,
        every=Step.parse(predict.per.every),
        zone=predict.per.zone or counted.zone,
        source=counted.name,
        measure=predict.measure,
        column=predict.column,
        horizons=tuple(Step.parse(horizon) for horizon in predict.horizon),
        classes=rows.classes(counted, column) if predict.measure == "classes" else (),
        own=_own(spec, counted) if predict.rows else (),
        timed=spec.sources[counted.name].time is not None,
        apart=spec.judge.by == "place",
    )


def _own(spec: ProjectSpec, counted: SourceTable) -> tuple[str, ...]:
    """Columns by which a row is known when it is asked about: all but key, time, place, group and the label."""
    source: SourceSpec = spec.sources[counted.name]
    told = {spec.predict.column, *source.key, *spec.judge.group}
    if source.time is not None:
        told |= {*source.time.columns, source.time.available}
    if spec.predict.per.place is not None and isinstance(source.place, str):
        told.add(source.place)
    return tuple(name for name in counted.rows.columns if not name.startswith("_") and name not in told)


def ask(prepared: Prepared, first: datetime, until: datetime, horizons: Sequence[Step] | None = None) -> pl.DataFrame:
    """Questions on all periods, or rows, that start in [first, until), with labels; see ``docs/architecture.md``."""
    if prepared.panel.rows:
        return of_rows(prepared).filter((pl.col("start") >= first) & (pl.col("start") < until))
    return label(prepared, panels.questions(prepared.panel, first, until, horizons))


def of_rows(prepared: Prepared) -> pl.DataFrame:
    """Questions on all rows of a project whose units are rows, with labels where known."""
    return rows.questions(prepared.counted, prepared.panel, prepared.group)


def label(prepared: Prepared, questions: pl.DataFrame) -> pl.DataFrame:
    """Questions with ``label`` and ``known_at``, and ``known_from`` where places are found in the rows.

    Those on single rows carry theirs already.
    """
    if prepared.panel.rows:
        return questions
    labelled = questions.hstack(labelling.labels(questions, prepared.past))
    if prepared.known_from.height == 0:
        return labelled
    return labelled.join(prepared.known_from, on="place", how="left", maintain_order="left")


def asked_columns(questions: pl.DataFrame) -> list[str]:
    """Columns that ask: all but those that hold the answer, or tell sides apart."""
    return [name for name in questions.columns if name not in {"label", "known_at", "known_from", "group"}]


def thin(questions: pl.DataFrame, horizons: int, seed: int) -> pl.DataFrame:
    """Keep one horizon of each unit, drawn evenly: the same label at seven horizons is one thing learnt, not seven."""
    if horizons <= 1:
        return questions
    units = questions.height // horizons
    drawn = np.random.default_rng(seed).integers(horizons, size=units)
    return questions[np.sort(np.arange(units) * horizons + drawn)]


def read(prepared: Prepared, questions: pl.DataFrame, leave_out: Mapping[str, str]) -> pl.DataFrame:
    """Features of ``questions``, without those that the owner leaves out; lookups see what asks, never a label.

    Raises:
        ProjectError: something is left out that is neither a feature nor a column of a source.
    """
    asked = pl.DataFrame([questions[name] for name in asked_columns(questions)])
    table = looking.features(asked, prepared.lookups, prepared.past)
    unknown = [name for name in leave_out if name not in table.columns and name not in prepared.left_out]
    if unknown:
        raise ProjectError([_no_such(name, table.columns) for name in unknown])
    out = [column for column in leave_out if column in table.columns]
    return table.drop(out) if out else table


def families(prepared: Prepared, questions: pl.DataFrame, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Those of the features ``names`` that each lookup of ours adds to the columns of rows with a time, by its name.

    Empty where places and periods are asked about. What a plug-in adds has been thought about by its author.
    """
    if not prepared.panel.rows or not prepared.panel.timed:
        return {}
    one = questions[:1].select(asked_columns(questions))
    own = ("place", "own")
    added = [each for each in prepared.lookups if each.name not in own and not isinstance(each, PluginLookup)]
    made = {each.name: each.read(one, prepared.past).columns for each in added}
    return {name: tuple(column for column in columns if column in names) for name, columns in made.items()}


def meaning(workspace: Workspace) -> str:
    """Hash of all that decides what a feature means: words on rows of sources, what is predicted, lookups, plug-ins.

    Where rows come from is no part of it, nor how they are checked, nor how a model is chosen: those may change while
    a release goes on answering.
    """
    spec = workspace.spec
    told = spec.model_dump(mode="json", include={"predict", "features", "leave_out"})
    parts = {"key", "time", "delay", "place", "columns", "header", "missing_values", "repairs"}
    told["sources"] = {name: source.model_dump(mode="json", include=parts) for name, source in spec.sources.items()}
    state = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for path in spec.plugins:
        state.update((workspace.folder / path).read_bytes())
    return state.hexdigest()[:32]


def learn_from(workspace: Workspace, prepared: Prepared) -> datetime:
    """Start of the first period to learn from: ``train.since``, else where the longest window is covered.

    Rows are learnt from as soon as there are any: they have columns of their own, and there are few of them.
    Without ``train.since`` at most half of what is covered is given up for the longest window; a
    window that reaches before the coverage is a rate over the covered part, so this is a matter of
    quality, not of correctness.
    """
    since = workspace.spec.train.since
    if since is None and prepared.panel.rows:
        return prepared.first
    if since is not None:
        return max(times.midnight(since, prepared.panel.zone), prepared.first)
    longest = max((lookup_reach(lookup) for lookup in prepared.lookups), default=timedelta(0))
    covered = prepared.counted.coverage.end - prepared.first
    begun = pl.Series([prepared.first + min(longest, covered / 2)], dtype=UTC_TIME)
    floored: datetime = times.floor(begun, prepared.panel.every, prepared.panel.zone)[0]
    return max(floored, prepared.first)


def lookup_reach(lookup: Lookup) -> timedelta:
    """How far back a lookup reads, where it says so."""
    reach = getattr(lookup, "reach", None)
    return reach if isinstance(reach, timedelta) else timedelta(0)


def _of_unit(predict: PredictSpec, counted: SourceTable) -> list[Problem]:
    """Faults of what is predicted that only the rows show."""
    found = []
    column, place = predict.column, predict.per.place.column if predict.per.place else None
    there = [name for name in counted.rows.columns if not name.startswith("_")]
    where = f"predict.{predict.measure}"
    if column is not None and column not in there:
        found.append(Problem(f"{counted.name} has no column {column!r}: it has {', '.join(there)}", where=where))
    elif (
        column is not None
        and predict.measure not in {"classes", "distinct"}
        and not counted.rows[column].dtype.is_numeric()
    ):
        text = checks.first_text(counted.rows, column)
        message = (
            f"{counted.name}.{column} is text{text and f', for its value {text}'}; expected a column of numbers, "
            "or `type: number` in its checks"
        )
        found.append(Problem(message, where=where))
    if place is not None and isinstance(counted.place, str) and place != counted.place:
        message = f"places are the column {place!r}, but {counted.name} has {counted.place!r}: name one column in both"
        found.append(Problem(message, where="predict.per.place.column"))
    return found


def _of_left_out(spec: ProjectSpec, tables: Mapping[str, SourceTable]) -> list[Problem]:
    """Columns that cannot be left out, because the unit or the label is made of them."""
    vital: set[str | int | None] = {spec.predict.column}
    place = spec.predict.per.place
    if place is not None:
        vital |= {place.column, place.coarser}
        for table in tables.values():
            vital |= {table.place} if isinstance(table.place, str) else set(table.place or ())
    return [
        Problem("the unit or the label is made of it, so it cannot be left out", where=f"leave_out.{name}")
        for name in spec.leave_out
        if name in vital
    ]


def _no_such(name: str, features: Sequence[str]) -> Problem:
    near = difflib.get_close_matches(name, features, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return Problem(f"neither a feature nor a column of a source is called {name!r}{hint}", where=f"leave_out.{name}")


def _unlabelled(spec: ProjectSpec, counted: SourceTable) -> list[Finding]:
    """Files that lost the column which makes the label, unless the ingest of the source looks after it."""
    column = spec.predict.column
    if column is None or column in checks.needed(spec.sources[counted.name]):
        return []
    return checks.lost(counted.rows, column, counted.name)


def _ended(tables: Mapping[str, SourceTable], counted: SourceTable) -> list[Finding]:
    """Sources that end before the counted one: what they would tell of its last days is missing or old."""
    found = []
    for table in tables.values():
        if not table.coverage.ends or not counted.coverage.ends:
            continue
        days = (counted.coverage.end - table.coverage.end) / timedelta(days=1)
        if days > ENDED_DAYS:
            message = (
                f"its rows end on {table.coverage.end:%Y-%m-%d}, {days:.0f} days before those of {counted.name}: "
                "its features are old or unknown from then on"
            )
            found.append(Finding("coverage", Severity.WARNING, table.name, message, figure=days, limit=ENDED_DAYS))
    return found


def _places_of(found: pl.DataFrame, place: PlaceSpec | None) -> places.Places:
    """List the places of rows, where they are not known from the start."""
    assert place is not None  # noqa: S101 - without one everything is one place, known from the start
    return places.of_rows(found["_place"], place, _coarser(found, place))


def _coarser(found: pl.DataFrame, place: PlaceSpec) -> pl.Series | None:
    """Column of the coarser place, where places are a column."""
    if place.column is None or place.coarser is None:
        return None
    if str(place.coarser) not in found.columns:
        there = ", ".join(name for name in found.columns if not name.startswith("_"))
        message = f"no column {place.coarser!r}; there are: {there}"
        raise ProjectError([Problem(message, where="predict.per.place.coarser")])
    return found[str(place.coarser)]


def _outside(table: SourceTable) -> list[Finding]:
    lost = table.rows["_place"].null_count()
    if lost == 0:
        return []
    share = lost / max(table.rows.height, 1)
    message = f"{lost:,} rows ({share:.1%}) have no coordinates or lie outside every place; they are not counted"
    return [Finding("places", Severity.WARNING, table.name, message, figure=share, rows=lost)]


def _known_from(found: pl.DataFrame, loaded: places.Places | None) -> pl.DataFrame:
    if loaded is not None:
        return pl.DataFrame(schema={"place": pl.String, "known_from": pl.Datetime("us", "UTC")})
    return found.group_by(place="_place").agg(known_from=pl.col("_available").min()).sort("place")
