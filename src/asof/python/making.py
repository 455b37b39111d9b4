"""Files for what is in memory: frames and a page as a project like any other, a plan for a flow that reads one."""

import io
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import Any

import polars as pl

from asof import project
from asof.errors import OutsideError, UserError
from asof.python import frames
from asof.python.results import Comparison
from asof.tuning import Plan

MADE = "# Written by asof.Project.of_frames, and again by the next such call; edit a copy.\n"
PAGE = "project.yaml"


def write(folder: Path, page: Mapping[str, Any], sources: Mapping[str, Any]) -> Path:
    """Write frames and page below ``folder``; returns the path of the page. What has not changed is not touched.

    Raises:
        UserError: there is a page that was not made here, or a name that is no name of a file.
        OutsideError: the disk does not take it.
    """
    file = folder / PAGE
    whole = {"name": folder.resolve().name, **deepcopy(dict(page))}
    settings = dict(whole.get("sources") or {})
    for name in sources:
        if not name.isidentifier():
            message = f"{name!r} is no name for a source: expected letters, digits and _, beginning with a letter"
            raise UserError(message)
        settings[name] = {"files": f"data/{name}.parquet", **(settings.get(name) or {})}
    whole["sources"] = settings
    if file.is_file() and not file.read_text("utf-8").startswith(MADE):
        message = f"{file} was written by somebody else: open it with Project.open, or name another folder"
        raise UserError(message)
    for name, frame in sources.items():
        _keep(folder / "data" / f"{name}.parquet", _parquet(frames.polars(frame)))
    _keep(file, (MADE + project.written(whole)).encode())
    return file


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def _keep(file: Path, content: bytes) -> None:
    """Write ``content`` whole or not at all; a file that holds it already stays as it is."""
    draft = file.with_name(f".{file.name}.draft")
    try:
        if file.is_file() and file.read_bytes() == content:
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        draft.write_bytes(content)
        draft.replace(file)
    except OSError as fault:
        draft.unlink(missing_ok=True)
        message = f"{file}: cannot be written: {fault.strerror or fault}"
        raise OutsideError(message) from fault


@contextmanager
def plan_file(plan: Comparison | Plan | str | Path | None) -> Iterator[Path | None]:
    """A plan as the file that flows read; removed afterwards where it was made for this."""
    told = plan.plan if isinstance(plan, Comparison) else plan
    if told is None or isinstance(told, str | Path):
        yield Path(told) if told is not None else None
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "plan.json"
        file.write_text(told.write(), encoding="utf-8")
        yield file
