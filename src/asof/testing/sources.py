"""The exam of sources: a reader and the place outside that it reads, while rows are added, corrected and late there.

    sources.examine(MyOutside)

An author describes the place in three lines (``Outside``); the exam lets rows lie there, reads, changes them, stops in
the middle, goes on, and keeps what came as an ingest does. A source passes when

- nothing is lost and nothing comes twice in one go, however rows lie and wherever a read stops;
- a second read gives nothing new, a later one what has changed: new rows, corrected ones, ones that became visible
  late, ones that tie with the last one read;
- a column that appears is read from then on, and one that is missing is named;
- what fails is told in one line, as one of Asof's errors.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl

from asof.errors import AsofError
from asof.ports import Reader
from asof.testing import readers

NOTES = (None, "plain", "a, comma", 'a "quote"', "Åsa", "50 % of :it", "two\nlines")
FIRST = datetime(2024, 3, 1)  # noqa: DTZ001 - written in the form that is asked for
STEP = timedelta(hours=3)

Row = tuple[str | None, ...]


class Outside(Protocol):
    """A place where rows lie, made for a test."""

    def put(self, rows: pl.DataFrame) -> None:
        """Let exactly these rows lie there, in this order: String columns ``id`` (the key), ``at``, and others."""
        ...

    def open(self, columns: Sequence[str] = ()) -> Reader:
        """Open a reader of them anew, as a new process would; of ``columns`` only, where some are named."""
        ...

    def vanish(self) -> None:
        """Take the place away: the server is gone, the folder is empty."""
        ...


@dataclass
class World:
    """Rows as they are now, and all that ever were."""

    form: str
    rows: list[dict[str, str | None]] = field(default_factory=list)
    newest: datetime = FIRST

    def at(self, moment: datetime) -> str:
        """A moment as it is written."""
        return moment.strftime(self.form)

    def add(self, count: int, *, back: timedelta = timedelta(), **more: str) -> None:
        """Add rows, five of each moment; ``back``: before the newest one."""
        for number in range(count):
            if not back and number % 5 == 0:
                self.newest += STEP
            place = len(self.rows)
            row = {"id": f"k{place:04d}", "at": self.at(self.newest - back), "amount": f"{place}.50"}
            self.rows.append({**row, "note": NOTES[place % len(NOTES)], **more})

    def correct(self, places: Sequence[int]) -> None:
        """Give rows another amount, now."""
        self.newest += STEP
        for place in places:
            self.rows[place] = {**self.rows[place], "amount": f"{place}.75", "at": self.at(self.newest)}

    def frame(self, *, seed: int | None = None, without: str = "") -> pl.DataFrame:
        """The rows as a table, in order or shuffled."""
        names = [name for name in dict.fromkeys(name for row in self.rows for name in row) if name != without]
        frame = pl.DataFrame(self.rows, schema=dict.fromkeys(names, pl.String))
        return frame if seed is None else frame.sample(fraction=1.0, shuffle=True, seed=seed)


@dataclass
class Kept:
    """What an ingest keeps: each row once, and the watermark of the last batch."""

    rows: set[Row] = field(default_factory=set)
    watermark: str | None = None
    names: tuple[str, ...] = ("id", "at", "amount", "note")

    def take(self, reader: Reader, *, batches: int | None = None) -> list[Row]:
        """Read, and stop after a number of batches; the rows that came, one by one."""
        came: list[Row] = []
        stream = reader.batches(self.watermark)
        for number, batch in enumerate(stream, start=1):
            readers.check_shape(batch)
            part = _values(batch.rows, self.names)
            came += part
            self.rows.update(part)
            self.watermark = batch.watermark
            if number == batches:
                break
        close = getattr(stream, "close", None)
        if close is not None:
            close()
        return came


def examine(
    make: Callable[[], Outside], *, form: str = "%Y-%m-%dT%H:%M:%S", strict: bool = True, seeds: int = 1
) -> None:
    """Put a source to the exam.

    Args:
        make: makes an empty place outside; called several times.
        form: how the place writes the moments in ``at`` (strftime).
        strict: whether a column that is missing must be refused; a place that leaves out what is null cannot tell.
        seeds: how many histories made by chance are gone through.

    Raises:
        AssertionError: says what is lost, twice, or not told.
    """
    check_whole(make, form)
    check_changes(make, form)
    check_columns(make, form, strict=strict)
    check_errors(make, form)
    for seed in range(seeds):
        check_history(make, form, seed)


def check_whole(make: Callable[[], Outside], form: str) -> None:
    """All rows once, in whatever order they lie, and wherever a read stops."""
    world = World(form)
    world.add(43)
    wanted = _values(world.frame(), Kept.names)
    for seed in (None, 1):
        outside = make()
        outside.put(world.frame(seed=seed))
        came = Kept().take(outside.open())
        _compare(came, wanted, "read in one go")
        count = len(list(outside.open().batches(None)))
        assert count > 1, "one batch holds everything: let the reader give smaller ones, so that stops can be tried"
        for stop in range(1, count):
            kept = Kept()
            kept.take(outside.open(), batches=stop)
            kept.take(outside.open())
            assert kept.rows == set(wanted), f"stopped after batch {stop} and gone on: {_lost(wanted, kept.rows)}"
            again = len(kept.rows)
            kept.take(outside.open())
            assert len(kept.rows) == again, "a second read gave rows that are not there"


def check_changes(make: Callable[[], Outside], form: str) -> None:
    """New, tied, corrected and late rows are found by the next read."""
    world, outside, kept = World(form), make(), Kept()
    world.add(23)
    outside.put(world.frame())
    kept.take(outside.open())
    steps: dict[str, Callable[[], None]] = {
        "new": lambda: world.add(12),
        "tied with the last one": lambda: world.add(3, back=timedelta(seconds=0)),
        "corrected": lambda: world.correct([2, 11, 30]),
        "late": lambda: world.add(4, back=timedelta(minutes=30)),
    }
    for name, step in steps.items():
        step()
        outside.put(world.frame())
        kept.take(outside.open())
        lost = _lost(_values(world.frame(), kept.names), kept.rows)
        assert not lost, f"rows that are {name} were not found: {lost}"


def check_columns(make: Callable[[], Outside], form: str, *, strict: bool) -> None:
    """A column that appears is read from then on; one that is named and missing is refused by its name."""
    world, outside = World(form), make()
    kept = Kept(names=("id", "at", "amount", "note", "colour"))
    world.add(9)
    outside.put(world.frame())
    kept.take(outside.open())
    world.add(7, colour="red")
    outside.put(world.frame())
    kept.take(outside.open())
    red = [row for row in kept.rows if row[-1] == "red"]
    assert len(red) == 7, f"a column appeared in 7 rows, and {len(red)} have it"
    if not strict:
        return
    outside = make()
    outside.put(world.frame(without="amount"))
    told = _told(outside.open(("id", "at", "amount")))
    assert told is not None, "the column amount is missing, and nothing was said"
    assert "amount" in told, f"the column amount is missing, and the message does not name it: {told}"


def check_errors(make: Callable[[], Outside], form: str) -> None:
    """What fails is one of Asof's errors, in one line."""
    world, outside = World(form), make()
    world.add(9)
    outside.put(world.frame())
    Kept().take(outside.open())
    reader = outside.open()
    outside.vanish()
    assert _told(reader), "the place is gone, and nothing was said"


def check_history(make: Callable[[], Outside], form: str, seed: int) -> None:
    """Whatever happens between reads and in the middle of one, the last read leaves nothing behind."""
    chance = random.Random(seed)  # noqa: S311 - to be repeatable
    world, outside, kept = World(form), make(), Kept()
    ever: set[Row] = set()
    world.add(11)
    for _ in range(8):
        happened = chance.choice(("new", "late", "corrected", "nothing"))
        if happened == "new":
            world.add(chance.randrange(1, 9))
        elif happened == "late":
            world.add(chance.randrange(1, 4), back=timedelta(minutes=chance.randrange(50)))
        elif happened == "corrected":
            world.correct(chance.sample(range(len(world.rows)), 3))
        outside.put(world.frame(seed=chance.randrange(99)))
        ever.update(_values(world.frame(), kept.names))
        kept.take(outside.open(), batches=chance.choice((None, 1, 2)))
    kept.take(outside.open())
    lost = _lost(_values(world.frame(), kept.names), kept.rows)
    assert not lost, f"history {seed}: lost {lost}"
    assert kept.rows <= ever, f"history {seed}: rows that never were: {sorted(map(str, kept.rows - ever))[:3]}"


def _values(rows: pl.DataFrame, names: Sequence[str]) -> list[Row]:
    """Values of the columns ``names``; null throughout where one is not there."""
    absent = [pl.lit(None, pl.String).alias(name) for name in names if name not in rows.columns]
    return rows.with_columns(absent).select(names).rows()


def _compare(came: Sequence[Row], wanted: Sequence[Row], how: str) -> None:
    lost = _lost(wanted, set(came))
    assert not lost, f"{how}: lost {lost}"
    assert len(came) == len(set(came)), f"{how}: {len(came) - len(set(came))} rows came twice"
    assert len(came) == len(wanted), f"{how}: {len(came)} rows came, {len(wanted)} are there"


def _lost(wanted: Sequence[Row], came: set[Row]) -> list[Row]:
    return [row for row in wanted if row not in came][:3]


def _told(reader: Reader) -> str | None:
    """What reading says that fails, or none."""
    try:
        for _ in reader.batches(None):
            pass
    except AsofError as fault:
        told = str(fault)
    else:
        return None
    assert "\n" not in told, f"the message has several lines: {told}"
    return told
