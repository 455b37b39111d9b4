"""Rows of a file answered by a release, and the questions of a project that still wait for their truth."""

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from asof.errors import AsofError, DataError
from asof.flows import delivering, oracles, predicting
from asof.flows.predicting import Asked
from asof.flows.preparation import Prepared
from asof.ui.sights import Sight

MOST_MEGABYTES = 50
"""Larger files are for the command line."""
MOST_ROWS = 200_000
KINDS = (".csv", ".parquet")
"""Compressed text is left to the command line: it may be of any size."""
EXAMPLES = 5
"""Rows of a file to begin with."""
OURS = ("release", "unit")
"""Columns of answers that a reader need not see: which release, and the number or key of the row."""
NAMES = {
    "unit": "Row",
    "place": "Place",
    "start": "From",
    "end": "Until",
    "as_of": "Asked as of",
    "horizon": "Ahead",
    "prediction": "Prediction",
    "low": "Low",
    "high": "High",
    "probability": "Probability",
    "outside": "Outside what was seen",
    "learnt": "Outcome was learnt",
    "reason": "Why there is no answer",
}
"""Columns of answers, for people."""


@dataclass(frozen=True)
class Answered:
    """Rows with their answers beside them, in the order of the rows."""

    frame: pl.DataFrame
    """What was given, then the answer: as ``asof predict`` writes it."""
    own: tuple[str, ...]
    """Columns that were given."""
    counts: Mapping[str, Any]
    """``answered``, ``unanswered``, ``learnt``, ``reasons``: see ``delivering.counts``."""


def answer(sight: Sight, name: str, content: bytes) -> Answered:
    """Answer the rows of a file, as ``asof predict --input`` does; nothing of it is kept.

    Args:
        sight: the project and its release.
        name: of the file; its ending says how it is read.
        content: of the file.

    Raises:
        DataError: it is too large, it cannot be read, has no rows, or lacks a column that every question needs.
    """
    _refuse_large(name, content)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"rows{_kind(name)}"
        file.write_bytes(content)
        _refuse_many(name, file)
        now = sight.standing
        try:
            told = predicting.reply(sight.workspace, now.prepared, now.oracle, Asked(input=file))
        except AsofError as fault:
            raise DataError(str(fault).replace(str(file), name)) from fault
    own = told.frame.columns[: told.frame.columns.index(_first(told.frame, now.prepared))]
    return Answered(told.frame, tuple(own), delivering.counts(told.frame))


def _first(frame: pl.DataFrame, prepared: Prepared) -> str:
    """First column of the answers: they stand behind what was given."""
    return next(name for name in oracles.identity(prepared.panel) if name in frame.columns)


def _kind(name: str) -> str:
    kind = next((each for each in KINDS if name.lower().endswith(each)), None)
    if kind is None:
        message = f"{name}: expected a file whose name ends in one of {', '.join(KINDS)}"
        raise DataError(message)
    return kind


def _refuse_large(name: str, content: bytes) -> None:
    if len(content) > MOST_MEGABYTES * 1024**2:
        message = f"{name}: larger than {MOST_MEGABYTES} MB; `asof predict PROJECT --input {name}` answers it"
        raise DataError(message)


def _refuse_many(name: str, file: Path) -> None:
    """Refuse more rows than can be shown, before they are read: a small file may hold very many."""
    scan = pl.scan_parquet if file.suffix == ".parquet" else pl.scan_csv
    try:
        rows = int(scan(file).select(pl.len()).collect().item())
    except pl.exceptions.PolarsError:
        return  # read in full it is told what is wrong with it
    if rows > MOST_ROWS:
        message = f"{name}: {rows:,} rows, at most {MOST_ROWS:,} are answered here; `asof predict` answers all"
        raise DataError(message)


def waiting(sight: Sight) -> Answered | None:
    """Answer what still waits for its truth: rows without a label, or the next periods; none where none do."""
    now = sight.standing
    told = predicting.reply(sight.workspace, now.prepared, now.oracle, Asked())
    return Answered(told.frame, (), delivering.counts(told.frame)) if told.frame.height else None


def example(sight: Sight) -> pl.DataFrame:
    """A few rows of a file that can be answered, with the columns that it needs, every cell as text."""
    prepared = sight.standing.prepared
    panel = prepared.panel
    if not panel.rows:
        asked = predicting.next_questions(prepared, sight.standing.oracle.places).head(EXAMPLES)
        local = asked["start"].dt.convert_time_zone(panel.zone).dt.strftime("%Y-%m-%dT%H:%M")
        named = [] if panel.places.kind == "all" else ["place"]
        ahead = ["horizon"] if len(panel.horizons) > 1 else []
        return asked.with_columns(local.alias("start")).select(*named, "start", *ahead)
    spec = sight.workspace.spec.sources[panel.source]
    point = prepared.counted.place
    places = point if isinstance(point, tuple) else (point,) if isinstance(point, str) else ()
    names = [*spec.key, *(spec.time.columns if spec.time else ()), *places, *panel.own]
    rows = prepared.counted.rows.tail(EXAMPLES)
    return rows.select(list(dict.fromkeys(name for name in names if name in rows.columns))).cast(pl.String)


def shown(sight: Sight, told: Answered) -> pl.DataFrame:
    """Answers for people: names of places, local times, whole words; as many rows in the same order."""
    panel = sight.standing.prepared.panel
    ours = OURS if told.own else OURS[:1]  # beside a row that was given its key is told twice
    frame = told.frame.drop(name for name in ours if name not in told.own and name in told.frame.columns)
    if "place" in frame.columns and "place" not in told.own:
        frame = frame.with_columns(pl.col("place").replace_strict(panel.places.called, default=pl.col("place")))
    local = [
        pl.col(name).dt.convert_time_zone(panel.zone).dt.strftime("%Y-%m-%d %H:%M").alias(name)
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.Datetime) and kind.time_zone is not None
    ]
    frame = frame.with_columns(local)
    empty = [name for name in ("reason", "learnt", "horizon") if name in frame.columns and _says_nothing(frame[name])]
    frame = frame.drop(name for name in empty if name not in told.own)
    return frame.rename({name: title for name, title in _titles(frame, told.own).items() if title not in told.own})


def _says_nothing(column: pl.Series) -> bool:
    """Whether a column is empty, or false, or 0d, in every row."""
    given = column.drop_nulls()
    return given.is_empty() or (given.dtype == pl.Boolean and not given.any()) or given.unique().to_list() == ["0d"]


def _titles(frame: pl.DataFrame, own: tuple[str, ...]) -> dict[str, str]:
    of_class = [name for name in frame.columns if name.startswith(oracles.CHANCE)]
    titles = {**NAMES, **{name: f"P({name.removeprefix(oracles.CHANCE)})" for name in of_class}}
    return {name: title for name, title in titles.items() if name in frame.columns and name not in own}


def download(told: Answered, kind: str) -> bytes:
    """Return the answers as a file: ``csv`` or ``parquet``, as ``asof predict --out`` writes it."""
    buffer = io.BytesIO()
    (told.frame.write_csv if kind == "csv" else told.frame.write_parquet)(buffer)
    return buffer.getvalue()
