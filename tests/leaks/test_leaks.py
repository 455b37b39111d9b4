"""Every planted leak fails the audit by its own name, and its clean twin passes."""

import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest
from _pytest.mark import ParameterSet

from tests.leaks import trials

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "leaks.md"
NAMES = sorted(path.stem.removeprefix("leak_") for path in HERE.glob("leak_*.py"))


def load(name: str) -> ModuleType:
    return importlib.import_module(f"tests.leaks.leak_{name}")


def pages() -> dict[str, tuple[str, str]]:
    """Sentence and check of each leak, as docs/leaks.md has them."""
    rows = re.findall(
        r"^\| \[(\w+)\]\(\.\./tests/leaks/leak_(\w+)\.py\) \| (.*?) \| (.*?) \|", PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert all(name == file for name, file, *_ in rows)
    assert len({name for name, *_ in rows}) == len(rows)
    return {name: (sentence, check) for name, _, sentence, check in rows}


def caught_by(name: str) -> str:
    return pages()[name][1]


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
        assert caught_by(name) == "choosing"
        return
    # A column that the leak is made of may be told of as well.
    allowed = tried.whole | tried.naming(leak.SUBJECT) | set(getattr(leak, "ALSO", ()))
    wanted = allowed if leak.LEAK.fitted else allowed - tried.whole | {leak.SUBJECT, "features"}
    assert wanted & tried.blamed, tried.told
    assert tried.blamed <= allowed, f"something honest is blamed: {tried.told}"
    assert caught_by(name) in tried.failed


@pytest.mark.parametrize("name", planted("FLAGGED"))
def test_its_clean_twin_passes(name: str, tmp_path: Path, lakes: Path) -> None:
    tried = trials.audit(load(name).TWIN, tmp_path / "twin", lakes)
    assert tried.blamed == set(), tried.told
    assert tried.refused == ""


def test_the_page_lists_every_leak() -> None:
    """Names and sentences are those of the files, and what is not caught is said."""
    told = pages()
    assert sorted(told) == NAMES
    assert len(NAMES) >= 30
    for name in NAMES:
        leak = load(name)
        assert told[name][0] == (leak.__doc__ or "").strip()
        assert (told[name][1] == "not caught") == hasattr(leak, "UNCAUGHT")
