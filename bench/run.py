"""Run every measurement of this folder, one after the other, each in a process of its own; `make bench`.

    python bench/run.py [NAME ...]

A measurement is a script beside this one: its first line says what it measures, it prints a table, states its own
protocol, and exits with another code than 0 if it could not measure. Figures depend on the machine, so the machine is
printed first; peers are measured in the same run.
"""

import ast
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
DATA = FOLDER.parent.parent / "shared" / "data"


def scripts(names: list[str]) -> list[Path]:
    """Return the measurements to run: all, or those named."""
    found = {path.stem: path for path in sorted(FOLDER.glob("*.py")) if path.stem != "run" and path.stem[0] != "_"}
    unknown = [name for name in names if name not in found]
    if unknown:
        sys.exit(f"bench: no measurement {', '.join(unknown)}; there are: {', '.join(found)}")
    return [found[name] for name in names] if names else list(found.values())


def title(script: Path) -> str:
    """Return the first line of what a script says about itself."""
    says = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or script.stem
    return says.splitlines()[0]


def machine() -> str:
    """Return the machine and the versions that the figures belong to."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    parts = ", ".join(f"{name} {version(name)}" for name in ("polars", "numpy", "duckdb", "lightgbm"))
    return (
        f"{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}, {parts}"
    )


def main() -> int:
    """Run the measurements; returns 1 if one failed."""
    chosen = scripts(sys.argv[1:])
    if not DATA.is_dir():
        sys.stderr.write("bench: the data are absent; expected beside the repository, in ../shared/data\n")
        return 2
    print(machine())
    failed = []
    for script in chosen:
        print(f"\n== {script.stem}: {title(script)}", flush=True)
        begun = time.perf_counter()
        done = subprocess.run([sys.executable, str(script)], cwd=FOLDER.parent, check=False)
        print(f"   {time.perf_counter() - begun:.1f} s in all", flush=True)
        if done.returncode:
            failed.append(script.stem)
    if failed:
        sys.stderr.write(f"bench: failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
