"""A seeded tenth of the measurement of reliability: runs killed at any moment, sources whose outside fails."""

import os
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.forks import Forked

KILLED = ("rows lost", "rows twice", "half-written", "champion torn", "blocked", "unlike the twin")
MEASURE = """
import runpy, sys
from tests import migrated
migrated.utils._initialize_tables = migrated.MIGRATE  # a kill may come between two migrations
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
FAILED = ("lost", "twice", "half-written", "given up")


def table(page: str, begins: str) -> list[dict[str, str]]:
    """The rows of the table of a page that begins with a column."""
    lines = [line for line in page.split(f"| {begins} |", 1)[1].splitlines() if line.startswith("|")]
    heads = [begins, *(cell.strip() for cell in page.split(f"| {begins} |", 1)[1].splitlines()[0].split("|")[:-1])]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "---" not in line]
    return [dict(zip(heads, row, strict=True)) for row in rows if len(row) == len(heads)]


@pytest.mark.needs("moto")
@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
def test_nothing_is_lost_in_a_tenth_of_the_measurement(tmp_path: Path) -> None:
    """It takes as long as the runs that it kills, and those that go on after them."""
    pytest.importorskip("moto.server", reason="missing: moto")
    page = tmp_path / "page.md"
    command = [str(ROOT / "bench" / "reliability.py"), "--share", "0.1", "--seed", "7", "--page", str(page)]
    compiled = {**os.environ, "PYTHONPYCACHEPREFIX": ""}  # beside the sources, where it has been compiled already
    done = Forked(MEASURE, command, env=compiled).finish(900)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    text = page.read_text()
    kills = table(text, "killed in")
    assert [row["kills"] for row in kills if row["killed in"] == "all"] == ["10"]
    assert [{row[name] for name in KILLED} for row in kills] == [{"0"}] * len(kills)
    faults = table(text, "source")
    assert {row["source"] for row in faults} >= {"Socrata", "JSON API", "S3"}
    assert [{row[name] for name in FAILED} for row in faults] == [{"0"}] * len(faults)
    assert sum(int(row["asked again"]) for row in faults) > 0, "no ingest failed, so nothing was put to the test"
