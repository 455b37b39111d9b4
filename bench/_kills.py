"""Real processes killed at seeded moments, and what is found afterwards.

Each trial begins with the store as an undisturbed twin has left it, lets new data arrive, starts `asof run` or
`asof retrain` in a process group of its own and kills the group with SIGKILL. Then everything is counted, and a plain
run must reach what the twin has reached.
"""

import contextlib
import io
import itertools
import random
import shutil
import signal
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

import asof
from _growing import RICHER, STEPS, Expected, Growing, Row, counts
from _processes import Starter
from asof import cli, releases
from asof.errors import AsofError
from asof.testing.jsonapi import ApiServer

COLD = 10
"""Every so many trials start Python anew; the others fork from a process that has imported the libraries already."""
IN_A_ROW = 4
"""So many runs at most are killed one after the other."""
NEW_DATA = 0.3
"""Share of kills after the first before which new data come."""
ASKED = ("--start", "2021-04-01", "--end", "2021-04-03")
"""Days that no correction touches: what a champion answers about them stays."""
OTHER_PAGE = "was made with other features than the project makes now"
"""Said of a champion that is older than the page: it is refused until a run has come to its end."""


@dataclass
class Found:
    """What is kept in a store."""

    raw: Mapping[str, Counter[Row]]
    valid: Mapping[str, Counter[Row]]
    refused: Mapping[str, Counter[Row]]
    broken: frozenset[str] = frozenset()
    """Sources whose derived tables say that a crash came between the two: whoever reads them makes them anew."""
    champion: str = ""
    """Fingerprint of the champion, or none."""
    made: frozenset[str] = frozenset()
    """Fingerprints of all releases."""
    promotions: int = 0
    answers: bytes | None = b""
    """What the champion answers about days that nothing has changed; none where the page asks for more features."""


@dataclass
class Tally:
    """What the trials have found."""

    trials: Counter[str] = field(default_factory=Counter)
    """By the stage in which the run was."""
    seconds: list[float] = field(default_factory=list)
    """Of the runs that went on after a kill."""
    rows: int = 0
    """Rows expected, over all looks at a store."""
    looks: int = 0
    lost: Counter[str] = field(default_factory=Counter)
    """All by the stage."""
    doubled: Counter[str] = field(default_factory=Counter)
    between: Counter[str] = field(default_factory=Counter)
    champion: Counter[str] = field(default_factory=Counter)
    blocked: Counter[str] = field(default_factory=Counter)
    unlike: Counter[str] = field(default_factory=Counter)
    recovered: Counter[str] = field(default_factory=Counter)
    broken: int = 0
    """Looks at tables of which one was committed and the other not: the next reader made them anew."""
    late: int = 0
    """Runs that had ended before they could be killed: not counted, drawn again."""
    notes: list[str] = field(default_factory=list)

    @property
    def faults(self) -> int:
        """Everything that went wrong."""
        parts = (self.lost, self.doubled, self.between, self.champion, self.blocked, self.unlike)
        return sum(part.total() for part in parts)


def look(folder: Path) -> Found:
    """Read a store through the front door of Python; rows by the text that they hold."""
    workspace = asof.open_project(str(folder))
    lake, names = workspace.lake, list(workspace.spec.sources)
    tables: dict[str, dict[str, Counter[Row]]] = {"raw": {}, "valid": {}, "quarantine": {}}
    for name in names:
        for table, found in tables.items():
            there = lake.version(name, table) is not None
            found[name] = _rows(getattr(lake, table)(name)) if there else Counter()
    told = Found(tables["raw"], tables["valid"], tables["quarantine"])
    told.broken = frozenset(name for name in names if lake.version(name, "valid") is not None and not lake.stamp(name))
    registry = workspace.registry
    champion = registry.find("champion")
    told.made = frozenset(one.facts["fingerprint"] for one in registry.releases())
    told.promotions = sum(one.get("kind") == "promotion" for one in registry.decisions())
    if champion is not None:
        told.champion = releases.read(champion.folder).fingerprint  # verifies every file by its manifest
        out = folder / "told.parquet"
        code, said = ask("predict", str(folder), *ASKED, "--out", str(out))
        if OTHER_PAGE in said:
            told.answers = None
            return told
        assert code == 0, said
        answers = pl.read_parquet(out).select("place", "start", "horizon", "prediction", "low", "high")
        told.answers = answers.sort("place", "start", "horizon").write_csv().encode()
        out.unlink()
    return told


def _rows(frame: pl.DataFrame) -> Counter[Row]:
    """Rows of a table as they were written; of a line that could not be split its fields."""
    if "_text" not in frame.columns:
        frame = frame.with_columns(_text=pl.lit(None, pl.String))
    at = pl.col("at") if frame.schema["at"] == pl.String else pl.col("at").dt.strftime("%Y-%m-%d %H:%M")
    told = frame.select("id", at, "zone", "priority", "rev", "_text").cast(pl.String).rows()
    return Counter(tuple(row[5].strip().split(",")) if row[5] else row[:5] for row in told)


def ask(*args: str) -> tuple[int, str]:
    """Run a command within this process; its code and what it said on standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.main([*args, "--json"])
    return code, err.getvalue()


@dataclass
class Kills:
    """The trials."""

    folder: Path
    seed: int
    starter: Starter
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        """Draw the world; nothing runs yet."""
        self.draw = random.Random(self.seed)  # noqa: S311 - to be repeatable
        self.world = Growing(self.seed)
        self.twins: list[Found] = []
        self.took: list[float] = []
        self.started = 0

    @contextmanager
    def _open(self) -> Iterator[None]:
        with ApiServer(token="") as self.server:
            self.world.url = self.server.url
            yield

    def run(self, kills: int, *, minutes: float) -> Tally:
        """Kill so many runs, or fewer where they take longer than so many minutes."""
        self.steps = min(STEPS, max(RICHER + 2, kills // 10))  # few kills are not worth a long history
        with self._open():
            self._grow()
            until = time.monotonic() + 60 * minutes
            for number in itertools.count():
                if self.tally.trials.total() >= kills or time.monotonic() > until:
                    break
                self._trial(number, kills)
        return self.tally

    def _put(self, folder: Path, step: int) -> None:
        self.world.put(folder, step)
        self.server.rows = self.world.served(step)

    def _grow(self) -> None:
        """Let the twin run undisturbed through all steps, and keep a copy after each."""
        folder = self.folder / "twin"
        for step in range(self.steps):
            self._put(folder, step)
            begun = time.perf_counter()
            code = self.starter.run(["run", str(folder), "--json"])
            self.took.append(time.perf_counter() - begun)
            assert code == 0, self.starter.err.read_text()
            self.twins.append(look(folder))
            self._count((step, step), self.twins[-1], "undisturbed")
            shutil.copytree(folder, self.folder / f"after-{step}")
        assert self.twins[0].champion != self.twins[-1].champion, "no champion was replaced: nothing to be torn"

    def _trial(self, number: int, kills: int) -> None:
        """Kill one to four runs, one after the other, perhaps with new data in between; then let one end."""
        first = reached = number % self.steps
        # A folder of its own each: MLflow keeps a database open by its address, also one that has been deleted.
        folder = self.folder / f"trial-{number}"
        if first:
            shutil.copytree(self.folder / f"after-{first - 1}", folder)
        self._put(folder, first)
        stage = ""
        for kill in range(min(self.draw.randrange(1, IN_A_ROW + 1), kills - self.tally.trials.total())):
            if kill and self.draw.random() < NEW_DATA and reached < self.steps - 1:
                reached += 1
                self._put(folder, reached)
            stage = self._kill(folder, reached) or stage
            if stage:
                self._after(folder, (first, reached), stage)
        if not stage:
            return
        begun = time.perf_counter()
        code = self.starter.run([self._verb(), str(folder), "--json"])
        self.tally.seconds.append(time.perf_counter() - begun)
        if code != 0:
            self._note(self.tally.blocked, stage, first, self.starter.err.read_text().strip().splitlines()[-1:])
            return
        self._again(folder, (first, reached), stage)
        shutil.rmtree(folder)

    def _verb(self) -> str:
        return self.draw.choice(("run", "retrain"))

    def _kill(self, folder: Path, step: int) -> str:
        """Start a run and kill it at a moment by chance; the stage that it was in, or none where it had ended."""
        self.started += 1
        cold = self.started % COLD == 0
        longest = self.took[step] * (2.0 if cold else 1.0)
        code = self.starter.run([self._verb(), str(folder), "--json"], kill=self.draw.uniform(0, longest), cold=cold)
        if code == -signal.SIGKILL:
            stage = self.starter.stage()
            self.tally.trials[stage] += 1
            return stage
        assert code == 0, self.starter.err.read_text()
        self.tally.late += 1
        self.took[step] *= 0.9  # the machine is faster than it was
        return ""

    def _after(self, folder: Path, steps: tuple[int, int], stage: str) -> None:
        """Look at what a kill has left: the old state or a new one, and nothing that cannot be read."""
        first, reached = steps
        for command in ("runs", "check", "report", "doctor"):
            code, said = ask(command, str(folder))
            told_so = code == 2 and "asof: " in said and "a fault of this program" not in said
            if code and (first > 0 or not told_so):  # before the first run has ended there may be nothing to show
                self._note(self.tally.blocked, stage, reached, [f"asof {command}: {said.strip()}"])
        try:
            found = look(folder)
        except (AsofError, AssertionError, OSError) as fault:
            self._note(self.tally.between, stage, reached, [f"cannot be read: {fault}"])
            return
        self._count((first - 1, reached), found, stage)
        allowed = {self.twins[first - 1].champion if first else ""}
        allowed |= {made for twin in self.twins[first : reached + 1] for made in twin.made}
        older = {twin.champion for twin in self.twins[:RICHER]} if reached >= RICHER else set()
        known = {twin.champion: None if twin.champion in older else twin.answers for twin in self.twins}
        if found.champion not in allowed or found.answers != known.get(found.champion, found.answers):
            self._note(self.tally.champion, stage, reached, [f"the champion is another one: {found.champion}"])

    def _again(self, folder: Path, steps: tuple[int, int], stage: str) -> None:
        """Compare what the run after the kills has reached with the twin."""
        first, reached = steps
        found, twin = look(folder), self.twins[reached]
        wrong = [name for name in ("valid", "refused") if getattr(found, name) != getattr(twin, name)]
        if first == reached:
            same = ("raw", "champion", "made", "answers")
            wrong += [name for name in same if getattr(found, name) != getattr(twin, name)]
        if first == reached and found.promotions != twin.promotions:
            wrong.append(f"{found.promotions} decisions for {twin.promotions}")
        left = [path.name for sign in (".writing-*", ".making-*", "*.part") for path in folder.rglob(sign)]
        if wrong or left:
            self._note(self.tally.unlike, stage, reached, [f"after the run again: {', '.join([*wrong, *left])}"])
        else:
            self.tally.recovered[stage] += 1
        self._count((reached, reached), found, stage)

    def _count(self, steps: tuple[int, int], found: Found, stage: str) -> None:
        """Hold what is kept against the count of what was written: at one of the steps, or raw rows on the way."""
        old, new = steps
        for name, aim in self.world.expected[new].items():
            before = self.world.expected[old][name] if old >= 0 else Expected.of(set(), None)
            raw, valid, refused = found.raw[name], found.valid[name], found.refused[name]
            must = before.ever if old < new else aim.now
            self._tell(self.tally.lost, stage, new, f"{name}: raw lost", must - set(raw))
            self._tell(self.tally.between, stage, new, f"{name}: raw that never was", set(raw) - aim.ever)
            for rows in (raw, valid, refused):
                self._tell(self.tally.doubled, stage, new, f"{name}: twice", {row for row in rows if rows[row] > 1})
            if name in found.broken and old < new:
                self.tally.broken += 1
                continue
            states = [self.world.expected[step][name] for step in range(max(old, 0), new + 1)]
            if (set(valid), set(refused)) not in [(one.valid, one.refused) for one in [before, *states]]:
                gone = {row for row in before.valid if row[0] not in {one[0] for one in [*valid, *refused]}}
                self._tell(self.tally.lost, stage, new, f"{name}: valid lost", gone)
                self._note(self.tally.between, stage, new, [f"{name} is neither what it was nor what it is to be"])
        for rows in self._torn(steps, set(found.raw["calls"])):
            self._tell(self.tally.between, stage, new, "a file half read", rows)
        self.tally.looks += 1
        self.tally.rows += sum(counts(self.world.expected[max(old, 0)]).values())

    def _torn(self, steps: tuple[int, int], there: set[Row]) -> list[set[Row]]:
        """Rows that are missing of files of which other new rows are there."""
        old, new = steps
        known = self.world.expected[old]["calls"].ever if old >= 0 else frozenset()
        files = [set(rows) - known for rows in self.world.files[new].values()]
        return [rows - there for rows in files if rows & there and not rows <= there]

    def _tell(self, part: Counter[str], stage: str, step: int, what: str, rows: set[Row] | frozenset[Row]) -> None:
        if rows:
            part[stage] += len(rows) - 1
            self._note(part, stage, step, [f"{what}: {len(rows)}, such as {min(rows)}"])

    def _note(self, part: Counter[str], stage: str, step: int, said: list[str]) -> None:
        part[stage] += 1
        told = f"step {step}, killed in {stage}: {' '.join(said)}"
        self.tally.notes.append(told)
        print(f"  FAULT {told}", flush=True)
