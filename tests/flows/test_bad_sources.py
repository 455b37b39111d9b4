"""Bad sources: one clear line, what was there stays, and when it is mended every row is there once.

Two files with the same key and different rows: here; within one file
``test_bad_values.test_keys_that_come_again_with_different_content``; a file that is replaced
``test_arrivals.test_a_replaced_file_replaces_its_rows_and_a_removed_one_leaves_them``.

A file still being written: a line just begun here, ``test_files_again.test_a_file_that_grows_while_it_is_read``,
``test_files_again.test_a_half_written_gzip``, ``test_files.test_a_half_written_array``,
``test_arrivals.test_half_a_record_waits_until_it_is_whole`` and ``test_a_file_that_grows_waits_…``; an object of a
bucket ``test_objects.test_an_object_that_breaks_off_for_ever_leaves_nothing_half_read``.

A file removed after it was read: ``test_files_again.test_a_file_that_vanished_is_no_fault``,
``test_arrivals.test_the_same_files_are_found_by_a_plain_ingest_and_removed_ones_are_told``; an object
``test_objects.test_an_object_that_is_replaced_is_read_again_and_one_that_is_gone_is_told``.

The clock going back: ``test_ingestion.test_a_clock_that_goes_back_does_not_let_an_older_version_win``,
``test_sql.test_a_clock_that_went_back_reads_again_and_says_so``. A watermark in the future:
``test_sql.test_a_watermark_in_the_future_does_not_hide_what_comes_after``,
``test_jsonapi.test_a_watermark_in_the_future_is_capped_and_told``,
``test_socrata.test_a_watermark_in_the_future_is_refused``.

A table that lost a column: ``test_sql.test_a_column_that_is_gone_is_named``; a file
``test_files_again.test_a_missing_column_with_the_nearest``, ``test_bad_columns.test_a_column_that_is_not_there``; every
kind of source ``asof.testing.sources.check_columns``.

Credentials missing, wrong, expired: ``test_jsonapi.TestCredentials``, ``test_sql.test_credentials``,
``test_objects.test_what_the_store_refuses`` and ``TestCredentials``, ``test_socrata.test_a_wrong_one_is_refused_…``.

A server that hangs: here; a webhook ``test_watching.test_a_webhook_that_hangs_ends_in_time_and_changes_no_exit_code``.
Runs killed at chosen moments: ``test_crashes``; at any moment, and every fault of the servers for tests:
``test_reliability``, a tenth of ``python bench/reliability.py``.
"""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

import asof
from asof.adapters import files
from asof.adapters.calls import Patience
from asof.adapters.jsonapi import ApiReader
from asof.adapters.socrata import SocrataReader
from asof.errors import OutsideError
from asof.ports import Reader
from asof.specs import ApiSpec, SocrataSpec, TimeSpec
from asof.testing.jsonapi import ApiServer
from asof.testing.servers import Faults
from asof.testing.socrata import SocrataServer
from tests.flows import world
from tests.flows.commands import Capture, few, refused, shown

__all__ = ["few"]  # a fixture

SHORT = Patience(attempts=2, timeout=0.3, whole=0.5, first=0.001, longest=0.01)
ROWS = pl.DataFrame({"id": ["1"], "at": ["2024-03-01T10:00:00.000"]})


def test_two_files_with_the_same_key_and_different_rows(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Of one ingest the file later by name counts, of two the later ingest; all versions are kept, each row is one."""
    folder = world.make(tmp_path / "world", rows=few)
    few.head(3).with_columns(zone=pl.lit("z8")).write_csv(folder / "calls2.csv")
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height + 3, "valid": few.height, "quarantined": 0, "repeated": 3}
    [found] = [one for one in told["findings"] if one["check"] == "revised"]
    assert "(such as key 'c0': calls.csv:2, then calls2.csv:2)" in found["message"]
    few.head(2).with_columns(zone=pl.lit("z9")).write_csv(folder / "calls1.csv")
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": 2, "valid": few.height, "quarantined": 0, "repeated": 2}
    lake = asof.open_project(str(folder)).lake
    zones = dict(lake.valid("calls").select("id", "zone").iter_rows())
    assert [zones[key] for key in ("c0", "c1", "c2")] == ["z9", "z9", "z8"]
    assert len(zones) == lake.valid("calls").height == few.height
    assert lake.raw("calls").height == few.height + 5


def test_a_line_just_begun_is_left_for_the_next_ingest(
    few: pl.DataFrame, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is appended while it is read is no refused row; one that stays torn is."""
    folder = world.make(tmp_path / "world", rows=few)
    new = few.head(2).with_columns(id="new" + pl.col("id")).write_csv(include_header=False)
    cut = len(new) - len(new.splitlines()[1].partition(",")[2]) - 1
    with (folder / "calls.csv").open("a") as file:
        file.write(new[:cut])
    told = shown(capsys, "ingest", folder)
    assert told["rows"] == {"read": few.height + 1, "valid": few.height + 1, "quarantined": 0, "repeated": 0}
    [found] = [one for one in told["findings"] if one["check"] == "growing"]
    assert found["message"].endswith("a line just written, which is left for the next ingest: calls.csv")
    with (folder / "calls.csv").open("a") as file:
        file.write(new[cut:] + "torn")
    told = shown(capsys, "ingest", folder)
    assert (told["rows"]["valid"], told["rows"]["quarantined"]) == (few.height + 2, 0)
    monkeypatch.setattr(files, "WAITS", 0)
    told = shown(capsys, "ingest", folder)
    assert (told["rows"]["valid"], told["rows"]["quarantined"]) == (few.height + 2, 1)
    assert "growing" not in {one["check"] for one in told["findings"]}
    assert shown(capsys, "ingest", folder)["rows"]["read"] == 0


def test_a_table_that_lost_a_column(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Named, and what was taken in before stays; brought back, the same command goes on."""
    text = world.PROJECT.replace("files: calls*.csv", 'sql: {url: "sqlite:///calls.db", table: calls}')
    folder = world.make(tmp_path / "world", project=text, rows=few)

    def table(rows: pl.DataFrame) -> None:
        with sqlite3.connect(folder / "calls.db") as link:
            link.execute("DROP TABLE IF EXISTS calls")
            link.execute(f"CREATE TABLE calls ({', '.join(f'{name} TEXT' for name in rows.columns)})")
            link.executemany(f"INSERT INTO calls VALUES ({', '.join('?' * rows.width)})", rows.rows())
        link.close()

    table(few.head(50))
    assert shown(capsys, "ingest", folder)["rows"]["valid"] == 50
    table(few.drop("zone"))
    said = refused(capsys, 2, "ingest", folder)
    assert "calls: has lost the column 'zone' since the last ingest; bring it back" in said
    assert asof.open_project(str(folder)).lake.valid("calls").height == 50
    table(few)
    assert shown(capsys, "ingest", folder)["rows"]["valid"] == few.height


def socrata(faults: Faults) -> tuple[SocrataServer, Callable[[], Reader]]:
    """A data set that is asked for a single day."""
    server = SocrataServer(ROWS, faults=faults)
    options = {"environ": {}, "patience": SHORT, "clock": lambda: datetime(2024, 3, 2, 12, tzinfo=UTC)}

    def opened() -> Reader:
        spec = SocrataSpec(domain=server.domain, dataset=server.dataset, scheme="http", since=date(2024, 3, 1))
        return SocrataReader(spec, TimeSpec(columns=("at",)), ("id",), **options)

    return server, opened


def api(faults: Faults) -> tuple[ApiServer, Callable[[], Reader]]:
    """A JSON API of one page."""
    server = ApiServer(ROWS, token="", faults=faults)
    return server, lambda: ApiReader(ApiSpec(url=server.url, rows="data.items"), ("id",), (), {}, patience=SHORT)


@pytest.mark.parametrize("made", [socrata, api])
def test_a_server_that_hangs_is_given_up(
    made: Callable[[Faults], tuple[SocrataServer | ApiServer, Callable[[], Reader]]],
) -> None:
    """It would keep us for a minute; the time-out ends each attempt, and the message says so."""
    server, opened = made(Faults(script=["timeout"] * 2, seconds=60))
    with server:
        begun = time.monotonic()
        with pytest.raises(OutsideError, match=r"no usable answer in 2 attempts \(no answer within 0\.3 s\)") as caught:
            list(opened().batches(None))
        assert time.monotonic() - begun < 20
        assert [row for batch in opened().batches(None) for row in batch.rows["id"]] == ["1"], "it answers again"
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("made", [socrata, api])
def test_a_server_that_drips_is_given_up(
    made: Callable[[Faults], tuple[SocrataServer | ApiServer, Callable[[], Reader]]],
) -> None:
    """A byte now and then keeps every single time-out from ending; the one of the whole answer does."""
    server, opened = made(Faults(script=["drip"] * 2, seconds=0.1))
    with server:
        with pytest.raises(OutsideError, match=r"in 2 attempts \(the answer had not ended after 0\.5 s\)") as caught:
            list(opened().batches(None))
        assert [row for batch in opened().batches(None) for row in batch.rows["id"]] == ["1"], "it answers again"
    assert caught.value.exit_code == 3
