"""A user's estimator at fault, where candidates are judged or only in the last fit: said by name, nothing is kept."""

from pathlib import Path

import pytest

import asof
from tests.flows import houses
from tests.flows.commands import Capture, refused, shown

PAGE = houses.HOUSES.replace("linear", "Mine").replace("rmsle", "rmse") + "plugins: parts.py\n"
MINE = """\
import asof
from asof.estimators.linear import Coefficients, Linear


class Line(Coefficients):
    def predict(self, features, threads=1):
        told = super().predict(features, threads)
        return {told}


@asof.estimator
class Mine(Linear):
    def fit(self, table, job, watch=None):
        made = super().fit(table, job, watch)
        if len(table) > {rows}:
            {then}
        return made
"""
FOLDS = 350
"""More rows than any fold learns from."""
JUDGED = 450
"""And more than the model that is judged has learnt from: only the last fit has them all."""


def made(folder: Path, *, rows: int = 0, then: str = "made = Line(**vars(made))", told: str = "told") -> Path:
    """Houses learnt by a user's line, which does something else where it learns from more than ``rows`` rows."""
    houses.make(folder, PAGE, sales=houses.sales(500, 140, towns=4))
    (folder / "parts.py").write_text(MINE.format(rows=rows, then=then, told=told))
    return folder


def test_a_candidate_that_fails_is_said_though_a_baseline_is_left(tmp_path: Path, capsys: Capture) -> None:
    result = shown(capsys, "train", made(tmp_path / "x", told="told[1:]"))
    assert result["recipe"] == result["baseline"]["name"].replace(" ", "_")
    (said,) = [one for one in result["findings"] if one["check"] == "candidates"]
    assert (said["severity"], said["subject"]) == ("warning", "Mine")
    assert "Mine is no candidate: failed on fold 1: Mine: " in said["message"]
    assert "got predictions of shape" in said["message"]


@pytest.mark.parametrize(
    ("rows", "then", "told", "said"),
    [
        (FOLDS, "made = Line(**vars(made))", "told * float('inf')", "Mine: prediction of row 0 is "),
        (JUDGED, "made = Line(**vars(made))", "told * float('nan')", "Mine: prediction of row 0 is nan; "),
        (JUDGED, "raise RuntimeError('too many')", "told", "FILE:16: plug-in: RuntimeError: too many"),
    ],
    ids=["infinite in the holdout", "missing at the end", "raises at the end"],
)
def test_a_fault_after_the_choice_leaves_no_release(
    rows: int, then: str, told: str, said: str, tmp_path: Path, capsys: Capture
) -> None:
    """It names the model, or the file of the user and the line; it is no fault of this program."""
    folder = made(tmp_path / "x", rows=rows, then=then, told=told)
    line = refused(capsys, 2, "train", folder)
    assert line.replace(str(folder / "parts.py"), "FILE").startswith(said)
    assert asof.open_project(str(folder)).registry.releases() == []
