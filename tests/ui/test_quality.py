"""The data as they were taken in: rows, what is in quarantine and why, and what `asof check` says."""

from pathlib import Path

import pytest

import asof
from asof.flows import checking
from asof.ui import qualities
from asof.ui.qualities import Quality
from asof.ui.sights import Sight
from tests.ui import glances


@pytest.fixture(scope="module")
def sight(sold: Path) -> Sight:
    return glances.of(sold)


@pytest.fixture(scope="module")
def told(sight: Sight) -> Quality:
    return qualities.quality(sight)


def test_every_row_is_valid_or_in_quarantine(told: Quality) -> None:
    (source,) = told.sources
    assert (source.name, source.rows, source.valid, source.quarantined) == ("sales", 1200, 1198, 2)
    assert source.covered.startswith("2021-01-01 to 2021-")


def test_a_refused_row_shows_where_it_stands_and_the_cell_that_is_wrong_alone(told: Quality) -> None:
    found = {one.column: one for one in told.refusals}
    assert set(found) == {"area", "sold"}
    assert (found["area"].reason, found["area"].rows) == ("not between 1 and 5000", 1)
    assert found["area"].examples == ("sales.csv, line 6: '99999'",)
    assert found["sold"].examples == ("sales.csv, line 4: 'someday'",)
    row = glances.sales().row(4, named=True)
    assert row["id"] not in str(told.refusals), "nothing else of the row is told"


def test_a_long_cell_is_cut_and_a_line_without_columns_shows_none() -> None:
    row = {"_file": "a.csv", "_line": 7, "note": "x" * 500}
    assert qualities._example(row, "note") == f"a.csv, line 7: '{'x' * 59}…"
    assert qualities._example(row, "") == "a.csv, line 7"
    both = qualities._example({**row, "lat": None}, "note; lat")
    assert both.endswith(", empty")


def test_it_says_what_check_says_and_reads_no_source(sight: Sight, told: Quality) -> None:
    said = checking.check(asof.open_project(str(sight.workspace.folder)))
    subjects = [one["subject"] for one in said["findings"] if one["check"] not in {"quarantine", "repair"}]
    assert [one["subject"] for one in told.findings] == subjects
    assert ("rows", "1,198, each by itself") in told.asked
    assert told.profiles["sales"].to_dicts() == said["profiles"]["sales"]["columns"]
    (file := Path(sight.workspace.folder) / "sales.csv").rename(file.with_suffix(".gone"))
    try:
        assert qualities.quality(sight).sources == told.sources
    finally:
        file.with_suffix(".gone").rename(file)
