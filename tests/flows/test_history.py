"""Which release was champion when, and the way back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

import asof
from asof.cli import main
from asof.errors import DataError
from asof.flows import history, records
from asof.flows.history import Reign
from asof.flows.workspace import Workspace
from tests.flows.commands import Capture, refused, shown

Finished = tuple[Path, Mapping[str, Any]]
ZONE = ZoneInfo("America/New_York")
"""Of the project's source: days are read on its clocks."""


def second(folder: Path, at: datetime) -> str:
    """Train another release and put it in the champion's place, at a moment of its own."""
    workspace = asof.open_project(str(folder), overrides=["train.seed=5"])
    name = str(asof.train(workspace)["release"])
    record = workspace.registry.find(name)
    assert record is not None
    workspace.registry.set_alias("champion", record.version)
    told = {"kind": "promotion", "at": at.isoformat(), "release": name, "promoted": True, "why": "better"}
    workspace.registry.decide({**told, "refused": False})
    return name


def moved(folder: Path, now: datetime) -> Workspace:
    """The project, opened at a moment."""
    workspace = asof.open_project(str(folder))
    workspace.now = now
    return workspace


def test_champions_one_after_the_other(copied: Finished) -> None:
    """Promoted, replaced, rolled back: each day has its answer, and nothing is removed."""
    folder, result = copied
    first = str(result["release"])
    begun = asof.open_project(str(folder)).registry.decisions()[-1]["at"]
    start = datetime.fromisoformat(begun)
    later = start + timedelta(days=10)
    name = second(folder, later)
    told = history.roll_back(moved(folder, start + timedelta(days=20)))
    assert (told["release"], told["why"]) == (first, f"rolled back from {name}")
    workspace = asof.open_project(str(folder))
    found = workspace.registry.find("champion")
    assert found is not None
    assert found.name == first
    assert {record.name for record in workspace.registry.releases()} == {first, name}
    afterwards = moved(folder, start + timedelta(days=30))
    days = {-3: None, 0: first, 9: first, 11: name, 19: name, 21: first}
    for day, expected in days.items():
        at = (start + timedelta(days=day)).astimezone(ZONE).date().isoformat()
        assert history.answering(afterwards, at)["release"] == expected, day
    exactly = history.answering(afterwards, later.isoformat())
    assert (exactly["release"], exactly["since"]) == (name, later.isoformat())
    kinds = [one["kind"] for one in records.runs(workspace)["decisions"]]
    assert kinds[0] == "rollback"


def test_the_champion_of_a_day(finished: Finished, capsys: Capture) -> None:
    """The day is shown as it was asked, in its zone; one that is still to come is refused, whatever is champion now."""
    folder, result = finished
    today = datetime.now(ZONE)
    told = shown(capsys, "runs", folder, "--at", f"{today:%Y-%m-%d}")
    assert (told["release"], told["asked"]) == (result["release"], f"the end of {today:%Y-%m-%d} (America/New_York)")
    assert main(["runs", str(folder), "--at", "2020-01-01T06:00Z"]) == 0
    said = " ".join(capsys.readouterr().out.split())  # lines break where the screen ends
    assert "none at 2020-01-01 01:00 (America/New_York): there was no champion yet" in said
    assert main(["runs", str(folder), "--at", f"{today:%Y-%m-%d}"]) == 0
    assert f"At the end of {today:%Y-%m-%d} (America/New_York)" in " ".join(capsys.readouterr().out.split())
    for ahead in (today + timedelta(days=1), today + timedelta(days=9000)):
        said = refused(capsys, 2, "runs", folder, "--at", f"{ahead:%Y-%m-%d}")
        assert said.startswith(f"--at {ahead:%Y-%m-%d}: it is only 20")
        assert said.endswith("(America/New_York), and who will be champion is not known; name a moment of the past")


def test_back_and_back_again(copied: Finished, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three champions, each worse: two steps back lead to the first, not to the one just left."""
    folder, result = copied
    workspace = asof.open_project(str(folder))
    kept = [
        history.Reign(name, datetime(2026, 1, day, tzinfo=UTC), why)
        for name, day, why in (
            (str(result["release"]), 1, "first"),
            ("b", 2, "better"),
            ("c", 3, "better"),
            ("b", 4, "rolled back from c"),
        )
    ]
    monkeypatch.setattr(history, "reigns", lambda _: kept)
    found = workspace.registry.find("champion")
    assert found is not None
    present = replace(found, name="b", version=7)
    assert history._earlier(workspace, present).name == result["release"]


def test_a_champion_can_be_named(copied: Finished, capsys: Capture) -> None:
    folder, result = copied
    second(folder, datetime(2031, 1, 1, tzinfo=UTC))
    assert shown(capsys, "rollback", folder, "--release", "1")["release"] == result["release"]
    assert "is the champion already" in refused(capsys, 2, "rollback", folder, "--release", "1")
    assert "no release 'none'" in refused(capsys, 2, "rollback", folder, "--release", "none")


def test_no_way_back(copied: Finished, capsys: Capture, tmp_path: Path) -> None:
    folder, _ = copied
    assert "no release was champion before" in refused(capsys, 2, "rollback", folder)
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    (fresh / "project.yaml").write_text((folder / "project.yaml").read_text())
    assert "has no champion" in refused(capsys, 2, "rollback", fresh)


def test_a_changed_release_is_not_put_back(copied: Finished) -> None:
    folder, _ = copied
    second(folder, datetime(2031, 1, 1, tzinfo=UTC))
    first = asof.open_project(str(folder)).registry.find("1")
    assert first is not None
    with (first.folder / "card.md").open("a") as out:
        out.write("more")
    with pytest.raises(DataError, match=r"card\.md"):
        history.roll_back(asof.open_project(str(folder)))


def test_decisions_that_promote() -> None:
    """Kept champions and openings of the holdout change nothing; order is that of time."""
    at = "2026-01-{:02}T00:00:00+00:00"
    told = [
        {"kind": "promotion", "at": at.format(5), "release": "b", "promoted": True, "why": "better"},
        {"kind": "holdout", "at": at.format(1), "recipe": "x"},
        {"kind": "promotion", "at": at.format(2), "release": "a", "promoted": True, "why": "first"},
        {"kind": "promotion", "at": at.format(7), "release": "c", "promoted": False, "why": "cannot tell"},
        {"kind": "rollback", "at": at.format(9), "release": "a", "why": "rolled back from b"},
    ]
    assert history.reigns(told) == [
        Reign("a", datetime(2026, 1, 2, tzinfo=UTC), "first"),
        Reign("b", datetime(2026, 1, 5, tzinfo=UTC), "better"),
        Reign("a", datetime(2026, 1, 9, tzinfo=UTC), "rolled back from b"),
    ]
