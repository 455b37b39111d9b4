"""The same questions asked elsewhere: in a process of its own, in a folder that holds nothing but the project's code.

What a plug-in answers may not depend on the process that asks (Python gives text another hash in each), nor on files
that are no source: of what they held at the moment of prediction nothing is known.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import polars as pl

from asof import lookups as looking
from asof import plugins, recipes
from asof.audit.base import BrokenError
from asof.audit.parity import Answers
from asof.data import Coverage, SourceTable
from asof.flows import preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from asof.lookups.plugin import PluginLookup
from asof.recipes import Model
from asof.specs import ProjectSpec

HASH_SEED = "271828"
"""Of the other process: text is hashed otherwise than here, where nobody has set it."""
NAMED = "lookup "
"""Before the name of a lookup that has failed, in the last words of the other process."""
BESIDE = 10_000_000
"""Bytes of a file beside the project up to which it may be a table of constants."""
Files = Literal["code", "beside", "all"]
SECONDS = 600
"""Longer than this is no answer."""


def ask(
    workspace: Workspace, prepared: Prepared, model: Model, questions: pl.DataFrame, whole: Answers, *, files: Files
) -> Answers:
    """Ask ``questions`` one by one in another process; features that plug-ins make are made there, the others given.

    Args:
        workspace: whose plug-ins.
        prepared: the sources.
        model: written to a folder, and read there.
        questions: n questions as they are asked in use.
        whole: what a batch answers to them.
        files: in a folder with nothing but the project's ``code`` and its polygons; with the files ``beside`` it that
            are no sources too; or in the project's own, with ``all``.

    Raises:
        RuntimeError: the other process failed, with its last words.
    """
    with tempfile.TemporaryDirectory(prefix="asof-elsewhere-") as name:
        task = Path(name)
        folder = task / "project"
        if files != "all":
            _mirror(workspace, folder)
        if files == "beside":
            _mirror_beside(workspace, folder)
        own = workspace.folder if files == "all" else folder
        _write(task, workspace.spec, own, prepared)
        questions.write_ipc(task / "questions.arrow")
        whole.features.write_ipc(task / "features.arrow")
        model.save(task / "model")
        done = subprocess.run(  # noqa: S603 - our own module
            [sys.executable, "-P", "-c", "from asof.flows import elsewhere; elsewhere.main()", name],
            cwd=own,
            env={**os.environ, "PYTHONHASHSEED": HASH_SEED},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            failed, _, said = last.removeprefix(NAMED).partition(": ")
            fault = RuntimeError(said if last.startswith(NAMED) else last)
            raise BrokenError(failed, fault) if last.startswith(NAMED) else fault
        return Answers(pl.read_ipc(task / "answers.arrow"), np.load(task / "predictions.npy"))


def main() -> None:
    """Answer the task in the folder that is named on the command line."""
    task = Path(sys.argv[1])
    told = json.loads((task / "task.json").read_text("utf-8"))
    workspace = _bare(ProjectSpec.model_validate_json(told["spec"]), Path(told["folder"]))
    tables = {name: _read(task, name, facts) for name, facts in told["tables"].items()}
    prepared = preparation.prepare(workspace, tables)
    lookups = [lookup for lookup in prepared.lookups if isinstance(lookup, PluginLookup)]
    questions, features = (pl.read_ipc(task / f"{name}.arrow") for name in ("questions", "features"))
    model = recipes.load(task / "model", plugins=workspace.plugins)
    rows: list[pl.DataFrame] = []
    told_rows: list[np.ndarray] = []
    for number in range(questions.height):
        row = features[number : number + 1]
        for lookup in lookups:
            made = _made(lookup, questions[number : number + 1], prepared)
            row = row.with_columns(made[name] for name in made.columns if name in row.columns)
        rows.append(row)
        told_rows.append(model.predict(row))
    pl.concat(rows).write_ipc(task / "answers.arrow")
    np.save(task / "predictions.npy", np.concatenate(told_rows), allow_pickle=False)


def _made(lookup: PluginLookup, question: pl.DataFrame, prepared: Prepared) -> pl.DataFrame:
    try:
        return looking.features(question, [lookup], prepared.past)
    except Exception as fault:
        first = (str(fault).splitlines() or [""])[0]
        raise SystemExit(f"{NAMED}{lookup.name}: {first}") from fault


def _bare(spec: ProjectSpec, folder: Path) -> Workspace:
    """A project without ports: nothing is read but what the task holds."""
    nothing = cast("Any", None)
    return Workspace(
        spec=spec,
        folder=folder,
        store="",
        local="",
        lake=nothing,
        readers=nothing,
        open_registry=nothing,
        hold=nothing,
        publish=nothing,
        fetch=nothing,
        open_table=nothing,
        plugins=plugins.load([folder / path for path in spec.plugins]),
        now=nothing,
    )


def _mirror(workspace: Workspace, folder: Path) -> None:
    """Copy the project's code, and its polygons, which are declared."""
    for path in _code(workspace):
        target = folder / path.relative_to(workspace.folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    place = workspace.spec.predict.per.place
    if place is not None and place.polygons:
        target = folder / place.polygons
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(workspace.folder / place.polygons, target)


def _mirror_beside(workspace: Workspace, folder: Path) -> None:
    """Copy small files near the project's code that no source reads."""
    sources = [spec.files.paths for spec in workspace.spec.sources.values() if spec.files]
    read = {path.resolve() for paths in sources for one in paths for path in workspace.folder.glob(one)}
    for near in sorted({(workspace.folder / path).parent for path in workspace.spec.plugins}):
        found = [path for path in near.rglob("*") if path.is_file() and path.is_relative_to(workspace.folder)]
        for path in found:
            inside = path.relative_to(workspace.folder)
            hidden = any(part.startswith(".") for part in inside.parts)
            if hidden or path.resolve() in read or path.stat().st_size > BESIDE:
                continue
            (folder / inside).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / inside)


def _code(workspace: Workspace) -> Iterator[Path]:
    """Plug-ins, and the Python files beside them."""
    for folder in sorted({(workspace.folder / path).parent for path in workspace.spec.plugins}):
        if folder.is_relative_to(workspace.folder):
            yield from sorted(path for path in folder.glob("*.py") if path.is_file())


def _write(task: Path, spec: ProjectSpec, folder: Path, prepared: Prepared) -> None:
    tables = {}
    for name, table in prepared.past.sources.items():
        table.rows.drop("_place", strict=False).write_ipc(task / f"rows-{name}.arrow")
        tables[name] = {
            "zone": table.zone,
            "delay": table.delay.total_seconds(),
            "starts": [moment.isoformat() for moment in table.coverage.starts],
            "ends": [moment.isoformat() for moment in table.coverage.ends],
            "place": table.place,
            "version": table.version,
        }
    told = {"spec": spec.model_dump_json(), "folder": str(folder), "tables": tables}
    (task / "task.json").write_text(json.dumps(told), "utf-8")


def _read(task: Path, name: str, told: dict[str, Any]) -> SourceTable:
    place = tuple(told["place"]) if isinstance(told["place"], list) else told["place"]
    starts, ends = (tuple(datetime.fromisoformat(text) for text in told[edge]) for edge in ("starts", "ends"))
    rows = pl.read_ipc(task / f"rows-{name}.arrow")
    delay = timedelta(seconds=told["delay"])
    return SourceTable(name, rows, told["zone"], delay, Coverage(starts, ends), place, told["version"])
