"""Plug-ins: files of a project and installed packages."""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from asof import plugins
from asof.errors import DataError

FEATURES = """
import asof
from dataclasses import dataclass

@dataclass
class Settings:
    scale: "float" = 2.0

@asof.lookup
def doubled(questions, past, scale=Settings().scale):
    return questions["x"] * scale

@asof.lookup(name="renamed")
def anything(questions, past):
    return questions["x"]

@asof.encoder
class Flat:
    pass

@asof.estimator
class Zero:
    pass

@asof.metric
def worst(label, prediction, weight=None):
    return 1.0
"""


def write(folder: Path, text: str, name: str = "features.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_a_file_is_run_and_its_marked_parts_found(tmp_path: Path) -> None:
    found = plugins.load([write(tmp_path, FEATURES)], installed=False)
    assert sorted(found.lookups) == ["doubled", "renamed"]
    assert found.lookups["doubled"]({"x": 4}, None) == 8.0
    assert [sorted(part) for part in (found.encoders, found.estimators, found.metrics)] == [
        ["Flat"],
        ["Zero"],
        ["worst"],
    ]
    assert found.metrics["worst"]([], []) == 1.0


def test_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one = write(
        tmp_path, "import asof\n@asof.metric\ndef a(label, prediction, weight=None): return where\nwhere = 1.0\n"
    )
    two = write(
        tmp_path / "other",
        "import asof\n@asof.metric\ndef b(label, prediction, weight=None): return where\nwhere = 2.0\n",
    )
    found = plugins.load([one, two], installed=False)
    assert (found.metrics["a"]([], []), found.metrics["b"]([], [])) == (1.0, 2.0)


def test_no_files_are_no_plugins() -> None:
    assert plugins.load([], installed=False) == plugins.Plugins()


def test_what_another_module_marks_is_not_taken_over(tmp_path: Path) -> None:
    first = write(tmp_path, FEATURES)
    plugins.load([first], installed=False)
    path = write(
        tmp_path, "import asof\nfrom asof.plugins import lookup\n@lookup\ndef mine(questions, past): ...\n", "mine.py"
    )
    assert sorted(plugins.load([path], installed=False).lookups) == ["mine"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (1\n", r"features\.py:1: '\(' was never closed"),
        ("import asof\n\nraise ValueError('no data')\n", r"features\.py:3: ValueError: no data"),
        ("import asof\nfrom nowhere_at_all import x\n", r"features\.py:2: ModuleNotFoundError"),
        ("x = 1\n", r"features\.py: no plug-in; expected functions or classes under @asof\.lookup"),
    ],
)
def test_faults_name_file_and_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        plugins.load([write(tmp_path, text)], installed=False)


def test_a_fault_within_a_plug_in_is_its_own_with_file_and_line(tmp_path: Path) -> None:
    """However deep in a library it shows; a fault outside of plug-ins is none of theirs."""
    path = write(tmp_path, "import asof\nimport json\n@asof.metric\ndef bad(label, prediction):\n    json.loads('{')\n")
    found = plugins.load([path], installed=False)
    with pytest.raises(ValueError, match="Expecting") as raised:
        found.metrics["bad"]([], [])
    said = plugins.blamed(raised.value)
    assert isinstance(said, DataError)
    assert str(said).startswith(f"{path}:5: plug-in: JSONDecodeError: Expecting property name")
    assert str(plugins.blamed(raised.value, whole=False)).startswith("features.py:5: plug-in: JSONDecodeError: ")
    with pytest.raises(ZeroDivisionError) as ours:
        1 / 0  # noqa: B018 - a fault of this file
    assert plugins.blamed(ours.value) is None


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.py: no such file"):
        plugins.load([tmp_path / "gone.py"], installed=False)


def test_two_parts_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "import asof\n@asof.lookup\ndef a(questions, past): ...\n"
    with pytest.raises(DataError, match=r"two\.py: lookup 'a' is already made in .*one\.py"):
        plugins.load([write(tmp_path, text, "one.py"), write(tmp_path, text, "two.py")], installed=False)


@pytest.fixture
def unknown() -> Iterator[None]:
    """Nothing is known of installed packages yet, and nothing of made-up ones afterwards."""
    plugins._points.cache_clear()
    yield
    plugins._points.cache_clear()


def test_installed_packages_are_found_by_their_entry_point(
    unknown: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write(tmp_path, FEATURES, "packaged_features.py")
    monkeypatch.syspath_prepend(tmp_path)
    point = importlib.metadata.EntryPoint("mine", "packaged_features", plugins.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point] if group == plugins.GROUP else [])
    assert sorted(plugins.load([]).lookups) == ["doubled", "renamed"]


def test_an_entry_point_that_is_no_module_is_refused(unknown: None, monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint("mine", "pathlib:Path", plugins.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [point])
    with pytest.raises(DataError, match="expected a module"):
        plugins.load([])


def test_a_module_of_its_own(tmp_path: Path) -> None:
    found = plugins.load([write(tmp_path, FEATURES)], installed=False)
    assert isinstance(found.lookups["doubled"].__globals__["asof"], ModuleType)
    assert found.lookups["doubled"].__module__.startswith("asof_plugin_features_")
