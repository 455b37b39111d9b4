"""Bad files through the command line: one clear line, or quarantine; nothing lost, nothing half-written."""

import gzip
import io
import itertools
from pathlib import Path

import polars as pl
import pytest

import asof
from asof.cli import main
from tests.flows import world
from tests.flows.commands import Capture, Finished, few, line_of, nothing_kept, project, refused, shown

__all__ = ["few"]  # the fixture of a few months of calls


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "calls.csv: is empty; expected a header line and rows"),
        ("id,at,zone\n", "calls.csv: has a header and no rows"),
        (
            "id;at;zone\nc0;2021-01-01 05:00;z1\n",
            (
                "calls.csv: split at ',' the header is one column, 'id;at;zone'; "
                "it looks delimited by ';': write delimiter: \";\""
            ),
        ),
    ],
    ids=["empty", "header only", "wrong delimiter"],
)
def test_a_file_without_rows(content: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    """Each is told by the name of the file, and nothing is kept; corrected, the same command works."""
    folder = world.make(tmp_path / "world")
    (folder / "calls.csv").write_text(content)
    assert refused(capsys, 2, "run", folder) == message
    assert nothing_kept(folder)
    world.calls(days=20).write_csv(folder / "calls.csv")
    assert shown(capsys, "ingest", folder)["rows"]["quarantined"] == 0


def test_a_bad_file_among_good_ones_leaves_the_store_as_it_was(copied: Finished, capsys: Capture) -> None:
    """The new file is refused; rows, release and champion stay, and answers can be had."""
    folder, result = copied
    (folder / "calls2.csv").write_text("key,when\n1,2021-07-20 10:00\n")
    has = "it has key, when (calls2.csv)"
    said = [
        f"{line_of(folder, 'key: id')}: sources.calls.key: source calls has no column 'id': {has}",
        f"{line_of(folder, '[at]')}: sources.calls.time.columns: source calls has no column 'at': {has}",
    ]
    assert main(["run", str(folder)]) == 2
    told = capsys.readouterr()
    assert [line.removeprefix("asof: ") for line in told.err.splitlines()] == said
    workspace = asof.open_project(str(folder))
    assert workspace.lake.valid("calls").height == workspace.lake.raw("calls").height == result["rows"]["valid"]
    assert shown(capsys, "predict", folder)["release"] == result["release"]
    (folder / "calls2.csv").unlink()
    assert shown(capsys, "run", folder)["release"] == result["release"]


def test_the_tail_of_a_broken_record_is_set_aside(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """The first line under the header is the end of a record whose beginning is lost: whole, in quarantine."""
    folder = world.make(tmp_path / "world", rows=few)
    header, rows = (folder / "calls.csv").read_text().split("\n", 1)
    (folder / "calls.csv").write_text(f'{header}\n" PARKING LOT).""",0,0\n{rows}')
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height + 1, "valid": few.height, "quarantined": 1, "repeated": 0}
    assert told["sources"][0]["reasons"] == [{"reason": "at: no date", "rows": 1}]
    kept = asof.open_project(str(folder)).lake.quarantine("calls")
    assert kept.select("id", "at", "zone", "_file", "_line").rows() == [(' PARKING LOT)."', "0", "0", "calls.csv", 2)]
    assert shown(capsys, "ingest", folder)["rows"] == {"read": 0, "valid": few.height, "quarantined": 1, "repeated": 0}


@pytest.mark.needs("shared data")
def test_the_tail_of_a_real_broken_record_is_set_aside(shared_data: Path, tmp_path: Path, capsys: Capture) -> None:
    """The first 200 lines of the collisions of 2012, as they are published."""
    source = shared_data / "nyc_collisions" / "nyc_collisions_2012-2014.csv.gz"
    with gzip.open(source, "rt") as lines:
        (tmp_path / "crashes.csv").write_text("".join(itertools.islice(lines, 200)))
    (tmp_path / "project.yaml").write_text(
        "name: collisions\nsources:\n  crashes:\n    files: crashes.csv\n    header: lower\n    key: collision_id\n"
        "    time: {columns: [crash_date, crash_time], zone: America/New_York, formats: ['%m/%d/%Y']}\n"
        "    place: {lat: latitude, lon: longitude}\n"
        "predict:\n  count: crashes\n  per: {place: h3:7, every: 1d}\n"
    )
    told = shown(capsys, "ingest", tmp_path)
    assert told["rows"] == {"read": 199, "valid": 198, "quarantined": 1, "repeated": 0}
    kept = asof.open_project(str(tmp_path)).lake.quarantine("crashes")
    assert kept.select("crash_date", "crash_time", "_file", "_line").rows() == [
        (' PARKING LOT)."', "0", "crashes.csv", 2)
    ]
    assert "collision_id" in kept["_column"][0]


@pytest.mark.parametrize("cut", [0, 0.5], ids=["no Parquet at all", "half of it"])
def test_an_unreadable_parquet(cut: float, few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Half-written or of another format: told, nothing kept."""
    folder = world.make(tmp_path / "world", project=project(("calls*.csv", "calls.parquet")))
    buffer = io.BytesIO()
    few.write_parquet(buffer)
    whole = buffer.getvalue()
    (folder / "calls.parquet").write_bytes(whole[: int(len(whole) * cut)] or b"PAR1, or so it says")
    message = refused(capsys, 2, "run", folder)
    assert message.startswith("calls.parquet: cannot be read as Parquet (")
    assert message.endswith("it may be half-written, or of another format")
    assert nothing_kept(folder)


def test_no_file_matches(tmp_path: Path, capsys: Capture) -> None:
    """The pattern, the folder, and a name that is near."""
    folder = world.make(tmp_path / "world", project=project(("calls*.csv", "call.csv")))
    assert refused(capsys, 2, "check", folder) == (f"no file matches call.csv in {folder}; did you mean 'calls.csv'?")
