"""Run the notebooks of the examples, each in a copy of its folder, and store them with what came out.

    .venv/bin/python scripts/notebooks.py                 all of them
    .venv/bin/python scripts/notebooks.py titanic         one

The cell tagged ``parameters`` says how long each takes; ``--settings`` lays others over it, as the tests do.
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
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NAME = "notebook.ipynb"
SECONDS = 600
"""Longer than this takes no cell."""


class ThisPython(KernelSpecManager):
    """Says how a kernel is started: by the interpreter that runs this, whatever kernels are installed."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return how such a kernel is started."""
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=ERROR"]
        return KernelSpec(argv=argv, display_name="Python 3", language="python", name=kernel_name)


class Kernels(AsyncKernelManager):
    """Starts kernels of ``ThisPython``."""

    def _kernel_spec_manager_default(self) -> KernelSpecManager:
        return ThisPython()


def run(name: str, settings: Mapping[str, Any]) -> Any:
    """Run the notebook of an example in a copy of its folder, ``settings`` laid over its own; raises on an error."""
    with tempfile.TemporaryDirectory() as place:
        left = shutil.ignore_patterns(".asof", "__pycache__")
        folder = Path(shutil.copytree(EXAMPLES / name, Path(place) / name, ignore=left))
        notebook = nbformat.read(folder / NAME, as_version=4)
        [cell] = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        written = cell.source
        cell.source += f"\nsettings |= {dict(settings)!r}"
        where = {"metadata": {"path": str(folder)}}
        client = NotebookClient(
            notebook, kernel_manager_class=Kernels, timeout=SECONDS, resources=where, record_timing=False
        )
        client.execute()
        cell.source = written
        return notebook


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
            if "metadata" in output:
                output.metadata = {}
    return notebook


def main() -> None:
    """Run and store what the arguments name."""
    there = sorted(path.parent.name for path in EXAMPLES.glob(f"*/{NAME}"))
    parser = argparse.ArgumentParser(description="Run the notebooks of the examples and store what came out.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(there)}; all of them without any")
    parser.add_argument("--settings", type=json.loads, default={}, metavar="JSON", help="laid over those of the cell")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="store there, as NAME.ipynb, not in the examples")
    given = parser.parse_args()
    for name in given.names or there:
        told = cleaned(run(name, given.settings))
        text = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        file = given.into / f"{name}.ipynb" if given.into else EXAMPLES / name / NAME
        file.write_text(text, encoding="utf-8")
        print(f"{name}: {len(told.cells)} cells, {len(text) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
