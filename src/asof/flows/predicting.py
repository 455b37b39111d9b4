"""Answers of a released model: the next periods, a range, or a file of rows in order."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from asof import intervals, panels, places, releases, times
from asof.data import UTC_TIME
from asof.errors import DataError, OutsideError
from asof.flows import intake, preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.times import Step

WIDER = 1.5
"""Intervals of places that the model has never met are this much wider."""
ANSWER = ("place", "start", "end", "as_of", "horizon", "prediction", "low", "high", "outside", "reason", "release")
"""Columns of an answer; ``prediction`` is null where ``reason`` says why."""
PLACE_NAME = "place"
TIME_NAMES = ("start", "time", "date", "datetime", "timestamp", "period")
LAT_NAMES, LON_NAMES = ("lat", "latitude"), ("lon", "lng", "longitude")


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


@dataclass(frozen=True)
class Oracle:
    """A release, opened for answers."""

    release: releases.Release
    model: Any
    calibration: intervals.Calibration
    places: pl.Series
    """Ids of the places that it has met."""


def predict(workspace: Workspace, asked: Asked, out: Path | None = None) -> dict[str, Any]:
    """Answer; every row of a file gets one answer in its place, or the reason why not."""
    if asked.input is not None and (asked.start or asked.end):
        message = "give either --input or --start and --end, not both"
        raise DataError(message)
    if bool(asked.start) != bool(asked.end):
        message = "--start and --end belong together: the first day to answer, and the first day no longer answered"
        raise DataError(message)
    with workspace.hold("predict"):
        oracle = open_release(workspace, asked.release)
        with workspace.stages("prepare"):
            stale = [name for name in workspace.spec.sources if workspace.lake.stamp(name) is None]
            if stale:
                intake.take_in(workspace, stale)
            prepared = preparation.prepare(workspace, intake.open_tables(workspace))
        with workspace.stages("predict") as stage:
            answers = _answers(workspace, prepared, oracle, asked)
            file = out or _default_file(oracle, answers, prepared.panel.zone)
            write(answers, file)
            stage.note = f"{answers.height:,} answers"
    unanswered = answers.filter(pl.col("reason").is_not_null())
    reasons = unanswered.group_by("reason").agg(rows=pl.len()).sort("rows", descending=True)
    return {
        "project": workspace.spec.name,
        "release": oracle.release.name,
        "answered": answers.height - unanswered.height,
        "unanswered": unanswered.height,
        "reasons": reasons.to_dicts(),
        "file": str(file),
        "seconds": workspace.stages.seconds,
    }


def predict_next(workspace: Workspace, prepared: Prepared) -> Written:
    """Answer the next periods at every horizon with the champion; written beside its release and to the lake."""
    oracle = open_release(workspace, "champion")
    answers = answer(workspace, prepared, oracle, next_questions(prepared, oracle.places))
    file = _default_file(oracle, answers, prepared.panel.zone)
    write(answers, file)
    workspace.publish(file.parent)
    kept = workspace.lake.predictions()
    # Asked again, such as by a run after a crash or one that found nothing new, the lake holds each answer once.
    unit = ["release", "place", "start", "as_of", "horizon"]
    fresh = answers if kept is None else answers.join(kept, on=unit, how="anti", maintain_order="left")
    if fresh.height:
        workspace.lake.write_predictions(fresh)
    return Written(answers.height, file)


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
        intervals.read(release.json("intervals")),
        ids,
    )


def next_questions(prepared: Prepared, known: pl.Series) -> pl.DataFrame:
    """Questions about the latest period that can be asked about at each horizon, one for each place of ``known``."""
    panel = prepared.panel
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
    features = preparation.read(prepared, questions, workspace.spec.leave_out)
    _refuse_other_features(oracle, features.columns)
    told = oracle.model.predict(features)
    new = ~questions["place"].is_in(oracle.places.implode())
    wider = pl.select(pl.when(new).then(WIDER).otherwise(1.0)).to_series().to_numpy()
    low, high = oracle.calibration.interval(told, wider)
    return questions.select("place", "start", "end", "as_of", "horizon").with_columns(
        pl.Series("prediction", told),
        pl.Series("low", low),
        pl.Series("high", high),
        releases.outside(features, oracle.release.schema()).alias("outside") | new,
        pl.lit(None, dtype=pl.String).alias("reason"),
        pl.lit(oracle.release.name).alias("release"),
    )


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


def _answers(workspace: Workspace, prepared: Prepared, oracle: Oracle, asked: Asked) -> pl.DataFrame:
    if asked.input is not None:
        return answer_file(workspace, prepared, oracle, asked.input)
    if asked.start is None or asked.end is None:
        questions = next_questions(prepared, oracle.places)
    else:
        first, until = (moment(text, prepared.panel.zone) for text in (asked.start, asked.end))
        if until <= first:
            message = f"--start {asked.start} is not before --end {asked.end}, the first day no longer answered"
            raise DataError(message)
        questions = panels.questions(prepared.panel, first, until)
        questions = questions.filter(pl.col("place").is_in(oracle.places.implode()))
    if asked.location is not None:
        questions = questions.filter(pl.col("place") == asked.location)
        if questions.height == 0:
            message = f"no place {asked.location!r} is known to release {oracle.release.name}"
            raise DataError(message)
    return answer_all(workspace, prepared, oracle, questions)


def answer_all(workspace: Workspace, prepared: Prepared, oracle: Oracle, questions: pl.DataFrame) -> pl.DataFrame:
    """Answer each question in its place; one that cannot be answered as of its moment carries the reason."""
    given = (
        questions["reason"]
        if "reason" in questions.columns
        else pl.Series("reason", [None] * questions.height, dtype=pl.String)
    )
    limit = f"{prepared.last:%Y-%m-%d %H:%M} UTC"
    early = f"asked before {prepared.panel.source} is covered ({prepared.first:%Y-%m-%d})"
    source = prepared.panel.source
    late = f"asked after the last moment at which {source} is known ({limit}): ingest newer rows or ask further ahead"
    checked = questions.with_columns(given).with_columns(
        reason=pl.when(pl.col("reason").is_not_null())
        .then("reason")
        .when(pl.col("as_of") > prepared.last)
        .then(pl.lit(late))
        .when(pl.col("as_of") <= prepared.first)
        .then(pl.lit(early))
    )
    numbered = checked.with_row_index("_row")
    fine = numbered.filter(pl.col("reason").is_null())
    empty = {"prediction": pl.Float64, "low": pl.Float64, "high": pl.Float64, "outside": pl.Boolean}
    refused = numbered.filter(pl.col("reason").is_not_null()).with_columns(
        *(pl.lit(None, dtype=kind).alias(name) for name, kind in empty.items()),
        pl.lit(oracle.release.name).alias("release"),
    )
    parts = [refused.select("_row", *ANSWER)]
    if fine.height:
        parts.append(answer(workspace, prepared, oracle, fine).select(fine["_row"], *ANSWER))
    return pl.concat(parts).sort("_row").drop("_row")


def answer_file(workspace: Workspace, prepared: Prepared, oracle: Oracle, file: Path) -> pl.DataFrame:
    """Answer the rows of a file, in order: place (or latitude and longitude) and a time, perhaps a horizon."""
    rows = read_table(file)
    asked = _questions_of(workspace, prepared, rows, file)
    answers = answer_all(workspace, prepared, oracle, asked)
    kept = [column for column in rows.columns if column not in answers.columns]
    return pl.concat([rows.select(kept), answers], how="horizontal") if kept else answers


def read_table(file: Path) -> pl.DataFrame:
    """Read a table of questions; raises ``DataError`` where it cannot be read or has no rows."""
    if not file.is_file():
        message = f"{file}: no such file"
        raise DataError(message)
    readers: Mapping[str, Callable[..., pl.DataFrame]] = {
        ".csv": _read_csv,
        ".parquet": pl.read_parquet,
        ".json": pl.read_json,
        ".ndjson": pl.read_ndjson,
    }
    suffix = file.suffix if file.suffix != ".gz" else Path(file.stem).suffix
    if suffix not in readers:
        message = f"{file}: expected one of {', '.join(readers)} (CSV also as .csv.gz)"
        raise DataError(message)
    try:
        rows = readers[suffix](file)
    except pl.exceptions.PolarsError as fault:
        message = f"{file}: {str(fault).splitlines()[0]}"
        raise DataError(message) from fault
    if rows.height == 0:
        message = f"{file}: there is no row to answer"
        raise DataError(message)
    return rows


def _read_csv(file: Path) -> pl.DataFrame:
    """Read a CSV file; the column of places stays text, so that no leading zero is lost."""
    columns = pl.read_csv(file, n_rows=0).columns
    return pl.read_csv(file, schema_overrides={name: pl.String for name in columns if name.lower() == PLACE_NAME})


def _questions_of(workspace: Workspace, prepared: Prepared, rows: pl.DataFrame, file: Path) -> pl.DataFrame:
    panel = prepared.panel
    named = {column.lower(): column for column in rows.columns}
    time_column = next((named[name] for name in TIME_NAMES if name in named), None)
    if time_column is None:
        known = ", ".join(rows.columns)
        message = f"{file}: no column tells the time; expected one of {', '.join(TIME_NAMES)}, there are {known}"
        raise DataError(message)
    written = rows[time_column].cast(pl.String).to_list()
    moments = [_try_moment(text, panel.zone) for text in written]
    begun = times.floor(pl.Series("start", moments, dtype=UTC_TIME).fill_null(prepared.first), panel.every, panel.zone)
    horizons = _horizons_of(rows, named, prepared)
    place = _places_of(workspace, prepared, rows, named, file)
    read = pl.Series([moment is not None for moment in moments])
    told = {str(step): times.shift(begun, step, panel.zone, -1) for step in panel.horizons}
    asked_at = pl.coalesce(pl.when(horizons == name).then(moment) for name, moment in told.items())
    asked = pl.DataFrame({"place": place, "start": begun, "end": times.end(begun, panel.every, panel.zone)})
    asked = asked.with_columns(as_of=asked_at).with_columns(
        pl.when(read).then(pl.col("start", "end", "as_of")), horizon=horizons
    )
    return asked.with_columns(
        reason=pl.when(~read)
        .then(pl.lit(f"{time_column} is no time that can be read"))
        .when(pl.col("place").is_null())
        .then(pl.lit("the place is missing or outside every place"))
        .when(pl.col("as_of").is_null())
        .then(pl.lit(f"the horizon is none of {', '.join(told)}"))
    )


def _horizons_of(rows: pl.DataFrame, named: dict[str, str], prepared: Prepared) -> pl.Series:
    if "horizon" in named:
        return rows[named["horizon"]].cast(pl.String).alias("horizon")
    return pl.Series("horizon", [str(prepared.panel.horizons[0])], dtype=pl.String).new_from_index(0, rows.height)


def _places_of(
    workspace: Workspace, prepared: Prepared, rows: pl.DataFrame, named: dict[str, str], file: Path
) -> pl.Series:
    if PLACE_NAME in named:
        ids = rows[named[PLACE_NAME]].cast(pl.String).alias("place")
        known = prepared.panel.places
        return ids if known.kind == "h3" else ids.set(~ids.is_in(known.ids.implode()), None)
    lat, lon = (next((named[name] for name in names if name in named), None) for names in (LAT_NAMES, LON_NAMES))
    if lat is None or lon is None:
        message = (
            f"{file}: no column tells the place; expected place, or lat and lon; there are {', '.join(rows.columns)}"
        )
        raise DataError(message)
    return places.assign(rows, (lat, lon), workspace.spec.predict.per.place, prepared.panel.places).alias("place")


def moment(text: str, zone: str) -> datetime:
    """Read a day or a moment as written on the command line; without an offset it is local to ``zone``."""
    found = _try_moment(text, zone)
    if found is None:
        message = f"{text!r} is no day or moment; expected 2019-09-01 or 2019-09-01T06:00"
        raise DataError(message)
    return found


def _try_moment(text: str | None, zone: str) -> datetime | None:
    import zoneinfo

    if text is None:
        return None
    try:
        if len(text) == len("2019-09-01"):
            return times.midnight(date.fromisoformat(text), zone)
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=zoneinfo.ZoneInfo(zone))


def _default_file(oracle: Oracle, answers: pl.DataFrame, zone: str) -> Path:
    import zoneinfo

    start, end = (answers[name].drop_nulls() for name in ("start", "end"))
    low, high = start.min(), end.max()
    if not isinstance(low, datetime) or not isinstance(high, datetime):
        message = "there is no question to answer"
        raise DataError(message)
    local = [value.astimezone(zoneinfo.ZoneInfo(zone)) for value in (low, high)]
    whole_days = all((value.hour, value.minute) == (0, 0) for value in local)
    edges: list[date] = [value.date() for value in local] if whole_days else list(local)
    file = releases.predictions_file(oracle.release.folder, edges[0], edges[1])
    for draft in file.parent.glob(f".{file.name}-*"):  # of a run that was cut off: the lock of the project is ours
        draft.unlink()
    return file


def write(answers: pl.DataFrame, file: Path) -> None:
    """Write answers as Parquet, CSV or JSON by the name's ending; whole or not at all."""
    writers: Mapping[str, Callable[[Path], object]] = {
        ".parquet": answers.write_parquet,
        ".csv": answers.write_csv,
        ".json": answers.write_json,
    }
    if file.suffix not in writers:
        message = f"{file}: expected a name that ends in one of {', '.join(writers)}"
        raise DataError(message)
    draft = file.with_name(f".{file.name}-{os.getpid()}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        writers[file.suffix](draft)
        draft.replace(file)
    except OSError as fault:
        message = f"{file}: cannot be written: {fault.strerror or fault}"
        raise OutsideError(message) from fault
    finally:
        with contextlib.suppress(FileNotFoundError):
            draft.unlink()


def stretches(first: datetime, until: datetime, step: Step | None, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Cut [first, until) into stretches of ``step``; one stretch without a step."""
    begun = first
    while begun < until:
        ended = until if step is None else min(times.shift(pl.Series([begun], dtype=UTC_TIME), step, zone)[0], until)
        yield begun, ended
        begun = ended
