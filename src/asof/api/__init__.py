"""The server: questions over HTTP, answered by a released model with the features of training and batch.

Routes: ``/ping``, ``/invocations`` (SageMaker's contract), ``/v1/predict``, ``/v1/explain`` (reasons), ``/v1/along`` (a
line on the map), ``/v1/release``, ``/metrics``, and OpenAPI made from the release under ``/openapi.json``.
Bodies are read by ``bodies`` and ``trips``, answers written by ``answers``; ``guards``
stands before every route.
"""

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polars.exceptions import PanicException

from asof.api import answers, bodies, guards, memory, quick, schemas, trips, turns
from asof.api.arrays import Arrays
from asof.api.bodies import Refusal
from asof.api.figures import Figures
from asof.api.guards import App, Guard, Limits, Receive, Scope, Send
from asof.api.journal import Journal
from asof.api.turns import Answered, Turns
from asof.flows import asking, travelling
from asof.flows.serving import Standing, ahead, answered_with_others
from asof.flows.travelling import Guides

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

    from asof.flows.logbook import Logbook
    from asof.flows.serving import Desk
    from asof.flows.workspace import Workspace

LOG = logging.getLogger("asof.serving")
_JSON = bodies.JSON.encode()


@dataclass(frozen=True)
class Settings:
    """How a server behaves."""

    limits: Limits = field(default_factory=Limits)
    keys: Mapping[str, str] = field(default_factory=dict)
    """Hashes of keys by name; empty: no key is needed."""
    guides: Guides = field(default_factory=Guides)
    """What finds ways and addresses for ``/v1/along``."""
    renew: float = 10.0
    """Seconds between two looks for newer data or a new champion; 0: never."""
    logbook: "Logbook | None" = None
    """What keeps the answers that are given; none: they are not kept."""


def create(desk: "Desk", settings: Settings | None = None) -> "FastAPI":
    """Make the application that answers from ``desk``, which is open."""
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

    from asof.api.application import Application

    chosen = settings or Settings()
    figures = Figures()
    figures.tell(desk.standing)
    server = _Server(desk, chosen, figures)
    journal = Journal()

    @contextlib.asynccontextmanager
    async def live(_: "FastAPI") -> AsyncIterator[None]:
        watching = asyncio.create_task(server.renew())
        if chosen.logbook is not None:
            chosen.logbook.start()
        try:
            yield
        finally:
            if chosen.logbook is not None:
                await asyncio.to_thread(chosen.logbook.stop)
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching
            journal.flush()

    app = Application(lifespan=live, docs_url=None, redoc_url=None, openapi_url="/openapi.json", redirect_slashes=False)
    app.openapi = lambda: schemas.describe(desk.standing, chosen.limits.rows, chosen.guides)  # type: ignore[method-assign]
    # Bodies are read by hand, row by row with a reason each: routes take the request as it is.
    app.add_route("/ping", server.ping, methods=["GET"])
    app.add_route("/metrics", server.metrics, methods=["GET"])
    app.add_route("/v1/release", server.release, methods=["GET"])
    rows = _Rows(server.invocations)
    app.add_route("/invocations", rows, methods=["POST"])  # type: ignore[arg-type] # Starlette takes applications too
    app.add_route("/v1/predict", rows, methods=["POST"])  # type: ignore[arg-type]
    app.add_route("/v1/explain", server.explain, methods=["POST"])
    app.add_route("/v1/along", server.along, methods=["POST"])
    paths = {str(getattr(route, "path", "")): getattr(route, "endpoint", None) for route in app.routes}
    routes = {path: app if isinstance(app, _Rows) else None for path, app in paths.items()}
    app.add_middleware(Guard, limits=chosen.limits, figures=figures, routes=routes, journal=journal, keys=chosen.keys)

    @app.exception_handler(Refusal)
    async def refused(_: "Request", fault: Refusal) -> "Response":
        headers = {"retry-after": "1"} if fault.status == 503 else None
        return JSONResponse({"error": {"status": fault.status, "reason": fault.reason}}, fault.status, headers)

    @app.exception_handler(HTTPException)
    async def unknown(_: "Request", fault: HTTPException) -> "Response":
        told = {"status": fault.status_code, "reason": str(fault.detail)}
        return JSONResponse({"error": told}, fault.status_code, fault.headers)

    return app


@dataclass(frozen=True)
class _Ways:
    """What answers requests to a standing without a table; made once for it, since that takes its time."""

    standing: Standing
    ready: quick.Quick
    arrays: Arrays | None

    @classmethod
    def of(cls, workspace: "Workspace", standing: Standing) -> "_Ways":
        return cls(standing, quick.Quick(workspace, standing), Arrays.of(standing))


@dataclass(frozen=True)
class _Rows:
    """The route of rows as ASGI knows it, so that its guard can go there at once."""

    app: App

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer them."""
        return self.app(scope, receive, send)


class _Server:
    """The routes, joined to a desk."""

    def __init__(self, desk: "Desk", settings: Settings, figures: Figures) -> None:
        self._desk = desk
        self._settings = settings
        self._figures = figures
        self._turns = Turns(self._answer, lambda: desk.standing.apart, settings.limits.seconds)
        self._ways = _Ways.of(desk.workspace, desk.standing)
        self._looking: asyncio.Task[None] | None = None

    async def renew(self) -> None:
        """Take up newer data and champions for as long as the server stands."""
        kept = 0
        while self._settings.renew:
            await asyncio.sleep(self._settings.renew)
            book = self._settings.logbook
            if book is not None and book.kept != kept:  # a write takes more memory than it leaves
                kept = book.kept
                await asyncio.to_thread(memory.give_back)
            try:
                renewed = await asyncio.to_thread(self._renew)
            except (Exception, PanicException):  # what stands goes on answering, and the next look may end better
                LOG.exception("a fault of this program while newer data were looked for; they are looked for again")
                self._figures.troubled.set(1)
                continue
            if renewed:
                await asyncio.to_thread(memory.give_back)  # of what stood before
                self._figures.renewals.inc()
                self._figures.tell(self._desk.standing)
            self._figures.troubled.set(bool(self._desk.trouble))

    def _renew(self) -> bool:
        """Take up what is newer, and make its quick ways, before anyone waits for them; says whether there was."""
        renewed = self._desk.renew()
        now = self._desk.standing
        if self._ways.standing is not now:
            self._ways = _Ways.of(self._desk.workspace, now)
            return True
        return renewed

    async def ping(self, _: "Request") -> "Response":
        """Say that the server is healthy."""
        from fastapi.responses import JSONResponse

        told = {"status": "ok", "release": self._desk.standing.oracle.release.name}
        return JSONResponse(told | ({"trouble": self._desk.trouble} if self._desk.trouble else {}))

    async def metrics(self, _: "Request") -> "Response":
        """Tell the figures of the server."""
        from fastapi.responses import Response

        self._figures.count(self._settings.logbook)
        body, kind = self._figures.text()
        return Response(body, media_type=kind)

    async def release(self, _: "Request") -> "Response":
        """Tell which release answers, what it predicts and how good it is."""
        from fastapi.responses import JSONResponse

        return JSONResponse(schemas.release(self._desk.standing))

    async def invocations(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer each row of the body in its place."""
        headers: Mapping[bytes, bytes] = dict(scope["headers"])
        kind = answers.choose(headers.get(b"accept", b"").decode("latin-1"))
        written = headers.get(b"content-type", _JSON).decode("latin-1")
        ways, given = self._ways, (await receive())["body"]
        known = kind == bodies.JSON and ways.standing is self._desk.standing
        body = await self._long(ways, given, scope) if known and written == bodies.JSON else None
        refused = 0
        if body is None:
            rows = bodies.read(written, given, self._settings.limits.rows)
            scope["asof.rows"] = len(rows)
            if known:
                # A booster is asked by one thread at a time: whoever waits for it here would keep everybody waiting.
                body = self._at_once(ways, rows, 0 if self._turns.busy else turns.FEW)
                self._go_ahead(ways)
            if body is None:
                told = await self._turns.answer(kind, rows)
                body, refused = told.body, told.refused
                self._go_ahead(ways)
        self._figures.answered.inc(scope["asof.rows"] - refused)
        if refused:
            self._figures.refused.inc(refused)
        await guards.answer(send, body, kind)

    async def _long(self, ways: _Ways, given: bytes, scope: Scope) -> bytes | None:
        """Answer a long body of plain rows, by itself and in its turn; none for any other."""
        numbers = ways.arrays.read(given, self._settings.limits.rows) if ways.arrays is not None else None
        if ways.arrays is None or numbers is None:
            return None
        scope["asof.rows"] = len(numbers)
        return await self._turns.do(functools.partial(ways.arrays.tell, numbers))

    def _go_ahead(self, ways: _Ways) -> None:
        """Begin to answer what will be asked next, where there is something."""
        if ways.ready.walk.more and (self._looking is None or self._looking.done()):
            self._looking = asyncio.create_task(self._look_ahead(ways))

    def _at_once(self, ways: _Ways, rows: Sequence[quick.Record], most: int) -> bytes | None:
        """Answer rows that are there already, or up to ``most`` plain ones; none where it takes a table, or longer."""
        found = ways.ready.find(rows)
        if found is None and ways.ready.learn(rows):
            found = ways.ready.find(rows)
        if found is not None:
            if self._settings.logbook is not None:
                self._settings.logbook.keep_ready(ways.standing, found)
            return answers.join(found)
        if ways.arrays is None or len(rows) > most:
            return None
        with turns.refusing():
            return ways.arrays.answer(rows)

    def _answer(self, kind: str, asked: Sequence[Sequence[quick.Record]]) -> list[Answered]:
        """Answer rows of requests: as ``_at_once`` what is there by now, the others by one table."""
        ways = self._ways
        known = kind == bodies.JSON and ways.standing is self._desk.standing
        made = [self._at_once(ways, rows, len(rows)) if known else None for rows in asked]
        rest = [rows for rows, body in zip(asked, made, strict=True) if body is None]
        tabled = iter(self._by_table(kind, rest) if rest else [])
        return [next(tabled) if body is None else Answered(body, 0) for body in made]

    def _by_table(self, kind: str, asked: Sequence[Sequence[quick.Record]]) -> list[Answered]:
        """Answer rows of requests by one table, and keep the answers."""
        rows = asked[0] if len(asked) == 1 else [row for one in asked for row in one]
        now = self._desk.standing
        table = bodies.table(rows, now.numbers)
        ways = self._ways  # once: newer ones may stand there any moment, and these answers are not theirs
        told, others = answered_with_others(self._desk.workspace, now, table, "the request", ways.ready.walk)
        if self._settings.logbook is not None:
            self._settings.logbook.keep(now, told, table.columns)
        if ways.standing is now:
            ways.ready.keep(told)
            ways.ready.keep(others)
        numbered = "unit" in told.columns and not asking.keyed(self._desk.workspace, now.prepared, table.columns)
        return answers.part(told, [len(one) for one in asked], kind, numbered=numbered)

    async def _look_ahead(self, ways: _Ways) -> None:
        """Answer what will be asked next, in short turns, while who asks is told what was answered before."""

        def work() -> None:
            ways.ready.keep(ahead(self._desk.workspace, ways.standing, ways.ready.walk))

        try:
            while ways.ready.walk.more and self._ways is ways:
                await self._turns.do(work)
        except (Exception, PanicException) as fault:  # noqa: BLE001 - who asks then is answered, or told what is wrong
            LOG.error("what is asked next could not be answered ahead: %s", guards.traced(fault))  # noqa: TRY400

    async def explain(self, request: "Request") -> "Response":
        """Answer each row with its reasons; ``?class=NAME`` says whose probability is explained."""
        from fastapi.responses import Response

        answers.only_json(request.headers.get("accept", ""))
        rows = await self._rows(request, bodies.MOST_EXPLAINED)
        label = request.query_params.get("class")
        told, reasons = await self._turns.do(functools.partial(self._desk.explain, bodies.table(rows), label))
        explained = [row | why for row, why in zip(answers.records(told), reasons, strict=True)]
        return Response(answers.write_plain({"explanations": explained}), media_type=bodies.JSON)

    async def along(self, request: "Request") -> "Response":
        """Tell the places along a line, and those of them above a cutoff."""
        from fastapi.responses import Response

        answers.only_json(request.headers.get("accept", ""))
        bodies.need_json(request.headers.get("content-type", bodies.JSON))
        trip = trips.read(await request.body())
        work = functools.partial(
            travelling.travel, self._desk.workspace, self._desk.standing, self._settings.guides, trip
        )
        return Response(answers.write_plain(await self._turns.do(work)), media_type=bodies.JSON)

    async def _rows(self, request: "Request", most: int) -> Sequence[quick.Record]:
        rows = bodies.read(request.headers.get("content-type", bodies.JSON), await request.body(), most)
        request.scope["asof.rows"] = len(rows)
        return rows
