"""What is lost when things go wrong: runs killed at seeded moments, and sources whose outside fails.

    python bench/reliability.py [--share S] [--seed N] [--page FILE] [--minutes M]

A project on files, a database and an API grows in steps, some of its rows refused, corrected or repeated. `asof run`
and `asof retrain` are killed with SIGKILL, the whole process group, at moments drawn evenly over the time that they
take; one to four times in a row, new data coming in between. After every kill the store is read by all commands and
counted against a count of the input in plain Python; at the end of each row of kills a run must reach what an
undisturbed twin has reached, fingerprint of the champion included. Nine of ten runs fork from a process that has
imported the libraries; the tenth starts Python anew. Then every fault of the servers for tests, alone and mixed.

The whole is 100 kills and 10 trials of each fault; `--share 0.1` is a tenth of both. With `--minutes` kills end after
so long, and the page says how many there were. Exits with 1 where anything was lost, doubled or half-written.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

for _name in ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from _faults import Figures, measure  # noqa: E402 - found from the root
from _kills import Kills, Tally  # noqa: E402
from _processes import ORDER, Starter  # noqa: E402
from run import machine  # noqa: E402

KILLS, TRIALS = 100, 10
HEAD = """\
# What is lost when things go wrong

Written by `python bench/reliability.py{asked}` on {day}; {machine}. How it is measured stands at the top of that file.

**{verdict}**

## Killed at any moment

{kills} runs killed with SIGKILL ({late} more had ended before their moment came), then {runs} runs to the end. {rows:,}
rows were looked for over {looks} looks at a store. A row of the table is the stage in which the run was.
"""
COLUMNS = (
    "killed in",
    "kills",
    "rows lost",
    "rows twice",
    "half-written",
    "champion torn",
    "blocked",
    "unlike the twin",
)
FAULTS = """
## Sources that fail

Each trial takes in a source anew, with so little patience that some ingests end with a fault and are asked for again.
"changed" changes rows between two pages. "All mixed" draws among all faults of the table.
"""
FAULT_COLUMNS = (
    "source",
    "fault",
    "trials",
    "rows",
    "lost",
    "twice",
    "half-written",
    "asked again",
    "given up",
    "s a trial",
)


def main() -> int:
    """Measure, write the page, and say whether nothing was lost."""
    asked = options()
    with tempfile.TemporaryDirectory(prefix="asof-kills-") as name, closing(Starter(Path(name))) as starter:
        figures = faults(max(1, round(TRIALS * asked.share)), asked.seed)
        trials = Kills(Path(name), asked.seed, starter)
        tally = trials.run(max(1, round(KILLS * asked.share)), minutes=asked.minutes)
    wrong = tally.faults + sum(one.lost + one.doubled + one.half + one.given_up for one in figures)
    page = written(tally, figures, wrong)
    asked.page.write_text(page, encoding="utf-8")
    print(page)
    return int(wrong > 0)


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure what is lost when things go wrong.")
    parser.add_argument("--share", type=float, default=1.0, help="share of the trials")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="kill no more after so long")
    parser.add_argument("--page", type=Path, default=ROOT / "bench" / "RELIABILITY.md")
    return parser.parse_args()


def faults(trials: int, seed: int) -> list[Figures]:
    """Let sources fail; PostgreSQL where it is installed."""
    from tests import postgres

    with ExitStack() as opened:
        there = postgres._programs() is not None  # noqa: SLF001 - the same programs as the tests use
        return measure(trials, seed, opened.enter_context(postgres.served()) if there else None)


def written(tally: Tally, figures: Sequence[Figures], wrong: int) -> str:
    """The page."""
    rows = [
        (
            stage,
            tally.trials[stage],
            *(part[stage] for part in (tally.lost, tally.doubled, tally.between)),
            *(part[stage] for part in (tally.champion, tally.blocked, tally.unlike)),
        )
        for stage in (*ORDER, "undisturbed")
        if tally.trials[stage] or (stage == "undisturbed" and tally.lost["undisturbed"])
    ]
    rows.append(("all", *(sum(int(row[at]) for row in rows) for at in range(1, len(COLUMNS)))))
    told = HEAD.format(
        asked="".join(f" {part}" for part in sys.argv[1:] if not part.startswith("--page")),
        day=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine(),
        verdict=f"{wrong} faults were found." if wrong else "Nothing was lost, doubled, half-written or blocked.",
        kills=tally.trials.total(),
        late=tally.late,
        runs=len(tally.seconds),
        rows=tally.rows,
        looks=tally.looks,
    )
    sources = [
        (
            *(one.source, one.fault, one.trials, one.rows, one.lost, one.doubled, one.half, one.again, one.given_up),
            f"{one.seconds / max(one.trials, 1):.2f}",
        )
        for one in figures
    ]
    parts = [told, table(COLUMNS, rows), _reached(tally), *(f"- {note}" for note in tally.notes)]
    return "\n".join([*parts, FAULTS, table(FAULT_COLUMNS, sources), ""])


def _reached(tally: Tally) -> str:
    spent = sorted(tally.seconds)
    middle = spent[len(spent) // 2] if spent else 0.0
    reached = tally.recovered.total()
    told = f"{reached} of {len(spent)} runs after a kill reached the state of the twin; the middle one took"
    between = (
        f"A kill came {tally.broken} times between the commits of valid rows and quarantine, which are then remade."
    )
    return f"\n{told} {middle:.1f} s. {between}\n"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table of Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
