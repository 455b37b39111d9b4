"""Files taken in as they come: what is complete, what came of each, and that nothing stops the watch."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from asof import verbs
from asof.adapters import locks, watches
from asof.cli import main
from asof.cli.base import stopped_by_signals
from asof.errors import DataError
from asof.flows import arrivals
from asof.flows.arrivals import Pace
from asof.terminal import show_arrival
from tests.flows import commands

PAGE = """\
name: shops
sources:
  sales:
    files: raw/*.csv
    key: id
    time: {columns: day, zone: UTC}
    checks: {price: {between: [0, 100]}}
    quarantine: 0.5
predict: {sum: sales.price, per: {every: 1d}}
"""
AT_ONCE = Pace(quiet=0, open=0, half=1000, gather=0, look=0)
Act = Callable[[], object]


@pytest.fixture
def shops(tmp_path: Path) -> Path:
    (tmp_path / "project.yaml").write_text(PAGE)
    return tmp_path


def sales(folder: Path, name: str, ids: range, price: str = "5", end: str = "\n") -> Path:
    (folder / "raw").mkdir(exist_ok=True)
    lines = ["id,day,price", *(f"{one},2024-01-{one % 28 + 1:02},{price}" for one in ids)]
    file = folder / "raw" / name
    file.write_text("\n".join(lines) + end)
    return file


def watched(folder: Path, *acts: Act, pace: Pace = AT_ONCE) -> list[Any]:
    """What is told when these things happen one after the other, with a look after each."""
    told: list[Any] = []

    def wakes() -> Iterator[bool]:
        for act in acts:
            act()
            yield True

    arrivals.watch(verbs.open_project(str(folder)), wakes(), told.append, pace=pace)
    return told


def came(told: Any) -> dict[str, str]:
    return {
        one["file"]: one.get("fault") or one.get("note") or f"{one['valid']}+{one['quarantined']}"
        for one in told["files"]
    }


def valid(folder: Path) -> pl.DataFrame:
    return verbs.open_project(str(folder)).lake.valid("sales")


def test_many_files_are_one_ingest_and_each_is_told(shops: Path) -> None:
    def drop() -> None:
        for number in range(5):
            sales(shops, f"{number}.csv", range(10 * number, 10 * number + 10))
        sales(shops, "odd.csv", range(50, 53), price="200")

    (told,) = watched(shops, lambda: None, drop, lambda: None)
    assert came(told) == {f"raw/{number}.csv": "10+0" for number in range(5)} | {"raw/odd.csv": "0+3"}
    assert told["rows"] == {"read": 53, "valid": 50, "quarantined": 3, "repeated": 0}
    assert told["files"][5]["reasons"] == [{"reason": "price: not between 0 and 100", "rows": 3}]
    assert told["refusals"] == []


def test_bad_files_are_named_and_stop_nothing(shops: Path) -> None:
    def drop() -> None:
        sales(shops, "b.csv", range(10))
        sales(shops, "z.csv", range(10, 20))
        (shops / "raw" / "a_empty.csv").write_text("\n")
        (shops / "raw" / "c_head.csv").write_text("id,day,price\n")
        (shops / "raw" / "d_wrong.csv").write_text("id;day;price\n1;2024-01-01;2\n")
        (shops / "raw" / "e_other.csv").write_text("x,y\n1,2\n")
        (shops / "raw" / "f.csv.part").write_text("id,day")

    (told, again) = watched(shops, drop, lambda: None, lambda: sales(shops, "e_other.csv", range(20, 25)))
    faults = came(told)
    assert (faults["raw/b.csv"], faults["raw/z.csv"]) == ("10+0", "10+0")
    assert "is empty" in faults["raw/a_empty.csv"]
    assert faults["raw/c_head.csv"] == "raw/c_head.csv: has a header and no rows"
    assert "write delimiter" in faults["raw/d_wrong.csv"]
    assert "no column 'id'" in faults["raw/e_other.csv"]
    assert len(faults) == 6
    assert came(again) == {"raw/e_other.csv": "5+0"}
    assert valid(shops).height == 25


def test_only_bad_files_leave_nothing_behind(shops: Path) -> None:
    (shops / "raw").mkdir()
    (told,) = watched(shops, lambda: (shops / "raw" / "a.csv").write_text("\n"), lambda: None)
    assert "is empty" in came(told)["raw/a.csv"]
    assert told["refusals"] == []
    assert verbs.open_project(str(shops)).lake.version("sales") is None


def test_half_a_record_waits_until_it_is_whole(shops: Path) -> None:
    half = "id,day,price\n1,2024-01-01,5\n2,2024-0"
    (shops / "raw").mkdir()
    file = shops / "raw" / "a.csv"
    told = watched(shops, lambda: file.write_text(half), lambda: None, lambda: file.write_text(half + "1-02,6\n"))
    assert [came(one) for one in told] == [{"raw/a.csv": "2+0"}]
    assert valid(shops)["price"].sort().to_list() == [5, 6]


def test_a_file_that_grows_waits_and_does_not_hold_up_others_for_ever(shops: Path) -> None:
    def grow() -> None:
        with (shops / "raw" / "slow.csv").open("a") as file:
            file.write("id,day,price\n" if file.tell() == 0 else f"{file.tell()},2024-01-01,5\n")
        time.sleep(0.05)

    sales(shops, "quick.csv", range(3))
    told = watched(shops, *[grow] * 12, pace=Pace(quiet=0.04, open=1, half=1, gather=0.2, look=0))
    assert [came(one) for one in told] == [{"raw/quick.csv": "3+0"}]


def test_half_a_record_that_stays_is_read_in_the_end_and_told(shops: Path) -> None:
    (shops / "raw").mkdir()
    (shops / "raw" / "a.csv").write_text("id,day,price\n1,2024-01-01,5\n2,2024-0")
    (told,) = watched(shops, lambda: None, pace=Pace(quiet=0, open=0, half=0, gather=0, look=0))
    assert came(told) == {"raw/a.csv": "1+1"}
    assert "2 fields" in told["files"][0]["reasons"][0]["reason"]


def test_a_replaced_file_replaces_its_rows_and_a_removed_one_leaves_them(shops: Path) -> None:
    file = sales(shops, "a.csv", range(4))
    sales(shops, "b.csv", range(10, 14))
    told = watched(
        shops,
        lambda: None,
        lambda: sales(shops, "a.csv", range(5), price="77"),
        file.unlink,
        lambda: None,
    )
    assert [came(one) for one in told] == [
        {"raw/a.csv": "4+0", "raw/b.csv": "4+0"},
        {"raw/a.csv": "5+0"},
        {"raw/a.csv": "is no longer there; its rows stay"},
    ]
    assert valid(shops)["price"].value_counts().sort("price").rows() == [(5, 4), (77, 5)]


def test_a_touched_file_is_not_read_again(shops: Path) -> None:
    file = sales(shops, "a.csv", range(4))
    assert len(watched(shops, lambda: None, lambda: os.utime(file, (1, 1)), lambda: None)) == 1


def test_a_refused_source_is_told_the_watch_goes_on_and_a_corrected_file_heals_it(shops: Path) -> None:
    told = watched(
        shops,
        lambda: sales(shops, "a.csv", range(4)),
        lambda: sales(shops, "b.csv", range(10, 30), price="999"),
        lambda: sales(shops, "c.csv", range(40, 42)),
        lambda: sales(shops, "b.csv", range(10, 30), price="9"),
    )
    assert came(told[1]) == {"raw/b.csv": "kept, but the source is refused as it is now"}
    assert told[1]["refusals"][0].startswith("source sales: 20 of 24 rows are refused (83.3%, at most 50.0%)")
    assert came(told[2]) == {"raw/c.csv": "kept, but the source is refused as it is now"}
    assert came(told[3]) == {"raw/b.csv": "20+0"}
    assert told[3]["refusals"] == []
    assert valid(shops).height == 26
    corrected = [one for one in told[3]["findings"] if one["check"] == "corrected"]
    assert [one["rows"] for one in corrected] == [20]


def test_the_same_files_are_found_by_a_plain_ingest_and_removed_ones_are_told(
    shops: Path, capsys: commands.Capture
) -> None:
    watched(shops, lambda: sales(shops, "a.csv", range(4)))
    sales(shops, "b.csv", range(10, 13))
    told = commands.shown(capsys, "ingest", shops)
    assert (told["sources"][0]["read"], told["sources"][0]["valid"]) == (3, 7)
    assert watched(shops, lambda: None, lambda: None) == []
    (shops / "raw" / "a.csv").unlink()
    told = commands.shown(capsys, "ingest", shops)
    assert [(one["check"], one["message"]) for one in told["findings"] if one["check"] == "removed"] == [
        ("removed", "a file that was read is no longer there; the rows stay: raw/a.csv")
    ]
    assert told["sources"][0]["valid"] == 7


def test_while_another_run_holds_the_project_files_wait(shops: Path) -> None:
    store = verbs.open_project(str(shops)).store
    sales(shops, "a.csv", range(4))
    held = locks.hold(store, wait=0, what="run")
    told = watched(shops, held.__enter__, lambda: None, lambda: held.__exit__(None, None, None))
    assert [came(one) for one in told] == [{"raw/a.csv": "4+0"}]


def test_a_person_reads_a_line_a_file(shops: Path, capsys: commands.Capture) -> None:
    def drop() -> None:
        sales(shops, "a.csv", range(9))
        (shops / "raw" / "b.csv").write_text("\n")
        sales(shops, "c.csv", range(12))
        sales(shops, "d.csv", range(20, 22), price="101")

    for told in watched(shops, drop, lambda: sales(shops, "e.csv", range(30, 60), price="101")):
        show_arrival(told)
    assert [line[10:] for line in capsys.readouterr().out.splitlines()] == [
        "sales  raw/a.csv: 9 rows, 9 valid, 0 in quarantine",
        "sales  raw/b.csv: not read: is empty; expected a header line and rows",
        "sales  raw/c.csv: 12 rows, 3 valid, 0 in quarantine; 9 known already",
        "sales  raw/d.csv: 2 rows, 0 valid, 2 in quarantine; price: not between 0 and 100 (2)",
        "sales  raw/e.csv: 30 rows kept, but the source is refused as it is now",
        (
            "refused: source sales: 32 of 44 rows are refused (72.7%, at most 50.0%): 32 rows refused: "
            "price: not between 0 and 100 (such as raw/d.csv:2, '101')"
        ),
    ]


def test_without_a_source_of_files_there_is_nothing_to_watch(shops: Path) -> None:
    with pytest.raises(DataError, match="no source is called shop; the project has sales"):
        arrivals.entrances_of(verbs.open_project(str(shops)), ["shop"])
    page = PAGE.replace("files: raw/*.csv", "socrata: {domain: d.org, dataset: abcd-1234, since: 2020-01-01}")
    (shops / "project.yaml").write_text(page)
    with pytest.raises(DataError, match="there is no folder to watch"):
        arrivals.entrances_of(verbs.open_project(str(shops)))


def test_without_the_extra_it_is_said_what_to_install(
    shops: Path, capsys: commands.Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert commands.refused(capsys, 2, "ingest", shops, "--watch").endswith("pip install 'asof[watch]'")


def test_watching_and_replaying_exclude_each_other(shops: Path, capsys: commands.Capture) -> None:
    assert main(["ingest", str(shops), "--watch", "--replay"]) == 2
    assert "choose one of them" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "form", "ending"),
    [
        ("a,b\n1,2\n", "csv", "whole"),
        ("a,b\r\n1,2\r\n", "csv", "whole"),
        ("a,b\n1,2", "csv", "open"),
        ("a,b\n1", "csv", "half"),
        ('a,b\n1,"x', "csv", "half"),
        ('{"a": 1}\n{"a": 2}\n', "json", "whole"),
        ('{"a": 1}\n{"a": 2}', "json", "open"),
        ('{"a": 1}\n{"a"', "json", "half"),
        ('[{"a": 1}]', "json", "whole"),
        ('[{"a": 1},', "json", "half"),
        ("PAR1 … PAR1", "parquet", "whole"),
        ("PAR1 …", "parquet", "half"),
    ],
)
def test_how_a_file_ends(tmp_path: Path, text: str, form: Any, ending: str) -> None:
    file = tmp_path / "a"
    file.write_text(text)
    assert watches.ending(file, form, ",") == ending
    file.write_bytes(b"\x1f\x8b" + text.encode())
    assert watches.ending(file, "csv", ",") == "whole"
    assert watches.ending(tmp_path / "gone", form, ",") == "half"


def test_folders_are_watched_once_they_are_there_and_our_own_store_is_not(tmp_path: Path) -> None:
    pytest.importorskip("watchfiles")
    stop, folder = threading.Event(), tmp_path / "raw"
    wakes = watches.wakes({folder: True}, stop)
    assert [next(wakes) for _ in range(2)] == [True, True]  # nothing to watch: look each time
    (folder / ".asof").mkdir(parents=True)
    assert next(wakes)
    while next(wakes):
        pass
    (folder / ".asof" / "part.parquet").write_text("ours")
    assert [next(wakes) for _ in range(3)] == [False, False, False]
    (folder / "a.csv").write_text("a\n1\n")
    assert any(next(wakes) for _ in range(20))
    shutil.rmtree(folder)
    assert any(next(wakes) for _ in range(20))
    stop.set()
    assert next(wakes, None) in {None, False, True}
    assert list(wakes) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_sets_the_event_and_what_was_before_is_put_back(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopped_by_signals() as stop:
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.wait(5)
    assert signal.getsignal(number) is before


def test_a_process_takes_in_what_is_dropped_until_it_is_told_to_stop(shops: Path) -> None:
    pytest.importorskip("watchfiles")
    command = [sys.executable, "-m", "asof", "ingest", str(shops), "--watch", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline().startswith("watching ")
        sales(shops, "a.csv", range(4), end="")
        first = json.loads(process.stdout.readline())
        assert came(first) == {"raw/a.csv": "4+0"}
        (shops / "raw" / "bad.csv").write_text("\n")
        sales(shops, "b.csv", range(4, 7))
        told: dict[str, str] = {}
        while len(told) < 2:
            told |= came(json.loads(process.stdout.readline()))
        assert told["raw/b.csv"] == "3+0"
        assert "is empty" in told["raw/bad.csv"]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err.splitlines()[-1]) == (0, "", "stopped")
    assert valid(shops).height == 7
