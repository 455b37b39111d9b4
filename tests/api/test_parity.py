"""The audit asks a real server: it answers as the batch does, and where it does not, the audit fails."""

import dataclasses
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.audit import Outcome
from asof.flows import asking, intake, overheard, preparation
from asof.flows.preparation import Prepared
from asof.flows.workspace import Workspace
from tests.flows import houses


def laid_out(folder: Path) -> tuple[Workspace, Prepared, pl.DataFrame]:
    """A finished project, its data, and ten of its questions."""
    workspace = asof.open_project(str(folder))
    prepared = preparation.prepare(workspace, intake.open_tables(workspace))
    panel = prepared.panel
    asked = preparation.of_rows(prepared) if panel.rows else preparation.ask(prepared, prepared.first, prepared.last)
    known = asked.filter(pl.col("as_of") > prepared.first) if panel.timed else asked
    return workspace, prepared, known.drop("label", "known_at", strict=False).sample(10, seed=3)


@pytest.fixture(scope="module")
def sold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Houses with a time and a place, run once."""
    folder = houses.make(tmp_path_factory.mktemp("heard") / "houses", houses.HOUSES, sales=houses.sales(600, days=180))
    asof.run(asof.open_project(str(folder)))
    return folder


@pytest.mark.parametrize("kind", ["crashes", "people", "sold"])
def test_a_server_answers_as_the_batch(kind: str, request: pytest.FixtureRequest) -> None:
    """Panels, classes of rows and values of rows; the next questions of a panel as well."""
    workspace, prepared, questions = laid_out(request.getfixturevalue(kind))
    made = next(iter(workspace.registry.releases())).name
    told = overheard.check(workspace, prepared, made, questions, seed=0)
    assert (told.outcome, told.findings) == (Outcome.PASSED, ())
    assert told.coverage == f"{15 if kind == 'crashes' else 10} questions asked twice over HTTP"


def test_a_slip_of_the_server_is_found(crashes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day is read as the day after: every answer is about another period."""
    workspace, prepared, questions = laid_out(crashes)
    read = asking._try_moment

    def slipped(text: str | None, zone: str) -> Any:
        found = read(text, zone)
        return found if found is None else found.replace(day=1)

    monkeypatch.setattr(asking, "_try_moment", slipped)
    told = overheard.check(workspace, prepared, "champion", questions, seed=0)
    assert told.outcome is Outcome.FAILED
    assert "prediction" in {finding.subject for finding in told.findings}
    assert "differs between a batch and the server, asked about place z" in told.findings[0].message


def test_without_a_server_it_is_said(crashes: Path) -> None:
    workspace, prepared, questions = laid_out(crashes)
    told = overheard.check(dataclasses.replace(workspace, listen=None), prepared, "champion", questions, seed=0)
    assert told.outcome is Outcome.NOT_APPLICABLE
    assert "extra serve is not installed" in told.coverage
