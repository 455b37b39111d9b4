"""The outcome of the second set of leaks is whole, and what was caught without a false alarm stays caught."""

import json
from pathlib import Path

import pytest

from tests.leaks.aside_second import once

TOLD = json.loads(once.OUTCOME.read_text(encoding="utf-8"))
KEPT = {one["name"]: one for one in TOLD["leaks"]}
CAUGHT = sorted(name for name, one in KEPT.items() if one["caught"] and one["passed"])


def test_every_leak_was_tried_once() -> None:
    assert sorted(KEPT) == once.NAMES
    assert len(KEPT) == 10
    assert len(TOLD["commit"]) == 40


def test_the_page_tells_the_second_outcome(root: Path) -> None:
    text = (root / "docs" / "leaks.md").read_text(encoding="utf-8")
    caught, flagged = sum(one["caught"] for one in KEPT.values()), sum(not one["passed"] for one in KEPT.values())
    told = f"Of the second set, {caught} of 10 were caught by name, and {flagged} of 10 twins was flagged"
    assert told in " ".join(text.split())
    for name, one in KEPT.items():
        sentence = (once.load(name).__doc__ or "").strip()
        audit, twin = ("caught" if one["caught"] else "missed"), ("passes" if one["passed"] else "flagged")
        link = f"[{name}](../tests/leaks/aside_second/second_{name}.py)"
        assert f"| {link} | {sentence} | {audit} | {twin} | " in text


@pytest.mark.parametrize("name", once.NAMES)
def test_the_file_is_the_one_that_was_tried(name: str) -> None:
    assert KEPT[name]["sha256"] == once.hashed(name)


@pytest.mark.parametrize("name", once.NAMES)
def test_the_leak_makes_the_score_look_better(name: str) -> None:
    """Lower is better, for every metric of the set."""
    leak, twin = KEPT[name]["scores"]["leak"], KEPT[name]["scores"]["twin"]
    assert leak["metric"] == twin["metric"]
    assert leak["metric"] in {"log_loss", "rmse", "poisson_deviance"}
    assert leak["score"] < twin["score"]


@pytest.mark.parametrize("name", CAUGHT)
def test_what_was_caught_stays_caught(name: str, tmp_path: Path) -> None:
    (tmp_path / "lakes").mkdir()
    again = once.attempt(once.load(name), tmp_path)
    assert (again["caught"], again["passed"]) == (True, True)
