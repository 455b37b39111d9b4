"""What must hold across settings, as far as it can be known without reading data."""

from pathlib import Path

from asof.errors import Problem
from asof.project.trees import Node


def check(root: Node, folder: Path) -> list[Problem]:
    """All faults that the types alone do not show; the nodes concerned are marked, so that nothing is said twice."""
    del folder
    return []
