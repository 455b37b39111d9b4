"""Every planted leak fails the audit by its own name, and its clean twin passes."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.mark import ParameterSet

from tests.leaks import trials

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("leak_") for path in HERE.glob("leak_*.py"))


def load(name: str) -> ModuleType:
    return importlib.import_module(f"tests.leaks.leak_{name}")


def planted() -> list[ParameterSet]:
    """All leaks by name; one that says why it goes ``UNCAUGHT`` is expected to."""
    reasons = {name: getattr(load(name), "UNCAUGHT", None) for name in NAMES}
    marks = {name: [pytest.mark.xfail(strict=True, reason=why)] if why else [] for name, why in reasons.items()}
    return [pytest.param(name, marks=marks[name]) for name in NAMES]


@pytest.fixture(scope="session")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lakes")


@pytest.mark.parametrize("name", planted())
def test_a_leak_is_caught_by_name(name: str, tmp_path: Path, lakes: Path) -> None:
    leak = load(name)
    done = trials.audit(leak.LEAK, tmp_path / "leak", lakes)
    blamed = trials.blamed(done)
    assert not done.passed
    assert leak.SUBJECT in set().union(*blamed.values()), blamed


@pytest.mark.parametrize("name", NAMES)
def test_its_clean_twin_passes(name: str, tmp_path: Path, lakes: Path) -> None:
    done = trials.audit(load(name).TWIN, tmp_path / "twin", lakes)
    assert trials.blamed(done) == {}
