"""One holder a store; the others are told who; a killed holder leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock

from asof.adapters import locks
from asof.errors import Busy, OutsideError

HOLDER = """
import sys, time
from asof.adapters import locks
with locks.hold(sys.argv[1], what="ingest"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    message = rf"{tmp_path} is in use by process {os.getpid()} on .* \(train, since 20\d\d-.*\): wait until"
    with locks.hold(tmp_path, what="train"), pytest.raises(Busy, match=message), locks.hold(tmp_path, what="ingest"):
        pytest.fail("held twice")


def test_it_is_free_again_afterwards_also_after_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locks.hold(tmp_path):
        raise ZeroDivisionError
    with locks.hold(tmp_path):
        assert json.loads((tmp_path / ".lock.json").read_text())["pid"] == os.getpid()
    assert not (tmp_path / ".lock.json").exists()


def test_waiting_gets_it_once_it_is_free(tmp_path: Path) -> None:
    held, got = threading.Event(), []

    def first() -> None:
        with locks.hold(tmp_path, what="first"):
            held.set()
            time.sleep(0.3)
            got.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    held.wait(10)
    with locks.hold(tmp_path, wait=20):
        got.append("second")
    thread.join()
    assert got == ["first", "second"]


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX")
def test_a_killed_holder_leaves_the_lock_free(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(Busy, match=rf"process {other.pid} on .* \(ingest, "), locks.hold(tmp_path):
            pytest.fail("held twice")
        other.send_signal(signal.SIGKILL)
        other.wait(30)
    assert (tmp_path / ".lock.json").exists()
    with locks.hold(tmp_path, what="again"):
        assert json.loads((tmp_path / ".lock.json").read_text())["what"] == "again"


def test_a_holder_that_left_no_name_is_another_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "NAMED", 0.05)
    with locks.hold(tmp_path):
        (tmp_path / ".lock.json").write_text("half a li")
        with pytest.raises(Busy, match="in use by another process"), locks.hold(tmp_path):
            pytest.fail("held twice")


def test_a_holder_is_given_time_to_say_who_it_is(tmp_path: Path) -> None:
    """Between getting the lock and naming its holder a moment passes, long under load."""
    with locks.hold(tmp_path, what="train"):
        name = tmp_path / ".lock.json"
        hidden = name.rename(tmp_path / "hidden")
        late = threading.Timer(0.2, hidden.rename, [name])
        late.start()
        with pytest.raises(Busy, match=rf"process {os.getpid()} on .* \(train, "), locks.hold(tmp_path):
            pytest.fail("held twice")
        late.join()


@pytest.mark.skipif(os.name != "posix", reason="kill -9 is a matter of POSIX")
def test_the_name_of_a_killed_holder_is_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its successor has the lock and has not said its name yet."""
    monkeypatch.setattr(locks, "NAMED", 0.05)
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        other.kill()
    left = (tmp_path / ".lock.json").read_text()
    with locks.hold(tmp_path):
        (tmp_path / ".lock.json").write_text(left)
        with pytest.raises(Busy, match="in use by another process"), locks.hold(tmp_path):
            pytest.fail("held twice")


def test_the_lock_is_taken_where_its_holder_ends_while_it_is_asked_for(tmp_path: Path) -> None:
    """A holder without a name is asked for a while, and the lock is had as soon as it is let go."""
    lock = FileLock(tmp_path / ".lock", thread_local=False)
    lock.acquire()
    ending = threading.Timer(0.2, lock.release)
    ending.start()
    with locks.hold(tmp_path, what="second"):
        assert json.loads((tmp_path / ".lock.json").read_text())["what"] == "second"
    ending.join()


def test_stores_on_s3_are_told_apart_by_their_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with (
        locks.hold("s3://bucket/a"),
        locks.hold("s3://bucket/b"),
        pytest.raises(Busy, match="s3://bucket/a/ is in use"),
        locks.hold("s3://bucket/a/"),
    ):
        pytest.fail("held twice")
    assert [path.parent.name for path in tmp_path.rglob("*.lock")] == ["locks", "locks"]


def test_a_folder_that_cannot_be_made_is_a_failure_outside(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutsideError, match="cannot be locked"), locks.hold(tmp_path / "file" / "store"):
        pytest.fail("held")
