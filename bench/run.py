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
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
DATA = FOLDER.parent.parent / "shared" / "data"
RESULTS = FOLDER / "RESULTS.md"


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


class Copy:
    """Prints, and keeps what was printed."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """Print a line and keep it."""
        print(line, flush=True)
        self.lines.append(line)

    def run(self, script: Path) -> int:
        """Run a measurement, line by line; returns its exit code."""
        command = [sys.executable, "-u", str(script)]
        with subprocess.Popen(command, cwd=FOLDER.parent, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout or ():
                self.say(line.rstrip("\n"))
        return process.returncode


def sections() -> dict[str, str]:
    """Return what is kept of each measurement, by name."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else ""
    parts = text.split("\n## ")[1:]
    return {part.partition(":")[0]: part.rstrip("\n") for part in parts}


def keep(name: str, lines: list[str]) -> None:
    """Write the section of one measurement; the others stay as they were printed."""
    kept = sections() | {name: "\n".join([lines[0], "", "```text", *lines[1:], "```"])}
    head = "# What was measured\n\nWritten by `make bench`, a section for each measurement as it was last printed.\n"
    body = [f"## {kept[known]}\n" for known in sorted(kept)]
    RESULTS.write_text("\n".join([head, *body]), encoding="utf-8")


def main() -> int:
    """Run the measurements; returns 1 if one failed. Each that succeeds is kept in its section of RESULTS.md."""
    chosen = scripts(sys.argv[1:])
    if not DATA.is_dir():
        sys.stderr.write("bench: the data are absent; expected beside the repository, in ../shared/data\n")
        return 2
    failed = []
    for script in chosen:
        copy = Copy()
        copy.say(f"{script.stem}: {title(script)}")
        copy.say(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}\n")
        begun = time.perf_counter()
        if copy.run(script):
            failed.append(script.stem)
            continue
        copy.say(f"{time.perf_counter() - begun:.1f} s in all\n")
        keep(script.stem, copy.lines)
    if failed:
        sys.stderr.write(f"bench: failed: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
