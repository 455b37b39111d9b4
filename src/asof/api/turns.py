"""Turns: one computation at a time, and rows of requests that wait are answered together, as one table."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from asof.api.bodies import Refusal
from asof.errors import AsofError, UserError

Made = TypeVar("Made")
Rows = Sequence[Mapping[str, Any]]
MOST = 512
"""Rows that are answered together, where they come from several requests."""
BRIEF = 0.005
"""Seconds: what took less the last time is done at once; what takes longer goes to a thread, and others are heard."""
FEW = 64
"""Rows of which it is taken that they cost about what the last few cost."""


@dataclass(frozen=True)
class Answered:
    """What goes back to one request."""

    body: bytes
    refused: int
    """Rows with a reason in place of a prediction."""


Work = Callable[[str, Sequence[Rows]], list[Answered]]
"""Answers the rows of several requests in the kind that all of them ask for; one answer a request, in order."""


@dataclass(frozen=True, eq=False)
class _Asked:
    """A request that waits for its turn."""

    rows: Rows
    like: tuple[str, tuple[str, ...]]
    """Kind of answer and names of columns in their order: requests that are alike in both may be answered together."""
    answer: asyncio.Future[Answered]


class Turns:
    """Lets computations be done one after the other: two at once would only wait for each other's threads."""

    def __init__(self, work: Work, apart: Callable[[], bool], seconds: float) -> None:
        """Store what answers, whether the answer to a row hangs on that row alone, and how long one may wait."""
        self._work = work
        self._apart = apart
        self._seconds = seconds
        self._turn = asyncio.Semaphore(1)
        self._waiting: list[_Asked] = []
        self._working: asyncio.Task[None] | None = None
        self._last = float("inf")
        """Seconds that the last few rows took."""

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self._turn.locked()

    async def do(self, work: Callable[[], Made]) -> Made:
        """Do ``work`` in a thread, in its turn and in time; Refusal for what its sender did wrong."""
        return await self._in_time(self._threaded(work))

    async def answer(self, kind: str, rows: Rows) -> Answered:
        """Answer the rows of a request, in its turn and in time; raises as ``do``."""
        # More rows than may be joined with others are like none.
        names = tuple(dict.fromkeys(name for row in rows for name in row)) if len(rows) <= MOST else ()
        asked = _Asked(rows, (kind, names), asyncio.get_running_loop().create_future())
        self._waiting.append(asked)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._all())
        return await self._in_time(asked.answer)

    async def _in_time(self, made: Awaitable[Made]) -> Made:
        try:
            async with asyncio.timeout(self._seconds):
                with refusing():
                    return await made
        except TimeoutError as fault:
            raise Refusal(503, f"no answer within {self._seconds:g} s: ask about fewer rows") from fault

    async def _threaded(self, work: Callable[[], Made]) -> Made:
        await self._turn.acquire()
        # Who waits may leave; the thread goes on all the same, and keeps its turn until it has ended.
        going = asyncio.get_running_loop().run_in_executor(None, work)
        going.add_done_callback(self._ended)
        return await asyncio.shield(going)

    def _ended(self, going: "asyncio.Future[Any]") -> None:
        self._turn.release()
        if not going.cancelled():
            going.exception()  # nobody may be left to be told

    async def _all(self) -> None:
        """Answer what waits until nothing does; what comes meanwhile is answered with what comes with it."""
        while self._waiting:
            async with self._turn:
                asked = self._next()
                if asked:
                    await self._answer(asked)
            await asyncio.sleep(0)  # those who were answered may ask again, and are heard together

    def _next(self) -> list[_Asked]:
        """Take the request that has waited longest, and those that may be answered with it."""
        waiting = [one for one in self._waiting if not one.answer.done()]
        taken: list[_Asked] = []
        size = 0
        for one in waiting:
            alike = not taken or (one.like == taken[0].like and self._apart())
            if alike and (not taken or size + len(one.rows) <= MOST):
                taken.append(one)
                size += len(one.rows)
        self._waiting = [one for one in waiting if one not in taken]
        return taken

    async def _answer(self, asked: list[_Asked]) -> None:
        kind, few = asked[0].like[0], sum(len(one.rows) for one in asked) <= FEW
        begun = time.perf_counter()
        try:
            rows = [one.rows for one in asked]
            brief = few and self._last < BRIEF
            made = self._work(kind, rows) if brief else await asyncio.to_thread(self._work, kind, rows)
        except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):
            raise
        except BaseException as fault:  # noqa: BLE001 - it belongs to whoever asked; a panic of Polars is no Exception
            if len(asked) == 1:
                _fail(asked[0], fault if isinstance(fault, Exception) else RuntimeError(type(fault).__name__))
                return
            for one in asked:  # what is wrong with one of them is no business of the others
                await self._answer([one])
            return
        if few:
            self._last = time.perf_counter() - begun
        for one, answer in zip(asked, made, strict=True):
            if not one.answer.done():
                one.answer.set_result(answer)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Make a Refusal of what went wrong with a question: 422 for what its sender did, 503 for what is outside."""
    try:
        yield
    except UserError as fault:
        raise Refusal(422, " ".join(str(fault).split())) from fault
    except AsofError as fault:
        raise Refusal(503, "the answer could not be made: what it needs outside of this server failed") from fault


def _fail(asked: _Asked, fault: Exception) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(fault)
