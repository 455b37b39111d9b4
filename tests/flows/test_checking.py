"""``asof check`` of projects whose units are rows: what is asked is told, with a time and without."""

from pathlib import Path

import pytest

from asof.cli import main
from tests.flows import houses


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
