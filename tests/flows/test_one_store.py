"""Two pages in one folder: their rows are not mixed, and an address that changes is told of."""

import shutil
from pathlib import Path

import pytest

import asof
from asof.errors import DataError
from tests.flows import world


def test_another_project_needs_a_store_of_its_own(tmp_path: Path) -> None:
    """The same names of sources in one store are refused before a row is read; a store of its own is fine."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=60))
    asof.ingest(asof.open_project(str(folder)))
    page = (folder / "project.yaml").read_text().replace("name: world", "name: other")
    world.calls(days=90, seed=8).write_csv(folder / "more.csv")
    (folder / "other.yaml").write_text(page.replace("files: calls*.csv", "files: more.csv"))
    before = asof.open_project(str(folder)).lake.version("calls")
    with pytest.raises(DataError, match="holds rows of calls that belong to the project world") as told:
        asof.ingest(asof.open_project(str(folder / "other.yaml")))
    assert "store: .asof-other" in str(told.value)
    assert asof.open_project(str(folder)).lake.version("calls") == before
    own = asof.open_project(str(folder / "other.yaml"), overrides=["store=.asof-other"])
    assert asof.ingest(own)["rows"]["valid"] == world.calls(days=90, seed=8).height


def test_another_address_is_told_of(tmp_path: Path) -> None:
    """Rows of the first address stay: that may be meant, and may not."""
    folder = world.make(tmp_path / "world", rows=world.calls(days=60))
    asof.ingest(asof.open_project(str(folder)))
    world.calls(days=5, seed=9).head(7).with_columns(id="n" + world.calls(days=5, seed=9).head(7)["id"]).write_csv(
        folder / "mine.csv"
    )
    moved = asof.open_project(str(folder), overrides=["sources.calls.files=mine.csv"])
    told = asof.ingest(moved)
    assert told["rows"]["valid"] == world.calls(days=60).height + 7
    said = [one for one in told["findings"] if one["check"] == "address"]
    assert [one["severity"] for one in said] == ["warning"]
    again = asof.ingest(asof.open_project(str(folder), overrides=["sources.calls.files=mine.csv"]))
    assert not [one for one in again["findings"] if one["check"] == "address"]


def test_a_store_made_anew_is_not_the_one_before(tmp_path: Path) -> None:
    """Removed by hand and read again its versions begin again; a run sees that the rows are others."""
    folder = world.make(tmp_path, rows=world.calls(days=120))
    first = asof.run(asof.open_project(str(folder)))
    shutil.rmtree(folder / ".asof" / "lake")
    more = world.calls(days=127)
    more.write_csv(folder / "calls.csv")
    second = asof.run(asof.open_project(str(folder)))
    assert second["rows"]["valid"] == more.height > first["rows"]["valid"]
    assert second["release"] != first["release"]
    third = asof.run(asof.open_project(str(folder)))
    assert third["release"] == second["release"], "the same store is the same"
