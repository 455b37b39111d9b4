"""A planted project is opened, read, trained and audited as ``run`` does it, in the quick form."""

import shutil
from pathlib import Path

import polars as pl

import asof
from asof.audit import Audit, Outcome
from asof.data import Severity
from asof.flows import auditing, intake, learning, preparation, running
from tests.leaks.worlds import Project


def audit(project: Project, folder: Path, lakes: Path) -> Audit:
    """Return the audit of ``project``, written to ``folder``; equal tables are read once and kept under ``lakes``."""
    workspace = asof.open_project(str(project.write(folder)))
    kept = lakes / _name(project)
    if kept.is_dir():
        shutil.copytree(kept, workspace.store)
    else:
        intake.take_in(workspace, ())
        shutil.copytree(workspace.store, kept)
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    bench = running._lay_out(workspace, prepared)
    selection = learning.choose(workspace, bench)
    model = learning.fit(workspace, bench, bench.split.train, selection.chosen)
    last = prepared.last
    assert last is not None
    asked = learning.answerable(workspace, prepared, bench.split.cut, last)
    known = asked.questions.filter(pl.col("label").is_not_null())
    accused = auditing.Accused(bench, known, selection.plan, model)
    return auditing.examine(workspace, prepared, accused)


def blamed(done: Audit) -> dict[str, set[str]]:
    """Subjects of the findings that fail it, by check."""
    failed = {verdict.check: verdict.findings for verdict in done.verdicts if verdict.outcome is Outcome.FAILED}
    return {check: {f.subject for f in found if f.severity is Severity.ERROR} for check, found in failed.items()}


def _name(project: Project) -> str:
    """Name of everything that decides what is kept of the tables."""
    import hashlib

    state = hashlib.sha256(repr(project.settings["sources"]).encode())
    for name, table in sorted(project.tables.items()):
        state.update(f"{name}\n{table.write_csv()}".encode())
    return state.hexdigest()[:16]
