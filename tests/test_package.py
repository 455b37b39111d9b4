"""What a first look costs and shows: imports are counted, not timed, so that a busy machine changes nothing."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import asof

HEAVY = {
    "alembic",
    "catboost",
    "deltalake",
    "holidays",
    "httpx",
    "jinja2",
    "lightgbm",
    "matplotlib",
    "mlflow",
    "numpy",
    "obstore",
    "optuna",
    "pandas",
    "pandera",
    "polars",
    "pyarrow",
    "pydantic",
    "scipy",
    "shapely",
    "sklearn",
    "skops",
    "sqlalchemy",
    "xgboost",
    "yaml",
}
"""Packages that no one waits for who only asks for help."""

REPORT = """
import json, sys
known = set(sys.modules)
{statement}
print()
print(json.dumps(sorted(set(sys.modules) - known)))
"""


def loaded(statement: str) -> list[str]:
    """Return the names of the modules that ``statement`` loads in a fresh interpreter."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(statement=statement)],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    names: list[str] = json.loads(done.stdout.splitlines()[-1])
    return names


def heavy(modules: list[str]) -> set[str]:
    """Return the heavy packages among ``modules``."""
    return HEAVY & {name.partition(".")[0] for name in modules}


def test_import_of_the_package_is_light() -> None:
    modules = loaded("import asof")
    assert heavy(modules) == set()
    assert len(modules) <= 60, modules


def test_help_is_light() -> None:
    modules = loaded(
        "from asof.cli import main\n"
        "try:\n    code = main(['--help'])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "assert not code, code"
    )
    assert "asof.cli" in modules
    assert heavy(modules) == set()
    assert len(modules) <= 260, len(modules)


@pytest.mark.parametrize("command", ["run", "check", "ingest", "train", "audit", "backtest", "predict", "demo", "init"])
def test_help_of_a_command_is_light(command: str) -> None:
    # Typer itself looks for pydantic when a command has parameters.
    modules = loaded(
        "from asof.cli import main\n"
        f"try:\n    code = main(['{command}', '--help'])\nexcept SystemExit as stop:\n    code = stop.code\n"
        "assert not code, code"
    )
    assert heavy(modules) <= {"pydantic"}


def test_version_is_stated_once(root: Path) -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", asof.__version__)
    changelog = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## {asof.__version__}" in changelog
    said = subprocess.run(
        [sys.executable, "-c", "from asof.cli import run_script; run_script()", "--version"],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert said.stdout == f"asof {asof.__version__}\n"


def test_public_names_are_sorted_complete_and_documented() -> None:
    names = asof.__all__
    assert list(names) == sorted(names)
    assert len(set(names)) == len(names)
    for name in names:
        value = getattr(asof, name)
        assert name.startswith("__") or (value.__doc__ or "").strip(), f"{name} has no docstring"
    assert set(names) <= set(dir(asof))


def test_unknown_name_is_refused() -> None:
    with pytest.raises(AttributeError, match="asof"):
        _ = asof.no_such_name  # type: ignore[attr-defined]
