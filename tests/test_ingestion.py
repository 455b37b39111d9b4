"""From a reader to valid rows: each stage alone, none in vain, and the same result whatever happens in between."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from asof.adapters import locks
from asof.adapters.files import FilesReader
from asof.adapters.lake import DeltaLake
from asof.data import Severity
from asof.errors import Busy, DataError, Refused
from asof.flows import ingestion
from asof.flows.ingestion import Ingested, ingest, load
from asof.ports import Batch, Lake
from asof.specs import CheckSpec, FilesSpec, PointSpec, SocrataSpec, SourceSpec, TimeSpec
from asof.testing.lakes import MemoryLake

NOW = datetime(2024, 6, 1, tzinfo=UTC)
SPEC = SourceSpec(
    key=("id",),
    time=TimeSpec(columns=("when",), zone="Europe/Paris"),
    delay="1d",
    place=PointSpec(lat="lat", lon="lon"),
    checks={"x": CheckSpec(type="integer")},
)
Lines = Sequence[tuple[str, str, str, str, str]]


class ListReader:
    """Gives lists of rows as batches; the watermark is the number of the last batch."""

    def __init__(self, *batches: Lines, pause: float = 0.0) -> None:
        self.given = batches
        self.pause = pause
        self.asked: list[str | None] = []

    def batches(self, watermark: str | None) -> Iterator[Batch]:
        self.asked.append(watermark)
        for number, lines in enumerate(self.given[int(watermark or 0) :], start=int(watermark or 0) + 1):
            time.sleep(self.pause)
            frame = pl.DataFrame(
                lines, schema=dict.fromkeys(("id", "when", "lat", "lon", "x"), pl.String), orient="row"
            )
            places = pl.Series("_line", range(2, 2 + len(lines)), pl.Int64)
            yield Batch(frame.with_columns(places, _file=pl.lit(f"{number}.csv")), str(number))


GOOD: Lines = [("1", "2024-03-01 10:00", "48.8", "2.3", "5"), ("2", "2024-04-02 11:00", "48.9", "2.4", "6")]
MORE: Lines = [
    ("2", "2024-04-02 11:00", "48.9", "2.4", "7"),
    ("3", "2024-03-31 02:30", "48.9", "2.4", "1"),
    ("4", "2024-05-01 00:00", "", "", "2"),
    ("5", "2024-05-01 00:00", "48.1", "2.2", "3"),
    ("6", "2024-05-02 00:00", "48.1", "2.2", "3"),
    ("7", "2024-05-02 00:00", "48.1", "2.2", "4"),
]


@pytest.fixture(params=[DeltaLake, MemoryLake])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    return request.param(tmp_path / "lake")  # type: ignore[no-any-return]


def run(lake: Lake, reader: ListReader, spec: SourceSpec = SPEC, **options: Any) -> Ingested:
    return ingest("a", spec, reader, lake, **{"now": NOW, **options})


def test_rows_are_read_kept_and_validated(lake: Lake) -> None:
    shares: list[float] = []
    done = run(lake, ListReader(GOOD, MORE), progress=shares.append)
    assert (done.read, done.new, done.valid, done.quarantined, done.skipped) == (8, 8, 6, 1, False)
    assert set(done.seconds) == {"read", "validate", "derive"}
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert lake.raw("a").sort("_file", "_line")["_month"].to_list() == [
        *("2024-03", "2024-04", "2024-04", "unknown", "2024-05", "2024-05", "2024-05", "2024-05"),
    ]
    assert lake.quarantine("a").select("id", "_column").rows() == [("3", "when")]
    assert {finding.check for finding in done.findings} >= {"quarantine", "revised", "place"}


def test_a_loaded_source_has_its_clock_zone_place_and_coverage(lake: Lake) -> None:
    run(lake, ListReader(GOOD, MORE))
    table = load("a", SPEC, lake)
    assert table.rows["id"].to_list() == ["1", "2", "4", "5", "6", "7"]
    assert table.rows["x"].to_list() == [5, 7, 2, 3, 3, 4]
    assert (table.zone, table.delay, table.place) == ("Europe/Paris", timedelta(days=1), ("lat", "lon"))
    assert table.rows["_available"][0] == datetime(2024, 3, 2, 9, 1, tzinfo=UTC)
    assert table.coverage.start == datetime(2024, 2, 29, 23, tzinfo=UTC)
    assert table.coverage.end == datetime(2024, 5, 2, 22, tzinfo=UTC)
    assert table.version == str(lake.version("a"))


def test_a_source_that_was_not_ingested_cannot_be_loaded(lake: Lake) -> None:
    with pytest.raises(DataError, match=r"source a has no validated rows.*run `asof ingest`"):
        load("a", SPEC, lake)


def test_asking_twice_changes_nothing(lake: Lake) -> None:
    first = run(lake, ListReader(GOOD, MORE))
    versions = [lake.version("a", table) for table in ("raw", "valid", "quarantine")]
    reader = ListReader(GOOD, MORE)
    again = run(lake, reader)
    assert reader.asked == ["2"]
    assert (again.skipped, again.read, again.new) == (True, 0, 0)
    assert (again.valid, again.quarantined, again.findings) == (first.valid, first.quarantined, first.findings)
    assert [lake.version("a", table) for table in ("raw", "valid", "quarantine")] == versions


def test_only_what_is_new_is_read(lake: Lake) -> None:
    run(lake, ListReader(GOOD))
    reader = ListReader(GOOD, MORE)
    done = run(lake, reader)
    assert reader.asked == ["1"]
    assert (done.read, done.new, done.valid) == (6, 6, 6)


def test_force_repeats_and_changed_settings_do_too(lake: Lake) -> None:
    run(lake, ListReader(GOOD))
    assert not run(lake, ListReader(GOOD), force=True).skipped
    strict = SPEC.model_copy(update={"checks": {"x": CheckSpec(between=(0, 5))}, "quarantine": 0.5})
    done = run(lake, ListReader(GOOD), strict)
    assert (done.skipped, done.read, done.valid, done.quarantined) == (False, 0, 1, 1)


def test_changed_code_repeats(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    run(lake, ListReader(GOOD))
    monkeypatch.setattr(ingestion, "code_hash", lambda: "another")
    assert not run(lake, ListReader(GOOD)).skipped


def test_a_clock_that_goes_back_does_not_let_an_older_version_win(lake: Lake) -> None:
    """What was told last counts, and that the clock has gone back is a finding."""
    ingest("a", SPEC, ListReader(GOOD), lake, now=NOW)
    corrected = [("1", "2024-03-01 10:00", "48.8", "2.3", "9")]
    done = ingest("a", SPEC, ListReader(GOOD, corrected), lake, now=NOW - timedelta(days=1))
    assert lake.valid("a").select("id", "x").sort("id").rows() == [("1", 9), ("2", 6)]
    [told] = [one for one in done.findings if one.check == "clock"]
    assert told.message.startswith(
        "this machine's clock shows 2024-05-31 00:00 UTC, and rows were taken in at 2024-06-01 00:00 UTC before"
    )
    later = ingest("a", SPEC, ListReader(GOOD, corrected), lake, now=NOW + timedelta(days=1))
    assert "clock" not in [one.check for one in later.findings]


def test_replay_validates_again_without_reading(lake: Lake) -> None:
    bad: Lines = [("8", "2024-05-01 00:00", "48", "2", "eight"), ("9", "2024-05-01 00:00", "48", "2", "9")]
    spec = SPEC.model_copy(update={"quarantine": 0.5})
    assert run(lake, ListReader(bad), spec).quarantined == 1
    reader = ListReader(bad, MORE)
    done = run(lake, reader, spec.model_copy(update={"checks": {}}), replay=True)
    assert reader.asked == []
    assert (done.read, done.valid, done.quarantined) == (0, 2, 0)


def test_a_column_asked_for_later_is_read_from_the_start(lake: Lake) -> None:
    narrow = SPEC.model_copy(update={"checks": {}, "columns": ("id",)})
    run(lake, ListReader(GOOD), narrow)
    assert "x" not in lake.raw("a").columns
    reader = ListReader(GOOD)
    wide = SPEC.model_copy(update={"checks": {}, "columns": ("id", "x")})
    done = run(lake, reader, wide, now=NOW + timedelta(minutes=1))
    assert reader.asked == [None]
    assert done.valid == 2
    assert lake.valid("a")["x"].to_list() == [5, 6]


def test_another_data_set_is_read_from_the_start_but_another_token_is_not() -> None:
    def asked(**socrata: Any) -> str:
        given = {"domain": "d", "dataset": "s", "since": "2024-01-01", **socrata}
        return ingestion.asked_hash(SourceSpec(socrata=SocrataSpec(**given)))

    assert asked() == asked(token="x", page=5)
    assert asked() != asked(since="2023-01-01")
    files = [SourceSpec(files=FilesSpec(paths=(path,))) for path in ("a", "b")]
    assert ingestion.asked_hash(files[0]) == ingestion.asked_hash(files[1])


def test_a_refused_source_keeps_its_old_tables(lake: Lake) -> None:
    run(lake, ListReader(GOOD))
    old = lake.valid("a")
    spoilt: Lines = [(str(number), "2024-05-01 00:00", "48", "2", "bad") for number in range(10, 20)]
    with pytest.raises(
        Refused, match=r"source a: 10 of 12 rows are refused \(83.3%, at most 20.0%\): 10 rows refused: x"
    ):
        run(lake, ListReader(GOOD, spoilt))
    assert_frame_equal(lake.valid("a"), old)
    assert lake.raw("a").height == 12


def test_no_rows_is_said_so(lake: Lake) -> None:
    for reader in (ListReader(), ListReader([])):
        with pytest.raises(DataError, match="source a has no rows: the files are empty or have only a header"):
            run(lake, reader)


def test_a_future_row_is_looked_at_again_when_it_is_due(lake: Lake) -> None:
    ahead: Lines = [*GOOD, ("9", "2024-06-02 00:00", "48", "2", "9")]
    spec = SPEC.model_copy(update={"quarantine": 0.5})
    assert run(lake, ListReader(ahead), spec).quarantined == 1
    assert run(lake, ListReader(ahead), spec, now=NOW + timedelta(hours=1)).skipped
    done = run(lake, ListReader(ahead), spec, now=NOW + timedelta(days=2))
    assert (done.skipped, done.valid, done.quarantined) == (False, 3, 0)


def test_dates_that_do_not_tell_day_from_month_are_kept_and_said(lake: Lake) -> None:
    unclear: Lines = [("1", "01/02/2024", "48", "2", "1")]
    with pytest.raises(DataError, match=r"source a: .*day first or month first"):
        run(lake, ListReader(unclear))
    assert lake.raw("a")["_month"].to_list() == ["unknown"]
    told = SPEC.model_copy(update={"time": TimeSpec(columns=("when",), formats=("%d/%m/%Y",))})
    assert run(lake, ListReader(unclear), told).valid == 1


def test_findings_of_coverage_are_among_those_of_the_ingest(lake: Lake) -> None:
    lines: list[tuple[str, str, str, str, str]] = []
    for month in range(1, 13):
        for number in range(600):
            there = number % 10 < (4 if month in (6, 7) else 9)
            when = f"2023-{month:02d}-{number % 28 + 1:02d} {number % 24:02d}:00"
            lines.append((f"{month}-{number}", when, "48" if there else "", "2" if there else "", "1"))
    done = run(lake, ListReader(lines))
    (broken,) = [finding for finding in done.findings if finding.check == "coverage" and "lat" in finding.subject]
    assert broken.severity is Severity.WARNING
    assert broken.message == "2023-06 and 2023-07: 40% and 40% of rows have lat, lon, against 90% in the periods around"


# Crashes

HERE = Path(__file__).parent
MOMENTS = ["1 commit", "3 commit", "between", "after valid", "time 1", "time 2"]


def many(batches: int = 4, rows: int = 300) -> ListReader:
    """Batches with corrections of earlier keys, refused rows and repeated rows, always the same."""
    chance = random.Random(5)
    given = []
    for _ in range(batches):
        lines = []
        for _ in range(rows):
            day, key = chance.randrange(1, 29), chance.randrange(1000)
            x = str(chance.randrange(9)) if chance.random() > 0.05 else "bad"
            lines.append((str(key), f"2024-0{chance.randrange(1, 6)}-{day:02d} 12:00", "48", "2", x))
        given.append(lines)
    return ListReader(*given, pause=0.02)


def die(moment: str) -> None:
    """Kill this very process, as ``kill -9`` does, at a chosen step of the lake."""
    commit, replace, count = DeltaLake._append_once, DeltaLake._replace, [0]

    def end() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def committing(self: DeltaLake, *given: Any) -> bool:
        count[0] += 1
        done = commit(self, *given)
        if moment == f"{count[0]} commit":
            end()
        return done

    def replacing(self: DeltaLake, source: str, table: str, *given: Any) -> None:
        replace(self, source, table, *given)
        if moment == f"after {table}" or (moment == "between" and table == "quarantine"):
            end()

    DeltaLake._append_once = committing  # type: ignore[method-assign]
    DeltaLake._replace = replacing  # type: ignore[method-assign]


CHILD = """
import sys, time
sys.path.insert(0, sys.argv[1])
import test_ingestion as here
here.die(sys.argv[3])
print("go", flush=True)
begun = time.perf_counter()
here.run(here.DeltaLake(sys.argv[2]), here.many())
print(time.perf_counter() - begun, flush=True)
if sys.argv[3].startswith("time"):
    time.sleep(120)  # the blow falls here where the work was faster than the undisturbed one
"""


def child(root: Path, moment: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", CHILD, str(HERE), str(root), moment]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A lake after an ingest that nothing disturbed, and how long that took."""
    root = tmp_path_factory.mktemp("undisturbed")
    with child(root, "never") as process:
        output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return root, float(output.splitlines()[1])


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_moment_and_run_again_the_result_is_that_of_an_undisturbed_run(
    moment: str, undisturbed: tuple[Path, float], tmp_path: Path
) -> None:
    whole, seconds = undisturbed
    with child(tmp_path, moment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
        if moment.startswith("time"):
            time.sleep(seconds * random.Random(moment).random())
            process.kill()
        process.wait(120)
    assert process.returncode == -signal.SIGKILL
    done = run(DeltaLake(tmp_path), many())
    assert done.valid > 500
    assert done.quarantined > 50
    for table in ("raw", "valid", "quarantine"):
        ours, theirs = (getattr(DeltaLake(root), table)("a") for root in (tmp_path, whole))
        order = ["_first_seen", "_file", "_line", "_hash"] if table == "raw" else []
        ours, theirs = (frame.select(sorted(frame.columns)) for frame in (ours, theirs))
        assert_frame_equal(*((ours.sort(order), theirs.sort(order)) if order else (ours, theirs)))
    assert DeltaLake(tmp_path).watermark("a") == DeltaLake(whole).watermark("a")
    assert run(DeltaLake(tmp_path), many()).skipped


SLOW = """
import sys
sys.path.insert(0, sys.argv[1])
import test_ingestion as here
with here.locks.hold(sys.argv[2], what="ingest"):
    print("go", flush=True)
    here.run(here.DeltaLake(sys.argv[2] + "/lake"), here.many())
    sys.stdin.read()
"""


def test_a_second_ingest_of_a_store_is_told_of_the_first(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SLOW, str(HERE), str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "go\n"
        with pytest.raises(Busy, match=rf"in use by process {first.pid} .*\(ingest, "), locks.hold(tmp_path):
            pytest.fail("two at once")
        first.communicate("", timeout=120)
    with locks.hold(tmp_path):
        assert run(DeltaLake(tmp_path / "lake"), many()).skipped


def test_a_row_that_returns_to_a_former_content_is_what_it_says_last(lake: Lake) -> None:
    """A, B, A: also where all three stand in one file, and where they came in one read."""
    said: list[Lines] = [[("1", "2024-03-01 10:00", "48.8", "2.3", x)] for x in ("5", "6", "5")]
    for day in range(3):
        done = run(lake, ListReader(*said[: day + 1]), now=NOW + timedelta(days=day))
        assert done.new == 1
        assert lake.valid("a").select("x", "_file").rows() == [((5, 6, 5)[day], f"{day + 1}.csv")]
    again = run(lake, ListReader(*said), now=NOW + timedelta(days=4))
    assert (again.new, again.skipped) == (0, True)
    spec = SPEC.model_copy(update={"checks": {"x": CheckSpec(type="integer")}})
    ingest("at_once", spec, ListReader(*said), lake, now=NOW)
    ingest("in_one", spec, ListReader([line for lines in said for line in lines]), lake, now=NOW)
    assert [lake.valid(name)["x"].to_list() for name in ("at_once", "in_one")] == [[5], [5]]


def test_files_read_from_the_start_again_take_nothing_back(lake: Lake, tmp_path: Path) -> None:
    """January says A, February A too, March B; another setting reads all three again, and one is touched."""
    for name, x in (("1", "5"), ("2", "5"), ("3", "6")):
        (tmp_path / f"{name}.csv").write_text(f"id,when,lat,lon,x\n1,2024-03-01 10:00,48.8,2.3,{x}\n")
        reader = FilesReader(FilesSpec(paths=("*.csv",)), tmp_path)
        spec = SPEC.model_copy(update={"files": FilesSpec(paths=("*.csv",))})
        run(lake, reader, spec, now=NOW + timedelta(days=int(name)))  # type: ignore[arg-type]
    wide = spec.model_copy(update={"header": "lower"})
    done = run(lake, FilesReader(FilesSpec(paths=("*.csv",)), tmp_path, header="lower"), wide)  # type: ignore[arg-type]
    assert (done.read, done.new) == (3, 0)
    with (tmp_path / "2.csv").open("a") as file:
        file.write("2,2024-03-02 10:00,48.8,2.3,1\n")
    done = run(lake, FilesReader(FilesSpec(paths=("*.csv",)), tmp_path, header="lower"), wide, now=NOW)  # type: ignore[arg-type]
    assert (done.read, done.new) == (2, 1)
    assert lake.valid("a").select("id", "x").rows() == [("1", 6), ("2", 1)]
