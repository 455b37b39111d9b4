"""Answers of a released model: the next periods, a range, or a file of rows in order."""

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from asof import panels, times
from asof.data import UTC_TIME
from asof.errors import DataError
from asof.flows import asking, delivering, extents, inputs, intake, keeping, oracles, preparation, remembering
from asof.flows.oracles import Oracle
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.times import Step

MOST_NAMED = 12
"""So many places are named to a user who asks for another."""
GIVEN = "_given"
"""After the name of a column of a file that has the name of a column of answers."""
AT_ONCE = 200_000
"""Features are made for so many questions at once: an answer depends on none of the others."""


@dataclass(frozen=True)
class Asked:
    """What shall be answered: a file, a range, or (without either) the next periods."""

    input: Path | None = None
    start: str | None = None
    end: str | None = None
    location: str | None = None
    release: str = "champion"


@dataclass(frozen=True)
class Written:
    """Answers as written."""

    rows: int
    file: Path
    table: str = ""
    """Table of a database into which they were written as well."""


@dataclass(frozen=True)
class Told:
    """Answers, and what tells them apart."""

    frame: pl.DataFrame
    key: Sequence[str]
    """Columns that say what is asked, the release among them."""
    more: Sequence[str] = ()
    """Columns that tell rows apart whose key is not complete."""
    kept: pl.DataFrame | None = None
    """The answers alone, which the store keeps; none where rows have no key, so that no truth can be found for them."""


def predict(workspace: Workspace, asked: Asked, out: Path | str | None = None) -> dict[str, Any]:
    """Answer; every row of a file gets one answer in its place, or the reason why not.

    ``out``: a file (default: beside the release), or as text the table of a database, ``sqlite:///file.db#table``.
    """
    if asked.input is not None and (asked.start or asked.end):
        message = "give either --input or --start and --end, not both"
        raise DataError(message)
    if bool(asked.start) != bool(asked.end):
        message = "--start and --end belong together: the first day to answer, and the first day no longer answered"
        raise DataError(message)
    with workspace.hold("predict"):
        table = delivering.table_of(workspace, out)
        oracle = oracles.open_release(workspace, asked.release)
        with workspace.stages("prepare"):
            stale = [name for name in workspace.spec.sources if workspace.lake.stamp(name) is None]
            if stale:
                intake.take_in(workspace, stale)
            extent = (None, None) if asked.input is not None else extents.between(workspace, asked.start, asked.end)
            stretches = extents.stretches(workspace, *extent)
            stretch = next(stretches)
        with workspace.stages("predict") as stage:
            parts = [reply(workspace, stretch.prepared, oracle, asked, (stretch.first, stretch.until))]
            panel, known = stretch.prepared.panel, _known(stretch.prepared, oracle)
            del stretch  # before rows of the next one are at hand
            for further in stretches:
                parts.append(reply(workspace, further.prepared, oracle, asked, (further.first, further.until)))
                del further
            told = _joined(parts)
            answers = told.frame
            if table is not None:
                where: dict[str, Any] = {"table": table.called, "changed": table.write(answers, told.key, told.more)}
            else:
                place = asked.location if asked.location in known else None
                beside = delivering.default_file(oracle.release.folder, answers, panel.zone, place)
                file = Path(out) if out is not None else beside
                delivering.write(answers, file)
                where = {"file": str(file)}
            if told.kept is not None and workspace.spec.watch.keep:
                keeping.write(workspace, told.kept, oracles.identity(panel), keeping.PREDICT)
            stage.note = f"{answers.height:,} answers"
    return {
        "project": workspace.spec.name,
        "release": oracle.release.name,
        **delivering.counts(answers),
        **where,
        "seconds": workspace.stages.seconds,
    }


def predict_next(workspace: Workspace, prepared: Prepared) -> Written | None:
    """Answer the next periods at every horizon, or the rows without a label, with the champion.

    Written beside its release, to the lake and to the table of ``answers:``; none where no row waits for its label.
    """
    oracle = oracles.open_release(workspace, "champion")
    asked = next_questions(prepared, oracle.places)
    if asked.height == 0:
        return None
    answers = _remarked(prepared, oracle, oracles.answer(workspace, prepared, oracle, asked))
    file = delivering.default_file(oracle.release.folder, answers, prepared.panel.zone)
    delivering.write(answers, file)
    workspace.publish(file.parent)
    keeping.write(workspace, answers, oracles.identity(prepared.panel), keeping.RUN)
    table = delivering.own_table(workspace)
    if table is not None:
        table.write(answers, ["release", *oracles.identity(prepared.panel)])
    return Written(answers.height, file, table.called if table is not None else "")


def next_questions(prepared: Prepared, known: pl.Series) -> pl.DataFrame:
    """Questions about the latest period that can be asked about at each horizon, one for each place of ``known``.

    Where units are rows: those whose label is not yet known.
    """
    panel = prepared.panel
    if panel.rows:
        waiting = preparation.of_rows(prepared).filter(pl.col("label").is_null())
        return waiting.filter(pl.col("as_of") <= prepared.last) if panel.timed else waiting
    latest = pl.Series([prepared.last], dtype=UTC_TIME)
    rows = []
    for step in panel.horizons:
        begun: datetime = times.floor(times.shift(latest, step, panel.zone), panel.every, panel.zone)[0]
        rows.append(panels.questions(panel, begun, begun + timedelta(microseconds=1), [step]))
    asked = pl.concat(rows).filter(pl.col("as_of") <= prepared.last)
    return asked.filter(pl.col("place").is_in(known.implode()))


def reply(
    workspace: Workspace,
    prepared: Prepared,
    oracle: Oracle,
    asked: Asked,
    within: tuple[datetime | None, datetime | None] = (None, None),
) -> Told:
    """Answer what is asked by the data as they are laid out; of a range only what starts ``within``, where given."""
    key = ["release", *oracles.identity(prepared.panel)]
    if asked.input is not None:
        if asked.location not in {None, workspace.spec.location}:
            message = "give either --input or --location, not both: a file says itself what it asks about"
            raise DataError(message)
        rows, questions = asking.of_file(workspace, prepared, asked.input)
        answers = answer_all(workspace, prepared, oracle, questions)
        keyed = asking.keyed(workspace, prepared, rows.columns)
        remarked = _remarked(prepared, oracle, answers, keyed=keyed)
        frame = _beside(rows, remarked)
        own = [name for name in frame.columns if name not in answers.columns and name != "learnt"]
        return Told(frame, key, own, remarked) if keyed else Told(frame, [*key, *own])
    if asked.start is None or asked.end is None:
        questions = next_questions(prepared, oracle.places)
    else:
        first, until = (asking.moment(text, prepared.panel.zone) for text in (asked.start, asked.end))
        if until <= first:
            message = f"--start {asked.start} is not before --end {asked.end}, the first day no longer answered"
            raise DataError(message)
        begun, ended = within
        questions = _between(prepared, oracle, first if begun is None else begun, until if ended is None else ended)
    if asked.location is not None:
        known = _known(prepared, oracle) or [workspace.spec.location]
        if asked.location not in {*known, workspace.spec.location}:
            raise DataError(_unknown(asked.location, known, oracle))
        if asked.location in _known(prepared, oracle):
            questions = questions.filter(pl.col("place") == asked.location)
    frame = _remarked(prepared, oracle, answer_all(workspace, prepared, oracle, questions))
    return Told(frame, key, kept=frame)


def _joined(parts: Sequence[Told]) -> Told:
    """Answers to stretches one after another, as one."""
    if len(parts) == 1:
        return parts[0]
    frame = pl.concat([part.frame for part in parts])
    return replace(parts[0], frame=frame, kept=frame if parts[0].kept is not None else None)


def _known(prepared: Prepared, oracle: Oracle) -> list[str]:
    """Places that a release knows; none where everything is one."""
    return [] if prepared.panel.places.kind == "all" else oracle.places.to_list()


def _unknown(location: str, known: Sequence[str], oracle: Oracle) -> str:
    near = difflib.get_close_matches(location, known, n=1)
    more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
    return (
        f"no place {location!r} is known to release {oracle.release.name}"
        + (f"; did you mean {near[0]!r}?" if near else "")
        + f"; known: {', '.join(known[:MOST_NAMED])}{more}"
    )


def _remarked(prepared: Prepared, oracle: Oracle, answers: pl.DataFrame, *, keyed: bool = True) -> pl.DataFrame:
    """Answers with ``learnt``, before their reasons: whether the release was fitted on the outcome of what is asked."""
    learnt = remembering.learnt(prepared, oracle.release, answers, keyed=keyed)
    return answers.insert_column(answers.columns.index("outside") + 1, learnt)


def _between(prepared: Prepared, oracle: Oracle, first: datetime, until: datetime) -> pl.DataFrame:
    """Questions about the periods, or rows, that start in [first, until)."""
    if not prepared.panel.timed:
        message = f"rows of {prepared.panel.source} have no time: give --input with a file of rows"
        raise DataError(message)
    if prepared.panel.rows:
        return preparation.ask(prepared, first, until)
    asked = panels.questions(prepared.panel, first, until)
    return asked.filter(pl.col("place").is_in(oracle.places.implode()))


def answer_all(workspace: Workspace, prepared: Prepared, oracle: Oracle, questions: pl.DataFrame) -> pl.DataFrame:
    """Answer each question in its place; one that cannot be answered as of its moment carries the reason."""
    if questions.height > AT_ONCE:
        parts = (questions[begun : begun + AT_ONCE] for begun in range(0, questions.height, AT_ONCE))
        return pl.concat(answer_all(workspace, prepared, oracle, part) for part in parts)
    checked = _refused(prepared, questions)
    if checked["reason"].null_count() == checked.height:
        return oracles.answer(workspace, prepared, oracle, checked)
    checked = checked.with_row_index("_row")
    told = oracles.answer(workspace, prepared, oracle, checked.filter(pl.col("reason").is_null()))
    rows = checked.filter(pl.col("reason").is_null())["_row"]
    known = oracles.identity(prepared.panel)
    answered = told.drop(*known, "reason", "release").with_columns(rows)
    joined = checked.select("_row", *known, "reason").join(answered, on="_row", how="left", maintain_order="left")
    return joined.with_columns(pl.lit(oracle.release.name).alias("release")).select(told.columns)


def _refused(prepared: Prepared, questions: pl.DataFrame) -> pl.DataFrame:
    """Questions with ``reason``: as given, or because of the moment at which they are asked."""
    if "reason" not in questions.columns:
        questions = questions.with_columns(pl.lit(None, dtype=pl.String).alias("reason"))
    if not prepared.panel.timed:
        return questions
    moments = questions["as_of"]
    if not ((moments > prepared.last) | (moments <= prepared.first)).any():
        return questions
    source = prepared.panel.source
    limit = f"{prepared.last:%Y-%m-%d %H:%M} UTC"
    early = f"asked before {source} is covered ({prepared.first:%Y-%m-%d})"
    late = f"asked after the last moment at which {source} is known ({limit}): ingest newer rows or ask further ahead"
    return questions.with_columns(
        reason=pl.when(pl.col("reason").is_not_null())
        .then("reason")
        .when(pl.col("as_of") > prepared.last)
        .then(pl.lit(late))
        .when(pl.col("as_of") <= prepared.first)
        .then(pl.lit(early))
    )


def answer_frame(
    workspace: Workspace, prepared: Prepared, oracle: Oracle, rows: pl.DataFrame, called: str
) -> pl.DataFrame:
    """Answer the rows of a table, in order, beside what they hold; ``called`` is what messages call it."""
    given = inputs.as_texts(rows) if prepared.panel.rows else rows
    asked = asking.of_frame(workspace, prepared, given, called)
    return _beside(rows, answer_all(workspace, prepared, oracle, asked))


def _beside(rows: pl.DataFrame, answers: pl.DataFrame) -> pl.DataFrame:
    """What was asked beside its answers; a column of the same name as one of theirs is called ``NAME_given``."""
    told = set(answers.columns)
    # Of a panel these are what was asked itself, as it was read.
    echoed = set() if "unit" in told else {"place", "start", "end", "as_of", "horizon"}
    kept = rows.select(name for name in rows.columns if name not in told & echoed)
    given = kept.rename({name: f"{name}{GIVEN}" for name in kept.columns if name in told})
    return pl.concat([given, answers], how="horizontal") if given.width else answers


def stretches(first: datetime, until: datetime, step: Step | None, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Cut [first, until) into stretches of ``step``; one stretch without a step."""
    begun = first
    while begun < until:
        ended = until if step is None else min(times.shift(pl.Series([begun], dtype=UTC_TIME), step, zone)[0], until)
        yield begun, ended
        begun = ended
