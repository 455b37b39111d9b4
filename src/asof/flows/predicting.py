"""Answers of a released model: the next periods, a range, or a file of rows in order."""

import difflib
import functools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from asof import intervals, panels, probabilities, releases, times
from asof.data import FEW, UTC_TIME
from asof.errors import DataError
from asof.flows import asking, delivering, extents, intake, keeping, preparation, remembering
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.intervals import Calibration
from asof.panels import Panel
from asof.probabilities import Calibrated
from asof.times import Step

WIDER = 1.5
"""Intervals of places that the model has never met are this much wider."""
MOST_NAMED = 12
"""So many places are named to a user who asks for another."""
GIVEN = "_given"
"""After the name of a column of a file that has the name of a column of answers."""
AT_ONCE = 200_000
"""Features are made for so many questions at once: an answer depends on none of the others."""
CHANCE = "chance_"
"""Before the name of a class, a column with its probability."""


@dataclass(frozen=True)
class Asked:
    """What shall be answered: a file, a range, or (without either) the next periods."""

    input: Path | None = None
    start: str | None = None
    end: str | None = None
    location: str | None = None
    release: str = "champion"


class OtherFeatures(DataError):
    """The project no longer makes the features that the release was made with."""


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


@dataclass(frozen=True)
class Oracle:
    """A release, opened for answers."""

    release: releases.Release
    model: Any
    calibration: Calibration | Calibrated
    places: pl.Series
    """Ids of the places that it has met."""
    classes: tuple[str, ...] = ()
    """Classes in the order in which it tells them, whatever the data hold by now; none for numbers."""

    @functools.cached_property
    def met(self) -> frozenset[str]:
        """The same ids, to look one up."""
        return frozenset(self.places)


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
        oracle = open_release(workspace, asked.release)
        with workspace.stages("prepare"):
            stale = [name for name in workspace.spec.sources if workspace.lake.stamp(name) is None]
            if stale:
                intake.take_in(workspace, stale)
            extent = () if asked.input is not None else extents.between(workspace, asked.start, asked.end)
            prepared = preparation.prepare(workspace, extents.open_tables(workspace, *extent))
        with workspace.stages("predict") as stage:
            told = reply(workspace, prepared, oracle, asked)
            answers = told.frame
            if table is not None:
                where: dict[str, Any] = {"table": table.called, "changed": table.write(answers, told.key, told.more)}
            else:
                place = asked.location if asked.location in _known(prepared, oracle) else None
                beside = delivering.default_file(oracle.release.folder, answers, prepared.panel.zone, place)
                file = Path(out) if out is not None else beside
                delivering.write(answers, file)
                where = {"file": str(file)}
            if told.kept is not None and workspace.spec.watch.keep:
                keeping.write(workspace, told.kept, identity(prepared.panel), keeping.PREDICT)
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
    oracle = open_release(workspace, "champion")
    asked = next_questions(prepared, oracle.places)
    if asked.height == 0:
        return None
    answers = _remarked(prepared, oracle, answer(workspace, prepared, oracle, asked))
    file = delivering.default_file(oracle.release.folder, answers, prepared.panel.zone)
    delivering.write(answers, file)
    workspace.publish(file.parent)
    keeping.write(workspace, answers, identity(prepared.panel), keeping.RUN)
    table = delivering.own_table(workspace)
    if table is not None:
        table.write(answers, ["release", *identity(prepared.panel)])
    return Written(answers.height, file, table.called if table is not None else "")


def open_release(workspace: Workspace, which: str) -> Oracle:
    """Open a release by alias, version, name, folder or address; raises ``DataError`` where there is none."""
    folder = workspace.fetch(which) if which.startswith("s3://") else Path(which)
    if (folder / "manifest.json").is_file():
        release = releases.read(folder)
    else:
        record = workspace.registry.find(which)
        if record is None:
            message = f"no release {which!r} of {workspace.spec.name}: `asof runs` lists them, `asof run` makes one"
            raise DataError(message)
        release = releases.read(record.folder)
    known = release.places()
    ids = known["place"] if known is not None else pl.Series("place", [], dtype=pl.String)
    return Oracle(
        release,
        release.model(threads=workspace.threads, plugins=workspace.plugins),
        _calibration(release.json("intervals")),
        ids,
        tuple(json.loads(release.facts.get("classes", "[]"))),
    )


def _calibration(kept: Mapping[str, Any]) -> Calibration | Calibrated:
    return probabilities.read(kept) if kept.get("kind") == "class" else intervals.read(kept)


def identity(panel: Panel) -> list[str]:
    """Columns that say what an answer is about."""
    told = ["unit"] if panel.rows else []
    told += [] if panel.rows and panel.places.kind == "all" else ["place"]
    return told + (["start", "end", "as_of", "horizon"] if panel.timed else [])


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


def answer(workspace: Workspace, prepared: Prepared, oracle: Oracle, questions: pl.DataFrame) -> pl.DataFrame:
    """Answer questions that can be answered: prediction, interval, and whether they lie outside what was seen.

    Raises:
        OtherFeatures: the project no longer makes the features that the release was made with.
    """
    panel = prepared.panel
    features = preparation.read(prepared, questions, workspace.spec.leave_out)
    _refuse_other_features(oracle, features.columns)
    _refuse_other_page(workspace, oracle)
    told = oracle.model.predict(features) if questions.height else _none(oracle)
    new = _new(questions["place"], oracle)
    outside = releases.outside(features, oracle.release.schema()) | new
    return laid_out([questions[name] for name in identity(panel)], told, oracle, outside, new)


def laid_out(
    asked: Sequence[pl.Series], told: np.ndarray, oracle: Oracle, outside: pl.Series, new: pl.Series
) -> pl.DataFrame:
    """Lay answers out as they are given: what is asked, what is told of it, whether it lies outside what was seen."""
    return pl.DataFrame(
        [
            *asked,
            *_told(told, oracle, new.to_numpy()),
            outside.alias("outside"),
            _same("reason", None, len(told)),
            _same("release", oracle.release.name, len(told)),
        ]
    )


def _new(asked: pl.Series, oracle: Oracle) -> pl.Series:
    """Which places are none that the release has met; Boolean, never null."""
    if asked.len() <= FEW:
        return pl.Series([place is not None and place not in oracle.met for place in asked], dtype=pl.Boolean)
    return asked.is_not_null() & ~asked.is_in(oracle.places.implode())


def _same(name: str, text: str | None, count: int) -> pl.Series:
    return pl.Series(name, [text], dtype=pl.String).new_from_index(0, count)


def _none(oracle: Oracle) -> np.ndarray:
    """Predictions of no question at all."""
    return np.empty((0, len(oracle.classes)) if oracle.classes else 0)


def _told(told: np.ndarray, oracle: Oracle, new: np.ndarray) -> list[pl.Series]:
    """Columns of an answer: prediction and interval, or the class, its probability and that of every class."""
    calibration = oracle.calibration
    if isinstance(calibration, Calibration):
        low, high = calibration.interval(told, np.where(new, WIDER, 1.0))
        return [pl.Series("prediction", told), pl.Series("low", low), pl.Series("high", high)]
    return decided(calibration.apply(told), calibration, oracle.classes)


def decided(chances: np.ndarray, calibration: Calibrated, classes: Sequence[str]) -> list[pl.Series]:
    """Columns of calibrated probabilities: the class decided on, its probability, and that of every class."""
    codes = calibration.decide(chances)
    names = pl.Series("prediction", classes, dtype=pl.String)
    each = [pl.Series(f"{CHANCE}{name}", chances[:, code]) for code, name in enumerate(classes)]
    return [names.gather(codes), pl.Series("probability", chances[np.arange(len(codes)), codes]), *each]


def _refuse_other_features(oracle: Oracle, made: Sequence[str]) -> None:
    expected = list(oracle.model.columns)
    parts = {
        "it needs": [name for name in expected if name not in made],
        "it does not know": [name for name in made if name not in expected],
    }
    said = "; ".join(f"{what} {', '.join(names)}" for what, names in parts.items() if names)
    if said:
        message = (
            f"release {oracle.release.name} was made with other features than the project makes now: {said}; "
            "set features: back, or answer with a newer release (--release challenger)"
        )
        raise OtherFeatures(message)


def _refuse_other_page(workspace: Workspace, oracle: Oracle) -> None:
    """Refuse features of the same names that mean something else."""
    made_by = oracle.release.facts.get("meaning", "")
    if made_by and made_by != preparation.meaning(workspace):
        message = (
            f"release {oracle.release.name} was made by another page: its features of the same name mean something "
            "else (sources, predict, features, leave_out or plug-ins differ); answer with the page that made it, which "
            "lies beside it as project.yaml (or with its --env and --set), or with a newer release"
        )
        raise OtherFeatures(message)


def reply(workspace: Workspace, prepared: Prepared, oracle: Oracle, asked: Asked) -> Told:
    """Answer what is asked by the data as they are laid out."""
    key = ["release", *identity(prepared.panel)]
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
        questions = _between(prepared, oracle, first, until)
    if asked.location is not None:
        known = _known(prepared, oracle) or [workspace.spec.location]
        if asked.location not in {*known, workspace.spec.location}:
            raise DataError(_unknown(asked.location, known, oracle))
        if asked.location in _known(prepared, oracle):
            questions = questions.filter(pl.col("place") == asked.location)
    frame = _remarked(prepared, oracle, answer_all(workspace, prepared, oracle, questions))
    return Told(frame, key, kept=frame)


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
        return answer(workspace, prepared, oracle, checked)
    checked = checked.with_row_index("_row")
    told = answer(workspace, prepared, oracle, checked.filter(pl.col("reason").is_null()))
    rows = checked.filter(pl.col("reason").is_null())["_row"]
    known = identity(prepared.panel)
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
    given = asking.as_texts(rows) if prepared.panel.rows else rows
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
