"""Where answers go: a file beside the release or of the user's choice, or the table of a database."""

import contextlib
import os
import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from asof import releases
from asof.errors import DataError, OutsideError
from asof.flows.workspace import Workspace
from asof.ports import AnswersTable


def table_of(workspace: Workspace, out: Path | str | None) -> AnswersTable | None:
    """Table that ``out`` names, reached once to see that it can be; none for a file.

    Raises:
        DataError: it is the address of no table.
        OutsideError: the database cannot be reached.
    """
    if not isinstance(out, str) or not ("://" in out or out.startswith("${")):
        return None
    table = workspace.open_table(out, Path.cwd())
    table.try_out()
    return table


def own_table(workspace: Workspace) -> AnswersTable | None:
    """Table of ``answers:`` in the project file, reached once; a file of SQLite is relative to the project's folder."""
    if workspace.spec.answers is None:
        return None
    table = workspace.open_table(workspace.spec.answers, workspace.folder)
    table.try_out()
    return table


def default_file(folder: Path, answers: pl.DataFrame, zone: str, place: str | None = None) -> Path:
    """File of answers beside the release in ``folder``: ``predictions/{start}_to_{end}/predictions.parquet``.

    Those of one ``place`` alone lie under its name: ``models/{place}/{run_timestamp}/model_type=…/predictions/…``.
    Drafts that a run left there when it was cut off are removed.
    """
    if place is not None and folder.parents[2].name == "models":
        folder = folder.parents[2] / _part(place) / folder.parent.name / folder.name
    if "start" not in answers.columns:
        return releases.rows_file(folder)
    start, end = (answers[name].drop_nulls() for name in ("start", "end"))
    low, high = start.min(), end.max()
    if not isinstance(low, datetime) or not isinstance(high, datetime):
        message = "there is no question to answer"
        raise DataError(message)
    local = [value.astimezone(zoneinfo.ZoneInfo(zone)) for value in (low, high)]
    whole_days = all((value.hour, value.minute) == (0, 0) for value in local)
    edges: Sequence[date] = [value.date() for value in local] if whole_days else local
    file = releases.predictions_file(folder, edges[0], edges[1])
    for draft in file.parent.glob(f".{file.name}-*"):  # of a run that was cut off: the lock of the project is ours
        draft.unlink()
    return file


def _part(place: str) -> str:
    """A place as part of a path."""
    return re.sub(r"^[^A-Za-z0-9%]", lambda found: f"%{ord(found[0]):02X}", quote(place, safe=""))


def counts(answers: pl.DataFrame) -> dict[str, Any]:
    """How many rows were answered, of how many of these the outcome had been learnt, and why the others were not.

    Returns ``answered``, ``unanswered``, ``learnt`` and ``reasons`` (``reason``, ``rows``; the most frequent first).
    """
    unanswered = answers.filter(pl.col("reason").is_not_null())
    reasons = unanswered.group_by("reason").agg(rows=pl.len()).sort("rows", "reason", descending=[True, False])
    return {
        "answered": answers.height - unanswered.height,
        "unanswered": unanswered.height,
        "learnt": int(answers["learnt"].sum()),
        "reasons": reasons.to_dicts(),
    }


def write(answers: pl.DataFrame, file: Path) -> None:
    """Write answers as Parquet, CSV or JSON by the name's ending; whole or not at all."""
    writers: Mapping[str, Callable[[Path], object]] = {
        ".parquet": answers.write_parquet,
        ".csv": answers.write_csv,
        ".json": answers.write_json,
    }
    if file.suffix not in writers:
        message = (
            f"{file}: expected a name that ends in one of {', '.join(writers)}, or the table of a database: "
            "postgresql://user@host/database#table, sqlite:///file.db#table"
        )
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
