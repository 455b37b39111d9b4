"""Champion and challenger are compared on questions that neither has seen, or else both are fitted anew."""

import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from tests.flows import world

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
