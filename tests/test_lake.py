"""The lake: its exam, and what only Delta tables promise (concurrent writers, partitions, crashes, S3)."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

import asof
from asof.adapters import credentials, fingerprints
from asof.adapters import lake as lake_module
from asof.adapters.lake import DeltaLake
from asof.errors import DataError, OutsideError
from asof.testing import lakes
from asof.testing.lakes import MemoryLake, batch
from tests import servers
from tests.flows import world

Question = Callable[[lakes.Make, Path], None]
MONTH = pl.Series(["2024-01"])


@pytest.mark.parametrize("question", lakes.EXAM, ids=lambda question: question.__name__)
@pytest.mark.parametrize("make", [DeltaLake, MemoryLake])
def test_exam(make: lakes.Make, question: Question, tmp_path: Path) -> None:
    question(make, tmp_path)


def test_hash_is_that_of_the_written_rule() -> None:
    rows = pl.DataFrame({"b": ["y", None], "a": ["x\x1f", "x"]})
    expected = [
        hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        for text in ("a\x1fx\x1b\x1f\x1eb\x1fy\x1e", "a\x1fx\x1e")
    ]
    assert fingerprints.hashes(rows).to_list() == expected


def test_no_two_contents_share_a_hash() -> None:
    rows = pl.DataFrame(
        {
            "a": ["x", "x\x1eb\x1fy", "x\x1e", None, "", "\x1b", "\x1b\x1f", "\x1f", "é", "xb"],
            "b": ["y", None, "y", None, "", None, None, "\x1b", "é", "y"],
        },
    )
    assert fingerprints.hashes(rows).n_unique() == rows.height


def test_keys_of_several_columns_do_not_run_into_each_other() -> None:
    rows = pl.DataFrame({"a": ["1|2", "1", "1\\", None], "b": ["3", "2|3", "|3", "4"], "_hash": ["h", "h", "h", "h"]})
    assert fingerprints.keys(rows, ["a", "b"]).to_list() == ["1\\|2|3", "1|2\\|3", "1\\\\|\\|3", "h"]


def test_rows_without_a_key_are_known_by_their_hash(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path)
    assert lake.append("a", batch({"x": ["1", "1", "2"]}), [], pl.Series(["2024-01"] * 3)) == 2
    assert lake.raw("a")["_key"].equals(lake.raw("a")["_hash"].rename("_key"))


def test_a_column_named_like_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'_key' has a name that Asof uses"):
        DeltaLake(tmp_path).append("a", batch({"_key": ["1"]}), [], MONTH)


def test_reading_what_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    for read in (DeltaLake(tmp_path).raw, DeltaLake(tmp_path).valid, DeltaLake(tmp_path).quarantine):
        with pytest.raises(DataError, match="run `asof ingest` first"):
            read("a")


def test_only_the_parts_concerned_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = DeltaLake(tmp_path)
    lake.append("a", batch({"id": ["1", "2"]}), ["id"], pl.Series(["2024-01", "2024-02"]))
    read = []
    whole = DeltaLake._read

    def noting(
        self: DeltaLake, table: Any, address: str, columns: Any = (), months: Any = (), where: Any = None
    ) -> pl.DataFrame:
        read.append(list(months))
        return whole(self, table, address, columns, months, where)

    monkeypatch.setattr(DeltaLake, "_read", noting)
    lake.append("a", batch({"id": ["3"]}), ["id"], pl.Series(["2024-02"]))
    lake.append("a", batch({"id": ["4"]}), ["id"], pl.Series(["2024-03"]))
    assert read == [["2024-02"]]


def test_parquet_is_compressed_with_zstd_and_in_parts_by_month(tmp_path: Path) -> None:
    DeltaLake(tmp_path).append("a", batch({"id": ["1"]}), ["id"], MONTH)
    files = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.parquet")]
    assert len(files) == 1
    assert files[0].startswith("a/raw/_month=2024-01/")
    assert files[0].endswith(".zstd.parquet")


def test_writers_at_once_neither_lose_nor_repeat_a_row(tmp_path: Path) -> None:
    """Four writers append overlapping rows, twelve batches each, of the same 60 keys."""
    faults: list[Exception] = []

    def write(writer: int) -> None:
        try:
            for start in range(0, 60, 5):
                keys = [str((start + writer * 7 + offset) % 60) for offset in range(10)]
                DeltaLake(tmp_path).append("a", batch({"id": keys}), ["id"], pl.Series(["2024-01"] * 10))
        except Exception as fault:  # noqa: BLE001 - handed to the test below
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert sorted(DeltaLake(tmp_path).raw("a")["_key"].to_list(), key=int) == [str(key) for key in range(60)]


def test_a_commit_that_comes_between_is_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake, other = DeltaLake(tmp_path), DeltaLake(tmp_path)
    lake.append("a", batch({"id": ["0"]}), ["id"], MONTH)
    compare, calls = DeltaLake._news, []

    def compare_then_be_late(self: DeltaLake, table: Any, rows: pl.DataFrame, again: Any) -> pl.DataFrame:
        fresh = compare(self, table, rows, again)
        calls.append(fresh.height)
        if len(calls) == 1:
            other.append("a", batch({"id": ["1"]}, "theirs"), ["id"], MONTH)
        return fresh

    monkeypatch.setattr(DeltaLake, "_news", compare_then_be_late)
    assert lake.append("a", batch({"id": ["1", "2"]}, "ours"), ["id"], pl.Series(["2024-01"] * 2)) == 1
    assert calls == [2, 1, 1]
    assert sorted(lake.raw("a")["_key"].to_list()) == ["0", "1", "2"]
    assert lake.watermark("a") == "ours"


def test_stamps_that_differ_tell_of_a_crash_between_the_two_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = DeltaLake(tmp_path)
    row = {"_ended": [1], "_available": [1], "_key": ["1"], "_file": ["a"], "_line": [1], "_reason": ["r"]}
    frame = pl.DataFrame(row)
    lakes.replace(lake, "a", frame, frame, {"raw": "0"})
    replace = DeltaLake._replace

    def crash(self: DeltaLake, source: str, table: str, *told: Any) -> None:
        if table == "valid":
            raise KeyboardInterrupt
        replace(self, source, table, *told)

    monkeypatch.setattr(DeltaLake, "_replace", crash)
    with pytest.raises(KeyboardInterrupt):
        lakes.replace(lake, "a", frame, frame, {"raw": "1"})
    assert lake.stamp("a") is None


def test_predictions_are_added_up(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path)
    assert lake.predictions() is None
    lake.write_predictions(pl.DataFrame({"place": ["a"], "prediction": [1.0]}))
    lake.write_predictions(pl.DataFrame({"place": ["b"], "prediction": [2.0], "low": [0.5]}))
    kept = lake.predictions()
    assert kept is not None
    assert kept.sort("place").rows() == [("a", 1.0, None), ("b", 2.0, 0.5)]


def test_many_small_files_of_answers_become_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost on the way, who has opened the table before reads on, and a fault in packing loses no answer."""
    from deltalake import DeltaTable
    from deltalake.exceptions import CommitFailedError
    from deltalake.table import TableOptimizer

    monkeypatch.setattr(lake_module, "MOST_FILES", 5)
    lake = DeltaLake(tmp_path)
    files = []
    for at in range(13):
        lake.write_predictions(pl.DataFrame({"place": [f"p{at:02d}"], "prediction": [float(at)]}))
        files.append(len(DeltaTable(str(tmp_path / "predictions")).file_uris()))
        if at == 4:
            earlier = DeltaTable(str(tmp_path / "predictions"))
    assert files == [1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2, 3]
    kept = lake.predictions()
    assert kept is not None
    assert kept.sort("place").rows() == [(f"p{at:02d}", float(at)) for at in range(13)]
    assert pl.scan_delta(earlier).collect().height == 5

    def busy(*_: object, **__: object) -> None:
        raise CommitFailedError("another program packs")

    monkeypatch.setattr(TableOptimizer, "compact", busy)
    for at in range(13, 17):
        lake.write_predictions(pl.DataFrame({"place": [f"p{at}"], "prediction": [float(at)]}))
    kept = lake.predictions()
    assert kept is not None
    assert kept.height == 17


def test_a_broken_log_is_a_failure_outside(tmp_path: Path) -> None:
    lake = DeltaLake(tmp_path)
    lake.append("a", batch({"id": ["1"]}), ["id"], MONTH)
    log = next((tmp_path / "a" / "raw" / "_delta_log").glob("*.json"))
    log.write_text("not json")
    with pytest.raises(OutsideError, match=r"a/raw: the store could not be read or written"):
        lake.raw("a")


def test_a_store_without_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The words of a source; nothing of the disk, and no colours; the same of a service without encryption."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(OutsideError) as told:
        DeltaLake("s3://asof-nobucket/x").version("a")
    assert str(told.value) == (f"s3://asof-nobucket/x/a/raw: {credentials.MISSING}; what was there is unchanged")
    for name, value in {**OPTIONS, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(OutsideError, match=r"^s3://asof-nobucket/x/a/raw: AWS_ENDPOINT_URL .*AWS_ALLOW_HTTP=true"):
        DeltaLake("s3://asof-nobucket/x").version("a")


def test_a_remote_store_that_fails_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line without colours; the disk of this machine has nothing to do with it."""
    from deltalake import DeltaTable

    def fail(*_: object, **__: object) -> bool:
        raise OSError("Generic S3 error\n   \x1b[31m↳\x1b[0m the cable is out")

    monkeypatch.setattr(DeltaTable, "is_deltatable", fail)
    with pytest.raises(OutsideError) as told:
        DeltaLake("s3://asof-nobucket/x").version("a")
    assert str(told.value) == (
        "s3://asof-nobucket/x/a/raw: the store could not be read or written (Generic S3 error ↳ the cable is out): "
        "what was there is unchanged; see that the address can be reached, then run again"
    )


FULL = """
import resource, signal, sys
import polars as pl
from asof.adapters.lake import DeltaLake
from asof.errors import OutsideError
from asof.testing.lakes import batch
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
lake = DeltaLake(sys.argv[1])
keys = [str(number) for number in range(20_000)]
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    lake.append("a", batch({"id": keys}, "w2"), ["id"], pl.Series(["2024-01"] * len(keys)))
except OutsideError as error:
    print(error)
    sys.exit(3)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of the size of files are a matter of POSIX")
def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    """A limit on the size of files makes writing fail in the middle, as a full disk does."""
    lake = DeltaLake(tmp_path)
    lake.append("a", batch({"id": ["old"]}, "w1"), ["id"], MONTH)
    run = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 3, run.stderr
    assert "see that the disk has room" in run.stdout
    assert run.stdout.count("\n") == 1
    assert lake.raw("a")["_key"].to_list() == ["old"]
    assert lake.watermark("a") == "w1"
    assert lake.append("a", batch({"id": ["new"]}, "w2"), ["id"], MONTH) == 1


OPTIONS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_ALLOW_HTTP": "true",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 server in a process of its own: deltalake keeps the interpreter's lock while it waits for an answer."""
    with servers.s3() as address:
        yield address


@pytest.mark.needs("moto")
@pytest.mark.parametrize("question", [lakes.repeats, lakes.derives, lakes.moves_the_watermark, lakes.remembers])
def test_exam_on_s3(question: Question, endpoint: str, tmp_path: Path) -> None:
    bucket = question.__name__.replace("_", "-")
    assert httpx.put(f"{endpoint}/{bucket}").status_code == 200
    question(lambda _root: DeltaLake(f"s3://{bucket}/store", {**OPTIONS, "AWS_ENDPOINT_URL": endpoint}), tmp_path)


@pytest.mark.needs("moto")
def test_options_of_s3_are_read_from_the_environment(
    endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**OPTIONS, "AWS_ENDPOINT_URL": endpoint}.items():
        monkeypatch.setenv(name, value)
    assert httpx.put(f"{endpoint}/environment").status_code == 200
    lakes.repeats(lambda _root: DeltaLake("s3://environment/store"), tmp_path)


@pytest.mark.needs("moto")
def test_keys_of_a_profile_lead_to_a_store(endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As they lead to a source: a file says them, and no variable does."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {"AWS_EC2_METADATA_DISABLED": "true", "AWS_ALLOW_HTTP": "true", "AWS_PROFILE": "mine"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".aws").mkdir()
    keys = f"aws_access_key_id = test\naws_secret_access_key = test\nendpoint_url = {endpoint}\n"
    (tmp_path / ".aws" / "config").write_text(f"[profile mine]\n{keys}")
    assert httpx.put(f"{endpoint}/profile").status_code == 200
    folder = world.make(tmp_path / "world")
    lake = asof.open_project(str(folder), overrides=["store=s3://profile/store"]).lake
    assert lake.append("a", batch({"id": ["1"]}, "w1"), ["id"], MONTH) == 1
    assert lake.raw("a")["_key"].to_list() == ["1"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "other")
    assert credentials.of_profile() == {}


def test_old_versions_stay_readable_after_many_commits(tmp_path: Path) -> None:
    """The log is summed up every hundred commits; what lies before stays."""
    lake = DeltaLake(tmp_path)
    for number in range(105):
        lake.append("a", batch({"id": [str(number)]}, f"w{number}"), ["id"], MONTH)
    assert any((tmp_path / "a" / "raw" / "_delta_log").glob("*.checkpoint.parquet"))
    assert lake.raw("a", 3).height == 4
    assert lake.raw("a").height == 105
    assert lake.watermark("a") == "w104"


def test_an_append_that_never_comes_first_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_module, "TRIES", 3)
    monkeypatch.setattr(DeltaLake, "_append_once", lambda *_given: False)
    with pytest.raises(OutsideError, match="other writers came first 3 times"):
        DeltaLake(tmp_path).append("a", batch({"id": ["1"]}), ["id"], MONTH)
