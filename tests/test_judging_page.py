"""The page on judging names only tests that there are, in the file that it links to."""

import re
from pathlib import Path


def test_every_statement_names_a_test_that_there_is(root: Path) -> None:
    page = (root / "docs" / "judging.md").read_text(encoding="utf-8")
    named = re.findall(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)", page)
    assert len(named) >= 20
    assert page.count("`test_") == len(named), "each test is linked"
    for test, path in named:
        assert f"def {test}(" in (root / path).read_text(encoding="utf-8"), f"{path} has no {test}"
