"""A planted project is opened, read, trained and audited as ``run`` does it, in the quick form."""

import hashlib
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import asof
from asof.audit import Audit, Outcome
from asof.data import Severity
from asof.flows import auditing, intake, judging, learning, preparation, running
from tests.leaks.worlds import Project


@dataclass(frozen=True)
class Tried:
    """What came of a planted project."""

    audit: Audit
    recipe: str
    """Name of the recipe that was chosen."""
    refused: str
    """Why the last candidate was refused when candidates were judged; empty where it was not."""

    @property
    def blamed(self) -> set[str]:
        """Subjects of the findings that fail the audit; folds without their number."""
        return self.naming("")

    def naming(self, part: str) -> set[str]:
        """Those of them whose finding names ``part``, by its subject or in its words."""
        failed = [verdict for verdict in self.audit.verdicts if verdict.outcome is Outcome.FAILED]
        found = [one for verdict in failed for one in verdict.findings if one.severity is Severity.ERROR]
        found = [one for one in found if not part or part in re.split(r"\W+", f"{one.subject} {one.message}")]
        return {re.sub(r"^fold \d+$", "fold", one.subject) for one in found}

    @property
    def failed(self) -> list[str]:
        """Names of the checks that failed."""
        return self.audit.names(Outcome.FAILED)

    @property
    def told(self) -> str:
        """All findings, a line each."""
        return "\n".join(f"{one.check}: {one.severity}: {one.message}" for one in self.audit.findings)

    @property
    def whole(self) -> set[str]:
        """What a leak may be called after besides itself: the recipe or the file that it is part of, the answers."""
        return {self.recipe, "choice", "prediction", "features"}


def audit(project: Project, folder: Path, lakes: Path) -> Tried:
    """Audit ``project``, written to ``folder``; equal tables are read once and kept under ``lakes``."""
    workspace = asof.open_project(str(project.write(folder)))
    kept = lakes / _name(project)
    if kept.is_dir():
        shutil.copytree(kept, workspace.store)
    else:
        intake.take_in(workspace, ())
        shutil.copytree(workspace.store, kept)
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    bench = running.lay_out(workspace, prepared)
    selection = learning.choose(workspace, bench)
    model = learning.fit(workspace, bench, bench.split.train, selection.chosen)
    held = judging.held_out(workspace, prepared, bench).questions
    accused = auditing.Accused(bench, held, selection.plan, model)
    refused = [trial.why for trial in selection.plan.trials if trial.stage == "portfolio"][-1]
    return Tried(auditing.examine(workspace, prepared, accused), selection.chosen.name, refused)


def _name(project: Project) -> str:
    """Name of everything that decides what is kept of the tables."""
    state = hashlib.sha256(repr(project.settings["sources"]).encode())
    for name, table in sorted(project.tables.items()):
        state.update(f"{name}\n{table.write_csv()}".encode())
    return state.hexdigest()[:16]
