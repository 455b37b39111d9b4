"""Plug-ins and stores at fault: one line, and what was there stays."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pytest

import asof
from asof import releases
from tests.flows import world
from tests.flows.commands import Capture, Finished, few, project, refused, shown

__all__ = ["few"]  # the fixture of a few months of calls


HEAD = "import asof\nimport polars as pl\n\n\n@asof.lookup\ndef busy(questions, past):\n    "


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("raise ValueError('no calls today')", "FILE:7: plug-in busy: ValueError: no calls today"),
        ("return questions['nothing']", "FILE:7: plug-in busy: ColumnNotFoundError: "),
        (
            "return pl.Series([1.0])",
            "plug-in busy: answered 1 rows to 900 questions; expected a Series or DataFrame with one row a question",
        ),
        ("return 7", "plug-in busy: answered a int; expected a Series or DataFrame"),
        ("return (", "FILE:7: '(' was never closed"),
    ],
    ids=["raises", "wrong column", "wrong length", "wrong type", "syntax"],
)
def test_a_plugin_at_fault(body: str, message: str, tmp_path: Path, capsys: Capture) -> None:
    """File and line of the user's own code, what it said, what was expected; no release."""
    text = project(("  - calendar\n", "  - calendar\n  - busy\n"), more="plugins: features.py\n")
    folder = world.make(tmp_path / "world", project=text)
    (folder / "features.py").write_text(HEAD + body + "\n")
    said = refused(capsys, 2, "train", folder)
    assert said.replace(str(folder / "features.py"), "FILE").startswith(message[: message.find("900")])
    assert not (folder / ".asof" / "models").exists()
    (folder / "features.py").write_text(HEAD + "return questions.select(busy=pl.lit(1.0))\n")
    assert shown(capsys, "check", folder)["refused"] is False


# the store


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_store_that_cannot_be_written(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Nobody may make a folder in /proc: exit code 3, which file, what to do."""
    folder = world.make(tmp_path / "world", project=project(more="store: /proc/asof\n"), rows=few)
    for verb in ("run", "ingest", "check"):
        said = refused(capsys, 3, verb, folder)
        assert said.startswith("/proc/asof/.lock: cannot be locked (")
        assert said.endswith("see that the folder can be written")


@contextmanager
def read_only(store: Path) -> Iterator[None]:
    """Take the right to write from all folders and the lock of a store; skip where that stops nobody."""
    folders = [store, *(path for path in store.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o500)
    (store / ".lock").chmod(0o400)
    try:
        if os.access(store, os.W_OK):
            pytest.skip("this user may write everywhere")
        yield
    finally:
        for path in folders:
            path.chmod(0o700)
        (store / ".lock").chmod(0o600)


def test_a_store_that_may_only_be_read(copied: Finished, capsys: Capture) -> None:
    """Exit code 3; champion and rows stay as they are."""
    folder, result = copied
    with read_only(folder / ".asof"):
        for verb in ("run", "ingest", "predict"):
            said = refused(capsys, 3, verb, folder)
            assert said.startswith(f"{folder / '.asof' / '.lock'}: cannot be locked (")
            assert said.endswith("see that the folder can be written")
    champion = asof.open_project(str(folder)).registry.find("champion")
    assert champion is not None
    assert releases.read(champion.folder).name == result["release"]


def test_a_store_that_is_a_file(few: pl.DataFrame, tmp_path: Path, capsys: Capture) -> None:
    """Nothing is written over it."""
    folder = world.make(tmp_path / "world", project=project(more="store: notes.txt\n"), rows=few)
    (folder / "notes.txt").write_text("mine")
    assert refused(capsys, 3, "run", folder).startswith(f"{folder / 'notes.txt' / '.lock'}: cannot be locked (")
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_damaged_release_answers_nothing(copied: Finished, capsys: Capture) -> None:
    """A file of the champion has changed: it is named, and no answer is written."""
    folder, _ = copied
    recipe = next((folder / ".asof" / "models").rglob("recipe.json"))
    recipe.write_text(recipe.read_text() + " ")
    said = refused(capsys, 2, "predict", folder, "--out", folder / "answers.csv")
    assert "file 'recipe.json' has changed since it was written: restore it or make the release anew" in said
    assert not (folder / "answers.csv").exists()
