"""Run the notebooks of the examples, each in a copy of its folder, and store them with what came out.

    .venv/bin/python scripts/notebooks.py                 all of them
    .venv/bin/python scripts/notebooks.py titanic         one

The cell tagged ``parameters`` says how long each takes; the tests lay lighter settings over it.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import KernelManager
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NAME = "notebook.ipynb"
SECONDS = 600
"""Longer than this takes no cell."""


class ThisPython(KernelSpecManager):
    """Starts kernels with the interpreter that runs this, whatever kernels are installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return how such a kernel is started."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", name=kernel_name)


def execute(notebook: Any, folder: Path, settings: Mapping[str, Any] | None = None) -> Any:
    """Run a notebook in ``folder``, ``settings`` laid over those of its cell ``parameters``; raises on an error."""
    if settings:
        [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        cell.source += f"\nsettings |= {dict(settings)!r}"
    manager = KernelManager(kernel_name="python3", kernel_spec_manager=ThisPython(), transport="ipc")
    client = NotebookClient(
        notebook, km=manager, timeout=SECONDS, resources={"metadata": {"path": str(folder)}}, record_timing=False
    )
    try:
        client.execute()
    finally:
        manager.shutdown_kernel(now=True)
    return notebook


def run(name: str, settings: Mapping[str, Any] | None = None) -> Any:
    """Run the notebook of an example in a copy of its folder, which is removed afterwards."""
    with tempfile.TemporaryDirectory() as place:
        left = shutil.ignore_patterns(".asof", "__pycache__")
        folder = Path(shutil.copytree(EXAMPLES / name, Path(place) / name, ignore=left))
        return execute(nbformat.read(folder / NAME, as_version=4), folder, settings)


def cleaned(notebook: Any) -> Any:
    """Leave what a reader needs: cells and outputs, and that it is Python."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {"tags": cell.metadata["tags"]} if cell.metadata.get("tags") else {}
        for output in cell.get("outputs", ()):
            output.pop("metadata", None) if output.output_type == "stream" else output.update(metadata={})
    return notebook


def main() -> None:
    """Run and store what the arguments name."""
    there = sorted(path.parent.name for path in EXAMPLES.glob(f"*/{NAME}"))
    parser = argparse.ArgumentParser(description="Run the notebooks of the examples and store what came out.")
    parser.add_argument("names", nargs="*", choices=[*there, []], help="examples; all of them without any")
    for name in parser.parse_args().names or there:
        told = cleaned(run(name))
        text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        (EXAMPLES / name / NAME).write_text(text, encoding="utf-8")
        print(f"{name}: {len(told.cells)} cells, {len(text) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
