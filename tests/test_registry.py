"""The registry: the MLflow adapter and the one in memory pass the same exam; what MLflow alone can get wrong."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from asof.adapters.registry import MlflowRegistry
from asof.ports import Registry
from asof.testing import registries

MAKERS: dict[str, Callable[[Path], Registry]] = {
    "memory": registries.MemoryRegistry,
    "mlflow": lambda root: MlflowRegistry(None, "demo", root),
}


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("question", registries.EXAM, ids=lambda question: question.__name__)
def test_exam(question: Callable[[registries.Make, Path], None], maker: str, tmp_path: Path) -> None:
    question(MAKERS[maker], tmp_path)


def test_a_hundred_candidates_take_seconds(tmp_path: Path) -> None:
    registry = MlflowRegistry(None, "demo", tmp_path)
    tracker = registry.begin("run")
    began = time.perf_counter()
    for number in range(100):
        tracker.candidate(f"trial {number}", {"leaves": number, "rate": 0.1}, {"score": 1.0, "fold.1": 1.1})
    taken = time.perf_counter() - began
    assert len(registry.candidates(tracker.run)) == 100
    assert taken < 20, f"{taken:.1f} s"  # about 2 s on an idle machine
