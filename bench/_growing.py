"""A small project that grows: files, a database and an API that add, correct, repeat and spoil rows at every step.

What must be kept is counted here from what was written, by rules in plain Python; nothing of Asof is asked.
"""

import csv
import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

ZONES = ("north", "east", "south", "west")
FIRST = datetime(2021, 1, 4)  # noqa: DTZ001 - local, as it is written
BASE, LENGTH, STEPS = 100, 5, 6
"""Days of the first step and of each further one, and the number of steps."""
COLUMNS = ("id", "at", "zone", "priority", "rev")
"""Of every source; of several rows with one ``id`` the one with the largest ``rev`` was told last."""
PROJECT = """\
name: growing
sources:
  calls:
    files: data/calls-*.csv
    key: id
    time: {columns: at, zone: America/New_York}
    delay: 1d
    place: zone
    checks: {priority: {between: [1, 5]}}
  alarms:
    sql: {url: "sqlite:///alarms.db", table: alarms, watermark: change, recheck: "0", page: 400}
    key: id
    time: {columns: at, zone: America/New_York}
    delay: 1d
    place: zone
    checks: {priority: {between: [1, 5]}}
  levels:
    api: {url: "URL", rows: data.items, params: {limit: "100"}, paging: page}
    key: id
    time: {columns: at, zone: America/New_York}
    place: zone
    checks: {priority: {between: [1, 5]}}
predict:
  count: calls
  per: {place: zone, every: 1d}
  horizon: [1d, 2d]
features: [calendarMORE]
judge: {holdout: 28d, folds: 2, fold: 14d}
train: {budget: 0s, candidates: [poisson], threads: 1, since: 2021-01-18}
promote: {audit: pass}
"""
RICHER = 2
"""From this step on another source is asked too, which makes a better model: a champion is replaced."""

Row = tuple[str, ...]


@dataclass(frozen=True)
class Expected:
    """What must be kept of one source."""

    now: frozenset[Row]
    """Rows, or lines that are none, that lie outside now,"""
    ever: frozenset[Row]
    """and those that ever did."""
    valid: frozenset[Row]
    refused: frozenset[Row]

    @classmethod
    def of(cls, now: set[Row], before: "Expected | None") -> "Expected":
        """Count what must be kept of rows that lie there now and of those before."""
        ever = now | (set(before.ever) if before else set())
        last: dict[str, Row] = {}
        for row in ever:
            if len(row) == len(COLUMNS) and (row[0] not in last or int(row[4]) > int(last[row[0]][4])):
                last[row[0]] = row
        fine = {row for row in last.values() if _is_fine(row)}
        lost = {row for row in ever if len(row) != len(COLUMNS)}
        return cls(frozenset(now), frozenset(ever), frozenset(fine), frozenset(set(last.values()) - fine | lost))


def _is_fine(row: Row) -> bool:
    try:
        datetime.strptime(row[1], "%Y-%m-%d %H:%M")  # noqa: DTZ007 - local
    except ValueError:
        return False
    return 1 <= int(row[3]) <= 5


@dataclass
class Growing:
    """The project at its steps."""

    seed: int
    url: str = ""
    """Address of the API."""
    expected: list[dict[str, Expected]] = field(default_factory=list)
    """Of each step, by source."""

    def __post_init__(self) -> None:
        """Draw all rows of all steps."""
        self._draw = random.Random(self.seed)  # noqa: S311 - to be repeatable
        rows = [self._step(step) for step in range(STEPS)]
        self.rows = {name: [told[name] for told in rows] for name in ("calls", "alarms", "levels")}
        self.files: list[dict[str, list[Row]]] = []
        """Of each step: rows of every file, by name."""
        for step in range(STEPS):
            files = dict(self.files[-1]) if step else {}
            repeated = self.rows["calls"][step - 1][-6:-1] if step else []
            files[f"calls-{step}.csv"] = [*repeated, *self._fixed("calls", step), *self.rows["calls"][step]]
            if step == 3:  # a file that was read is replaced: some rows say something else, most are as before
                whole = files["calls-1.csv"]
                files["calls-1.csv"] = [_revised(row) if 20 <= at < 30 else row for at, row in enumerate(whole)]
            self.files.append(files)
        for step in range(STEPS):
            self._count(step)

    def _step(self, step: int) -> dict[str, list[Row]]:
        """New rows of a step: some are refused by a rule, some by their time, and one line is no row."""
        begun = 0 if step == 0 else BASE + LENGTH * (step - 1)
        days = range(begun, BASE + LENGTH * step)
        found: dict[str, list[Row]] = {"calls": [], "alarms": [], "levels": []}
        for day in days:
            for zone in ZONES:
                level = self._draw.randrange(1, 5)
                found["levels"].append((f"l{day}{zone}", _at(day, 0), zone, str(level), "0"))
                found["calls"] += [self._row("c", day, zone) for _ in range(2**level - self._draw.randrange(2))]
                found["alarms"] += [self._row("a", day, zone) for _ in range(self._draw.randrange(4))]
        for name, rows in found.items():
            found[name] = [(f"{row[0]}-{step}-{at}", *row[1:]) for at, row in enumerate(rows)]
            found[name] += [(f"{name}-bad-{step}-{at}", _at(days[-1], 700), ZONES[at], "9", "0") for at in range(3)]
        found["calls"].append((f"calls-late-{step}", "2021-13-45 99:99", "north", "1", "0"))
        found["calls"].append((f"calls-torn-{step}", "one", "field", "too", "many", "0"))
        return found

    def _row(self, mark: str, day: int, zone: str) -> Row:
        return (mark, _at(day, self._draw.randrange(300, 1400)), zone, str(self._draw.randrange(1, 6)), "0")

    def _fixed(self, name: str, step: int) -> list[Row]:
        """Rows of the step before that are told anew: five fine ones, and one that was refused."""
        if step == 0:
            return []
        before = self.rows[name][step - 1]
        bad = next(row for row in before if "-bad-" in row[0])
        fine = [row for row in before if _is_row(row) and "-bad-" not in row[0]][-30:-25]
        return [*(_revised(row) for row in fine), (*bad[:3], "2", "1")]

    def table(self, name: str, step: int) -> list[Row]:
        """All rows of a table as it stands at a step."""
        there: dict[str, Row] = {}
        for number in range(step + 1):
            for row in [*self._fixed(name, number), *self.rows[name][number]]:
                there[row[0]] = row
        return list(there.values())

    def _count(self, step: int) -> None:
        before = self.expected[-1] if step else {}
        now = {
            "calls": {row for rows in self.files[step].values() for row in rows},
            "alarms": set(self.table("alarms", step)),
            "levels": set(self.table("levels", step)),
        }
        self.expected.append({name: Expected.of(rows, before.get(name)) for name, rows in now.items()})

    def put(self, folder: Path, step: int) -> None:
        """Let the files and the database of a step lie in the folder; files that are as before are not touched."""
        (folder / "data").mkdir(parents=True, exist_ok=True)
        more = ", {level: {nearest: levels, columns: [priority], known_ahead: true}}" if step >= RICHER else ""
        (folder / "project.yaml").write_text(PROJECT.replace("MORE", more).replace("URL", self.url))
        for name, rows in self.files[step].items():
            if step and self.files[step - 1].get(name) == rows and (folder / "data" / name).is_file():
                continue
            beside = folder / "data" / f".{name}"
            with beside.open("w", newline="") as file:
                csv.writer(file).writerows([COLUMNS, *rows])
            beside.replace(folder / "data" / name)
        with sqlite3.connect(folder / "alarms.db") as link:
            link.execute(f"CREATE TABLE IF NOT EXISTS alarms ({' TEXT, '.join(COLUMNS)} TEXT, change INTEGER)")
            link.execute("CREATE UNIQUE INDEX IF NOT EXISTS by_id ON alarms (id)")
            for number in range(step + 1):
                told = [*self._fixed("alarms", number), *self.rows["alarms"][number]]
                link.executemany(
                    "INSERT INTO alarms VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET zone = excluded.zone, "
                    "priority = excluded.priority, rev = excluded.rev, change = excluded.change "
                    "WHERE excluded.rev > rev",
                    [(*row, number) for row in told],
                )
        link.close()

    def served(self, step: int) -> pl.DataFrame:
        """What the API hands out at a step."""
        return pl.DataFrame(self.table("levels", step), schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def _is_row(row: Row) -> bool:
    return len(row) == len(COLUMNS)


def _revised(row: Row) -> Row:
    """The same row with another priority, told later."""
    if not _is_row(row) or row[4] != "0" or not _is_fine(row):
        return row
    return (*row[:3], str(int(row[3]) % 5 + 1), "1")


def _at(day: int, minute: int) -> str:
    return (FIRST + timedelta(days=day, minutes=minute)).strftime("%Y-%m-%d %H:%M")


def counts(expected: Mapping[str, Expected]) -> dict[str, int]:
    """Rows that must be kept over all sources."""
    return {
        "valid": sum(len(one.valid) for one in expected.values()),
        "refused": sum(len(one.refused) for one in expected.values()),
    }
