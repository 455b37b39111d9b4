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


def planted(excuse: str) -> list[ParameterSet]:
    """All leaks by name; one that states the ``excuse`` is expected to fail, for the reason that it gives."""
    reasons = {name: getattr(load(name), excuse, None) for name in NAMES}
    marks = {name: [pytest.mark.xfail(strict=True, reason=why)] if why else [] for name, why in reasons.items()}
    return [pytest.param(name, marks=marks[name]) for name in NAMES]


@pytest.fixture(scope="session")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of tables that have been read once."""
    return tmp_path_factory.mktemp("lakes")


@pytest.mark.parametrize("name", planted("UNCAUGHT"))
def test_a_leak_is_caught_by_name(name: str, tmp_path: Path, lakes: Path) -> None:
    leak = load(name)
    tried = trials.audit(leak.LEAK, tmp_path / "leak", lakes)
    if leak.LEAK.fitted and tried.refused:  # it never comes as far as the audit
        assert "row depends on" in tried.refused
        return
    parts = {leak.SUBJECT, *(tried.whole if leak.LEAK.fitted else ())}
    assert parts & tried.blamed, tried.told
    assert tried.blamed <= {leak.SUBJECT, *tried.whole}, "something honest is blamed"


@pytest.mark.parametrize("name", planted("FLAGGED"))
def test_its_clean_twin_passes(name: str, tmp_path: Path, lakes: Path) -> None:
    tried = trials.audit(load(name).TWIN, tmp_path / "twin", lakes)
    assert tried.blamed == set(), tried.told
    assert tried.refused == ""
