"""``asof check`` of projects whose units are rows: what is asked is told, with a time and without."""

from pathlib import Path

import polars as pl
import pytest

from asof.cli import main
from tests.flows import houses, world
from tests.flows.commands import Capture, few, project, refused, shown

__all__ = ["few"]  # the fixture of a few months of calls


@pytest.mark.parametrize("kind", ["houses", "passengers"])
def test_what_is_asked_of_rows(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of rows; periods and horizons are no matter of theirs; no stretch is covered without a time."""
    monkeypatch.setenv("COLUMNS", "80")
    if kind == "houses":
        folder = houses.make(tmp_path / "world", houses.HOUSES, sales=houses.sales())
    else:
        folder = houses.make(tmp_path / "world", houses.PASSENGERS, people=houses.people())
    assert main(["check", str(folder)]) == 0
    shown = capsys.readouterr().out
    asked = shown[shown.index("Asked") :].split("\n\n")[0]
    count = (houses.sales() if kind == "houses" else houses.people()).height
    assert f"{count:,}, each by itself" in asked
    assert "horizons" not in asked
    assert ("known" in asked) == (kind == "houses")


@pytest.mark.parametrize(("since", "code"), [("2031-02-15", 1), ("2021-05-01", 1), ("2021-04-30", 0)])
def test_a_day_after_which_nothing_is_covered(
    since: str, code: int, few: pl.DataFrame, tmp_path: Path, capsys: Capture
) -> None:
    """The last of 120 days is the 30th of April: whoever learns from the next one on has nothing to learn from."""
    folder = world.make(tmp_path / "world", project=project(("since: 2021-02-15", f"since: {since}")), rows=few)
    told = shown(capsys, "check", folder, code=code)
    assert told["refused"] is bool(code)
    found = [one for one in told["findings"] if one["check"] == "since"]
    assert [(one["severity"], one["subject"]) for one in found] == [("error", "train.since")] * code
    if code:
        assert found[0]["message"] == (
            f"nothing is left to learn from: calls covers 2021-01-01 to 2021-05-01, and learning begins on {since}; "
            "name an earlier day"
        )
        assert "covers" in refused(capsys, 2, "run", folder)
