"""A finished run of the small made-up project, shared by the tests that only look at it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import asof
from tests.flows import flowers, world


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    """Return the folder of a project that has been run once, and what the run gave; read only."""
    folder = world.make(tmp_path_factory.mktemp("finished") / "world")
    return folder, asof.run(asof.open_project(str(folder)))


@pytest.fixture
def copied(finished: tuple[Path, Mapping[str, Any]], tmp_path: Path) -> tuple[Path, Mapping[str, Any]]:
    """Return a copy of the finished project that a test may change."""
    folder, result = finished
    return Path(shutil.copytree(folder, tmp_path / "world")), result


@pytest.fixture(scope="session")
def grown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Mapping[str, Any]]:
    """Return the folder of a project of three classes that has been run once, and what the run gave; read only."""
    folder = flowers.make(tmp_path_factory.mktemp("flowers"))
    return folder, asof.run(asof.open_project(str(folder)))
