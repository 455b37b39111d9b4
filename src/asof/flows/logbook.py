"""The logbook of a server: its answers are kept in the store from a thread of its own, so that no answer waits."""

import logging
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from asof.flows import asking, keeping, serving
from asof.flows.serving import Standing
from asof.flows.workspace import Workspace

LOG = logging.getLogger("asof.serving")
MOST_WAITING = 50_000
"""Answers that wait to be written; more are counted as lost."""
AT_ONCE = 2_000
"""Answers are made again for so many questions at once, so that a write takes little memory beside the server."""
MOST_REMEMBERED = 200_000
"""Questions of which it is remembered that they have been written."""
SECONDS = 30.0
"""Between two writes."""
GRACE_SECONDS = 10.0
"""For the last write when a server stops."""
Key = tuple[str | None, str, str | None]
Row = Mapping[str, Any]


@dataclass
class _Waiting:
    """What has been handed over since the last write."""

    frames: list[tuple[pl.DataFrame, datetime]] = field(default_factory=list)
    """Answers, and when they were given."""
    ahead: list[tuple[Standing, dict[Key, datetime]]] = field(default_factory=list)
    """Questions to which a standing had its answers ready, and when they were asked."""
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
        """Hashes, a quarter of the memory, of questions answered from what the present standing had ready."""
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

    def keep_ready(self, standing: Standing, rows: Sequence[Row]) -> None:
        """Hand over questions (place, start, horizon) that were answered from what ``standing`` has at hand."""
        now = self._workspace.clock()
        with self._lock:
            waiting = self._waiting
            if self._met_by is not standing:  # what another release or newer data answer is another answer
                self._met_by, self._met = standing, set()
            if not waiting.ahead or waiting.ahead[-1][0] is not standing:
                waiting.ahead.append((standing, {}))
            asked = waiting.ahead[-1][1]
            for row in rows:
                key = (row.get("place"), row["start"], row.get("horizon"))
                number = hash(key)
                if number in self._met:
                    continue
                if waiting.rows >= self._most:
                    self.lost += 1
                    continue
                self._met.add(number)
                asked[_one(key[0]), sys.intern(key[1]), _one(key[2])] = now
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
        parts += [_made_ahead(self._workspace, standing, asked) for standing, asked in waiting.ahead if asked]
        told = pl.concat(parts, how="diagonal_relaxed")
        names = sorted({"release", "unit", "place", "start", "horizon", "as_of"} & set(told.columns))
        told = told.with_columns(told.select(names).hash_rows(seed=1).alias("_hash"))
        told = told.unique("_hash", keep="first", maintain_order=True)
        fresh = told.filter(~pl.col("_hash").is_in(self._written.implode()))
        if fresh.height:
            self._workspace.lake.write_predictions(fresh.drop("_hash"))
            self._written = pl.concat([self._written, fresh["_hash"].alias("written")]).tail(MOST_REMEMBERED)
        return fresh.height


def _one(text: str | None) -> str | None:
    """Of the same texts, which come anew with each request, one is kept."""
    return None if text is None else sys.intern(text)


def _made_ahead(workspace: Workspace, standing: Standing, asked: Mapping[Key, datetime]) -> pl.DataFrame:
    """Answers to questions whose answers were ready."""
    names, at = ("place", "start", "horizon"), min(asked.values())
    keys, told = list(asked), []
    for begun in range(0, len(keys), AT_ONCE):
        some = [dict(zip(names, key, strict=True)) for key in keys[begun : begun + AT_ONCE]]
        rows = pl.DataFrame(some, schema=dict.fromkeys(names, pl.String))
        given = rows.drop(name for name in ("place", "horizon") if rows[name].null_count() == rows.height)
        answers = serving.answered(workspace, standing, given, "the request")
        told.append(keeping.shape(answers, at, keeping.SERVER))
    return pl.concat(told, how="diagonal_relaxed")
