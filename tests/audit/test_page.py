"""The page docs/audit.md says nothing that no test shows."""

import re
from pathlib import Path

from asof.flows.auditing import FULL, QUICK

LINK = re.compile(r"\]\(\.\./(tests/[\w/]+\.py)#(\w+)\)")


def page(root: Path) -> str:
    return (root / "docs" / "audit.md").read_text(encoding="utf-8")


def test_every_test_that_the_page_names_is_there(root: Path) -> None:
    links = LINK.findall(page(root))
    assert len(links) > 40
    for file, name in links:
        text = (root / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {name}\(", text, flags=re.MULTILINE), f"{file} has no {name}"


def test_every_statement_ends_with_a_test(root: Path) -> None:
    """Each point of a list, but for those of what cannot be seen, links to at least one."""
    said = page(root).split("## What it cannot see")[0]
    points = re.split(r"\n(?=- |\n[^ ])", said)
    stated = [point for point in points if point.startswith("- ")]
    assert len(stated) > 30
    assert [point for point in stated if not LINK.search(point)] == []


def test_the_page_says_how_much_is_tried(root: Path) -> None:
    told = re.sub(r"\s+", " ", page(root).split("## Quick and whole")[1])
    assert f"two cuts are tried with {QUICK.per_cut} questions each" in told
    assert (QUICK.cuts, FULL.cuts) == (2, 12)
    assert f"{QUICK.parity} questions one by one, columns on {QUICK.rows:,} training questions" in told
    assert f"twelve cuts and {FULL.parity} questions one by one" in told
