"""Sources of installed packages, as docs/sources.md shows one."""

import importlib
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import projectfiles
from asof import project, verbs
from asof.adapters import packages
from asof.cli import main
from asof.errors import DataError, OutsideError, UserError
from asof.ports import Asked
from asof.specs import AdapterSpec
from asof.testing import readers

LINES = "".join(f"{i};2024-03-{i + 1:02d} 10:00;{i}.50\n" for i in range(7))
AT = "sources.orders.adapter"
PAGE = Path(__file__).parent.parent / "docs" / "sources.md"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Install a package of one module by its metadata, in a folder of its own."""
    site = tmp_path / "site"
    monkeypatch.syspath_prepend(str(site))

    def put(text: str, entry: str = "ledger = ledger_source") -> Path:
        module = entry.split(" = ")[1].split(":", maxsplit=1)[0]
        folder = site / f"{module}-1.0.dist-info"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (folder / "entry_points.txt").write_text(f"[asof.sources]\n{entry}\n")
        (site / f"{module}.py").write_text(text)
        monkeypatch.delitem(sys.modules, module, raising=False)
        importlib.invalidate_caches()
        return site

    return put


@pytest.fixture
def shown(install: Callable[..., Path], tmp_path: Path) -> Path:
    """The project of the page, with its package installed."""
    [entry] = re.findall(r"^(\w+) = \"(\w+)\"$", "".join(blocks("toml")), flags=re.MULTILINE)
    install(blocks("python")[0], " = ".join(entry))
    home = tmp_path / "home"
    home.mkdir()
    (home / "project.yaml").write_text(blocks("yaml")[-1])
    (home / "ledger.txt").write_text(LINES)
    return home


def test_the_source_of_the_page_is_read_as_ours_are(shown: Path) -> None:
    read = project.read(shown)
    expected = pl.DataFrame(
        [line.split(";") for line in LINES.splitlines()], schema=["id", "at", "amount"], orient="row"
    )
    readers.check(lambda: verbs.open_reader(read, "orders"), expected)


def test_it_is_ingested_and_what_is_new_is_found(shown: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest", str(shown), "--json"]) == 0
    assert '"read": 7' in capsys.readouterr().out
    (shown / "ledger.txt").write_text(LINES + "9;2024-03-09 10:00;1\n")
    assert main(["ingest", str(shown), "--json"]) == 0
    assert '"read": 1' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (
            "{ledger: {fil: x}}",
            [
                "project.yaml:4: sources.orders.adapter.options.file: missing: expected a text",
                f"project.yaml:4: {AT}.options.fil: unknown name; did you mean file? known are file, batch",
            ],
        ),
        (
            "{ledger: {file: x, batch: many}}",
            ["project.yaml:4: sources.orders.adapter.options.batch: expected a whole number, got 'many'"],
        ),
        (
            "{leger: {file: x}}",
            [
                f"project.yaml:4: {AT}.name: there is no adapter 'leger'; did you mean ledger? known are ledger",
            ],
        ),
    ],
)
def test_its_options_are_validated_with_their_lines(shown: Path, written: str, told: list[str]) -> None:
    text = (shown / "project.yaml").read_text().replace("{ledger: {file: ledger.txt, batch: 2}}", written)
    assert sorted(projectfiles.faults(shown, text)) == sorted(told)


def test_a_variable_is_filled_in_when_it_is_read(shown: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = AdapterSpec(name="ledger", options={"file": "${LEDGER}.txt", "batch": "${SIZE:-3}"})
    reader: Any = packages.open_reader(spec, Asked(shown), {"LEDGER": "ledger"})
    assert (reader.file, reader.batch) == (shown / "ledger.txt", 3)
    with pytest.raises(OutsideError, match="credentials are missing: the variable LEDGER is not set"):
        packages.open_reader(spec, Asked(shown), {})
    with pytest.raises(UserError, match="adapter ledger: batch: Input should be a valid integer") as caught:
        packages.open_reader(spec, Asked(shown), {"LEDGER": "x", "SIZE": "hush"})
    assert "hush" not in str(caught.value)
    text = (
        (shown / "project.yaml").read_text().replace("ledger.txt", "${LEDGER}.txt").replace("batch: 2", "batch: '${S}'")
    )
    (shown / "project.yaml").write_text(text)
    read = project.read(shown, environ={})
    assert read.spec.sources["orders"].adapter == AdapterSpec(
        name="ledger", options={"file": "${LEDGER}.txt", "batch": "${S}"}
    )
    assert "${LEDGER}.txt" in project.resolved(read)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1", r"lacks Options \(a Pydantic model\) or open_reader"),
        ("1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
    ],
)
def test_a_package_at_fault(install: Callable[..., Path], text: str, told: str) -> None:
    install(text, "broken = broken_source")
    with pytest.raises(DataError, match=rf"the adapter 'broken' \(broken_source\) {told}"):
        packages.find("broken")


def test_two_packages_of_one_name(install: Callable[..., Path]) -> None:
    install("x = 1", "twin = twin_one")
    install("x = 1", "twin = twin_two")
    with pytest.raises(DataError, match="named by twin_one and twin_two; expected exactly one"):
        packages.find("twin")


def test_every_project_of_the_page_is_a_project(shown: Path, tmp_path: Path) -> None:
    shown_ones = blocks("yaml")
    assert len(shown_ones) == 5
    for number, block in enumerate(shown_ones):
        file = tmp_path / f"{number}.yaml"
        file.write_text(block)
        assert project.read(file, environ={}).spec.sources
