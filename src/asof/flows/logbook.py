"""The logbook of a server: its answers are kept in the store from a thread of its own, so that no answer waits."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import polars as pl

from asof.flows import asking, keeping
from asof.flows.oracles import CHANCE
from asof.flows.serving import Standing
from asof.flows.workspace import Workspace

LOG = logging.getLogger("asof.serving")
MOST_WAITING = 50_000
"""Answers that wait to be written; more are counted as lost."""
MOST_REMEMBERED = 200_000
"""Questions of which it is remembered that they have been written."""
SECONDS = 30.0
"""Between two writes."""
GRACE_SECONDS = 10.0
"""For the last write when a server stops."""


@dataclass
class _Waiting:
    """What has been handed over since the last write."""

    frames: list[tuple[pl.DataFrame, datetime]] = field(default_factory=list)
    """Answers, and when they were given."""
    ready: list[tuple[Standing, datetime, list[bytes]]] = field(default_factory=list)
    """Answers that a standing had ready, as JSON, and when the first of them were given."""
    rows: int = 0


class Logbook:
    """Writes answers from a thread of its own: who answers hands them over and neither waits nor fails.

    An answer to a question that the same release is asked again is kept once.
    """

    def __init__(self, workspace: Workspace, *, seconds: float = SECONDS, most: int = MOST_WAITING) -> None:
        """Store where answers go, how often, and how many may wait."""
        self._workspace = workspace
        self._seconds = seconds
        self._most = most
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._waiting = _Waiting()
        self._met: set[int] = set()
        """Hashes of the answers that the present standing had ready and gave."""
        self._met_by: Standing | None = None
        self._written = pl.Series("written", [], dtype=pl.UInt64)
        self.kept = 0
        """Answers written."""
        self.lost = 0
        """Answers that were not kept: too many waited, or the store refused them."""
        self.trouble = ""
        """Why the latest write failed; empty when it did not."""

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._run, name="logbook", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end; gives up after a while."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(GRACE_SECONDS)

    def keep(self, standing: Standing, answers: pl.DataFrame, columns: Sequence[str]) -> None:
        """Hand over answers to the rows of a request that has these columns."""
        if not asking.keyed(self._workspace, standing.prepared, columns):
            return  # such rows could never be joined with their truth
        now = self._workspace.clock()
        with self._lock:
            if self._waiting.rows + answers.height > self._most:
                self.lost += answers.height
                return
            # A copy: a part of a table, however short, keeps all of it in memory.
            self._waiting.frames.append((answers[np.arange(answers.height)], now))
            self._waiting.rows += answers.height

    def keep_ready(self, standing: Standing, lines: Sequence[bytes]) -> None:
        """Hand over answers that ``standing`` had ready, as they were given: a line of JSON each."""
        now = self._workspace.clock()
        with self._lock:
            waiting = self._waiting
            if self._met_by is not standing:  # what another release or newer data answer is another answer
                self._met_by, self._met = standing, set()
            for line in lines:
                number = hash(line)
                if number in self._met:
                    continue
                if waiting.rows >= self._most:
                    self.lost += 1
                    continue
                self._met.add(number)
                if not waiting.ready or waiting.ready[-1][0] is not standing:
                    waiting.ready.append((standing, now, []))
                waiting.ready[-1][2].append(line)
                waiting.rows += 1

    def flush(self) -> None:
        """Write what waits; a store that refuses is told of, and what it refused is lost."""
        with self._lock:
            waiting, self._waiting = self._waiting, _Waiting()
            if len(self._met) > MOST_REMEMBERED:
                self._met.clear()
        if not waiting.rows:
            return
        try:
            self.kept += self._write(waiting)
            self.trouble = ""
        except Exception as fault:  # noqa: BLE001 - a thread that ends would keep nothing any more
            self.trouble = " ".join(str(fault).split())
            self.lost += waiting.rows
            LOG.warning("%d answers were not kept: %s", waiting.rows, self.trouble)

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self.flush()
        self.flush()

    def _write(self, waiting: _Waiting) -> int:
        parts = [keeping.shape(answers, moment, keeping.SERVER) for answers, moment in waiting.frames]
        for standing, moment, lines in waiting.ready:
            parts.append(keeping.shape(_read(standing, lines), moment, keeping.SERVER))
        told = pl.concat(parts, how="diagonal_relaxed")
        names = sorted({"release", "unit", "place", "start", "horizon", "as_of"} & set(told.columns))
        told = told.with_columns(told.select(names).hash_rows(seed=1).alias("_hash"))
        told = told.unique("_hash", keep="first", maintain_order=True)
        fresh = told.filter(~pl.col("_hash").is_in(self._written.implode()))
        if fresh.height:
            self._workspace.lake.write_predictions(fresh.drop("_hash"))
            self._written = pl.concat([self._written, fresh["_hash"].alias("written")]).tail(MOST_REMEMBERED)
        return fresh.height


def _read(standing: Standing, lines: Sequence[bytes]) -> pl.DataFrame:
    """Answers that were written as JSON, as a table again."""
    assert standing.ready is not None  # noqa: S101 - else it had no answers ready
    schema = standing.ready.schema
    moments = [name for name, dtype in schema.items() if dtype == pl.Datetime]
    chances = [name for name in schema if name.startswith(CHANCE)]
    written = {name: pl.String() if name in moments else dtype for name, dtype in schema.items() if name not in chances}
    if chances:
        written["chances"] = pl.Struct({name.removeprefix(CHANCE): schema[name] for name in chances})
    told = pl.read_ndjson(b"\n".join(lines), schema=written)
    told = told.with_columns(pl.col(moments).str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC", time_unit="us"))
    if not chances:
        return told
    each = told["chances"].struct.unnest()
    return told.drop("chances").hstack(each.rename(lambda name: f"{CHANCE}{name}"))
