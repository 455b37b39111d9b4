"""What a server will be asked next: who goes from one period to the other goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from asof import times
from asof.flows.asking import EPOCH
from asof.panels import Panel

MOST_AHEAD = 32
"""So many periods are answered ahead at once, however few the places are."""


@dataclass
class Walk:
    """Who asks about one period after the other: each time more of those that come next are answered ahead.

    As files are read ahead: twice as many periods each time, while nobody waits for them. Whoever asks about a period
    here and a period there has nothing to wait for.
    """

    low: int = 0
    high: int = 0
    """Starts of the first and the last period that were answered or shall be, in microseconds."""
    horizon: str = ""
    way: int = 0
    """1: to later periods, -1: to earlier ones, 0: nowhere."""
    count: int = 1
    """So many came last; twice as many will be next."""
    mark: tuple[datetime, str] | None = None
    """Start and horizon of the first of those that came last: who asks about it goes on."""
    reached: bool = False
    """Whether somebody has."""
    gone: bool = False
    """Whether somebody has since the last jump."""
    waiting: list[int] = field(default_factory=list)
    """Starts of periods that shall be answered for all places, the nearest first."""

    def meet(self, panel: Panel, starts: Sequence[int], horizon: str, most: int) -> None:
        """Take note of periods that are asked about together and were not at hand; at most so many come next."""
        first, last = min(starts), max(starts)
        same = horizon == self.horizon
        inside = same and self.low <= first <= last <= self.high
        if inside and self.waiting:
            self.waiting = [start for start in self.waiting if start not in starts]
            return
        self.waiting = []
        if same and _next(panel, self.high, 1) == first:
            self.way = 1
        elif same and _next(panel, self.low, -1) == last:
            self.way = -1
        elif not inside:
            # Who has gone on from one to the next will do so elsewhere: the next one is worth a try.
            self.way, self.count = (self.way, 0) if self.gone else (0, 1)
            self.gone = False
        self.low, self.high, self.horizon = first, last, horizon
        self.go(panel, most)

    def go(self, panel: Panel, most: int) -> None:
        """Let the periods that come next wait for their answers: twice as many as the last time, at most so many."""
        self.gone |= self.reached
        self.mark, self.reached = None, False
        if not self.way:
            return
        self.count = max(1, min(2 * self.count, MOST_AHEAD, most))
        at = self.high if self.way > 0 else self.low
        for number in range(self.count):
            at = _next(panel, at, self.way)
            self.waiting.append(at)
            if not number:
                self.mark = EPOCH + timedelta(microseconds=at), self.horizon
        self.low, self.high = min(self.low, at), max(self.high, at)

    def take(self, most: int) -> list[int]:
        """Take the first of those that wait, at most so many."""
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return taken

    @property
    def more(self) -> bool:
        """Whether there is something to answer ahead."""
        return bool(self.waiting) or self.reached


def _next(panel: Panel, start: int, way: int) -> int:
    """Start of the period behind another, or before it."""
    begun, ended = times.period_micros(np.array([start if way > 0 else start - 1]), panel.every, panel.zone)
    return int((ended if way > 0 else begun)[0])
