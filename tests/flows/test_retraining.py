"""Retraining: nothing new makes no model; new rows make one, and why it was promoted or kept is written down."""

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import asof
from asof.errors import Busy
from asof.flows import records, retraining
from tests import forks
from tests.flows import world
from tests.flows.commands import Capture, shown

Finished = tuple[Path, Mapping[str, Any]]


def more(folder: Path, name: str = "calls-2.csv") -> int:
    """Write the days that follow those of the small world; returns how many rows."""
    rows = world.calls(days=212).filter(pl.col("at") >= "2021-07-20")
    rows = rows.with_columns(id=pl.format("n{}", pl.int_range(pl.len())))
    rows.write_csv(folder / name)
    return rows.height


def test_nothing_new_makes_no_model(copied: Finished, capsys: Capture) -> None:
    """Exit 0, no release, no run; kept once, however often it is asked."""
    folder, result = copied
    before = asof.open_project(str(folder)).registry
    runs, releases = len(before.runs()), len(before.releases())
    told = shown(capsys, "retrain", folder)
    assert told["retrained"] is False
    assert told["news"] == []
    assert told["release"] == result["release"]
    assert told["why"].startswith(f"nothing is new since {result['release']}")
    assert told["why"].endswith(f"{result['release']} stays champion")
    assert told["rows"]["read"] == 0
    shown(capsys, "retrain", folder)
    after = asof.open_project(str(folder)).registry
    assert (len(after.runs()), len(after.releases())) == (runs, releases)
    kinds = [one["kind"] for one in after.decisions()]
    assert kinds.count("retrain") == 1


def test_new_rows_make_a_challenger(copied: Finished, capsys: Capture) -> None:
    """Compared with the champion on the same questions; what was new and why are in the list of decisions."""
    folder, result = copied
    count = more(folder)
    told = shown(capsys, "retrain", folder)
    assert told["retrained"] is True
    assert told["news"] == [f"{count:,} new or corrected rows of calls"]
    assert told["release"] != result["release"]
    assert told["rows"]["read"] == count
    assert told["decision"]["promoted"] is told["promoted"]
    workspace = asof.open_project(str(folder))
    champion = workspace.registry.find("champion")
    assert champion is not None
    assert champion.name == (told["release"] if told["promoted"] else result["release"])
    listed = records.runs(workspace)["decisions"]
    assert [one["kind"] for one in listed[:2]] == ["retrain", "promotion"]
    assert listed[0]["what"] == f"{told['news'][0]}: {told['why']}"
    again = shown(capsys, "retrain", folder)
    assert again["retrained"] is False
    assert told["release"] in again["why"]


def test_another_setting_is_new(copied: Finished) -> None:
    folder, _ = copied
    told = retraining.retrain(asof.open_project(str(folder), overrides=["train.seed=5"]))
    assert told["retrained"] is True
    assert told["news"] == ["rows taken in before, other settings or plug-ins"]


def _die_before_the_name(folder: str) -> None:
    rename = Path.rename

    def die(self: Path, target: Path) -> Path:
        if self.name.startswith(".writing-"):
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    Path.rename = die  # type: ignore[method-assign]
    retraining.retrain(asof.open_project(folder))


def test_a_draft_that_was_cut_off_before_it_got_its_name_is_no_release(copied: Finished) -> None:
    """Killed between the last file and the name: all of a release is there, in a folder that the next run removes."""
    folder, _ = copied
    more(folder)
    killed = forks.context().Process(target=_die_before_the_name, args=(str(folder),))
    killed.start()
    killed.join(120)
    assert killed.exitcode == -signal.SIGKILL
    [draft] = folder.rglob(".writing-*")
    assert (draft / "manifest.json").is_file()
    told = retraining.retrain(asof.open_project(str(folder)))
    made = asof.open_project(str(folder)).registry.releases()
    assert told["retrained"] is True
    assert len(made) == 2
    assert not any(one.folder.name.startswith(".") for one in made)
    assert not draft.exists()


def test_the_first_time(tmp_path: Path) -> None:
    folder = world.make(tmp_path / "first", rows=world.calls(days=160))
    told = retraining.retrain(asof.open_project(str(folder)))
    assert told["news"] == ["nothing had been made before"]
    assert told["promoted"] is True


def _hold(folder: str, begun: Any, end: Any) -> None:
    with asof.open_project(folder).hold("a long run"):
        begun.set()
        end.wait(60)


def test_two_at_once_are_safe(copied: Finished) -> None:
    """The second is told who is at work, and nothing of its own is begun."""
    folder, _ = copied
    more(folder)
    way = forks.context()
    begun, end = way.Event(), way.Event()
    other = way.Process(target=_hold, args=(str(folder), begun, end))
    other.start()
    try:
        assert begun.wait(60)
        with pytest.raises(Busy, match="a long run"):
            retraining.retrain(asof.open_project(str(folder)))
        assert asof.open_project(str(folder)).lake.version("calls") == 0
    finally:
        end.set()
        other.join(60)
    assert retraining.retrain(asof.open_project(str(folder), wait=30))["retrained"] is True
