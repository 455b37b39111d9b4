"""What was caught of the leaks kept aside, without a false alarm, stays caught; the others stand as they came out."""

import json
from pathlib import Path

import pytest

from tests.leaks.aside import once

KEPT = {one["name"]: one for one in json.loads(once.OUTCOME.read_text(encoding="utf-8"))["leaks"]}
CAUGHT = sorted(name for name, one in KEPT.items() if one["caught"] and one["passed"])


def test_every_leak_was_tried_once() -> None:
    assert sorted(KEPT) == once.NAMES
    assert len(KEPT) == 10


def test_the_page_tells_the_outcome(root: Path) -> None:
    page = " ".join((root / "docs" / "leaks.md").read_text(encoding="utf-8").split())
    caught, flagged = sum(one["caught"] for one in KEPT.values()), sum(not one["passed"] for one in KEPT.values())
    assert f"{caught} of 10 were caught by name, and {flagged} of 10 twins were flagged" in page


@pytest.mark.parametrize("name", CAUGHT)
def test_what_was_caught_stays_caught(name: str, tmp_path: Path) -> None:
    (tmp_path / "lakes").mkdir()
    again = once.attempt(name, tmp_path)
    assert (again["caught"], again["passed"]) == (True, True)
