"""Champion and challenger are compared on questions that neither has seen, or else both are fitted anew."""

import shutil
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from tests.flows import houses, world

FIRST = date(2021, 1, 1)
DAYS = 230


def grown(folder: Path, days: int) -> Path:
    """The small project, with the rows of its first ``days`` days."""
    rows = world.calls(days=DAYS)
    until = pl.lit(FIRST).dt.offset_by(f"{days}d")
    return world.make(folder, rows=rows.filter(pl.col("at").str.slice(0, 10).str.to_date() < until))


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    """Return the project run on its first 150 days, and what the run gave; read only."""
    folder = grown(tmp_path_factory.mktemp("young") / "world", 150)
    return folder, asof.run(asof.open_project(str(folder)))


@pytest.mark.parametrize(
    ("more", "on"),
    [
        (40, "questions asked after the champion's last cut 2021-06-01"),
        (5, "(only 3 periods lie after the champion's own last cut)"),
    ],
)
def test_new_rows_are_what_champion_and_challenger_are_compared_on(
    young: tuple[Path, Mapping[str, Any]], tmp_path: Path, more: int, on: str
) -> None:
    """40 days on, the champion answers by itself what it cannot have learnt; 5 days on, its recipe is fitted anew.

    Rows of 30 May are known on 1 June, which is the first cut; the first day asked from then on is 2 June, and with
    five days more the last is 4 June.
    """
    first = young[1]
    folder = Path(shutil.copytree(young[0], tmp_path / "world"))
    assert first["promoted"]
    workspace = asof.open_project(str(grown(folder, 150 + more)))
    second = asof.run(workspace)
    assert second["release"] != first["release"]
    decision = second["decision"]
    assert on in decision["on"]
    compared = decision["comparison"]
    assert compared["verdict"] == "cannot tell", "the same recipe, a little older"
    assert compared["gain"]["low"] < 0 < compared["gain"]["high"]
    assert second["promoted"] is False
    champion = workspace.registry.find("champion")
    assert champion is not None
    assert champion.name == first["release"]


OWN = """\
import asof
from asof.estimators.linear import Linear


@asof.estimator
class Mine(Linear):
    pass
"""


@pytest.mark.parametrize("packaged", [False, True])
def test_a_champion_whose_recipe_cannot_be_fitted_any_more_does_not_stand_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, packaged: bool
) -> None:
    """Its estimator was a plug-in that is gone: the best baseline stands in its place, and the record says why."""
    page = houses.HOUSES.replace("rmsle", "rmse").replace("28d, folds: 2", "56d, folds: 2")
    with monkeypatch.context() as installed:
        mine = page.replace("linear", "Mine") + ("" if packaged else "plugins: own.py\n")
        folder = houses.make(tmp_path / "x", mine, sales=houses.sales(600, 170, towns=4))
        (folder / "own.py").write_text(OWN)
        if packaged:
            made = folder / "own-1.0.dist-info"
            made.mkdir()
            (made / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
            (made / "entry_points.txt").write_text("[asof.plugins]\nown = own\n")
            installed.syspath_prepend(str(folder))
        assert asof.run(asof.open_project(str(folder)))["recipe"] == "Mine"
    sys.modules.pop("own", None)
    houses.make(folder, page, sales=houses.sales(600, 170, towns=4))
    workspace = asof.open_project(str(folder))
    second = asof.run(workspace)
    decision = second["decision"]
    assert "with the rule best column in place of the champion" in decision["on"]
    assert ("the champion cannot be opened: no estimator 'Mine'" in decision["on"]) is packaged
    assert "its recipe cannot be fitted now: no estimator 'Mine'" in decision["on"]
    assert decision["comparison"]["champion"] == pytest.approx(second["baseline"]["value"])
    assert decision["comparison"]["challenger"] == pytest.approx(second["holdout"]["rmse"]["value"])
    assert decision["comparison"]["verdict"] == "better"
    assert second["promoted"]
