"""Where releases and their predictions lie, and what they are called."""

import re
from datetime import UTC, date, datetime
from pathlib import Path

from asof.errors import DataError

PREDICTIONS = "predictions.parquet"
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")


def run_timestamp(moment: datetime) -> str:
    """Write ``moment`` as it stands in paths and names: ``20260102T030405Z`` (UTC, sorts by time)."""
    if moment.tzinfo is None:
        message = f"time {moment.isoformat()} has no zone: give one with a zone, such as UTC"
        raise DataError(message)
    return moment.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def release_name(project: str, moment: datetime) -> str:
    """Name of the release of the run begun at ``moment``: ``collisions-20260102T030405Z``."""
    return f"{_part(project, 'project name')}-{run_timestamp(moment)}"


def model_folder(root: Path, location: str, moment: datetime, model_type: str) -> Path:
    """Folder of a release: ``root/models/{location}/{run_timestamp}/model_type={model_type}``."""
    kind = f"model_type={_part(model_type, 'model type')}"
    return root / "models" / _part(location, "location") / run_timestamp(moment) / kind


def predictions_file(folder: Path, start: date, end: date) -> Path:
    """File of the answers for [start, end): ``folder/predictions/{start}_to_{end}/predictions.parquet``.

    Days are written ``2020-03-01``; moments (datetimes) ``2020-03-01T0600``.
    """
    return folder / "predictions" / f"{_moment(start)}_to_{_moment(end)}" / PREDICTIONS


def rows_file(folder: Path) -> Path:
    """File of the answers to rows without a time: ``folder/predictions/rows/predictions.parquet``."""
    return folder / "predictions" / "rows" / PREDICTIONS


def _moment(value: date) -> str:
    return value.strftime("%Y-%m-%dT%H%M") if isinstance(value, datetime) else value.isoformat()


def _part(text: str, what: str) -> str:
    if not _PART.fullmatch(text):
        message = (
            f"{what} {text!r} cannot be part of a path: use letters, digits, '_', '-' and '.', first a letter or digit"
        )
        raise DataError(message)
    return text
