"""The server: questions over HTTP, answered by a released model with the features of training and batch.

Routes: ``/ping``, ``/invocations`` (SageMaker's contract), ``/v1/predict``, ``/v1/explain`` (reasons), ``/v1/along`` (a
line on the map), ``/v1/release``, ``/metrics``, and OpenAPI made from the release under ``/openapi.json``.
Bodies are read by ``bodies`` and ``trips``, answers written by ``answers``; ``guards``
stands before every route.
"""

import asyncio
import contextlib
import functools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asof.api import answers, bodies, quick, schemas, trips, turns
from asof.api.arrays import Arrays
from asof.api.bodies import Refusal
from asof.api.figures import Figures
from asof.api.guards import Guard, Limits
from asof.api.turns import Answered, Turns
from asof.flows import asking, travelling
from asof.flows.serving import Standing, answered
from asof.flows.travelling import Guides

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

    from asof.flows.logbook import Logbook
    from asof.flows.serving import Desk


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
    from fastapi import FastAPI
    from fastapi.responses import JSONResponse
    from starlette.exceptions import HTTPException

    chosen = settings or Settings()
    figures = Figures()
    figures.tell(desk.standing)
    server = _Server(desk, chosen, figures)

    @contextlib.asynccontextmanager
    async def live(_: FastAPI) -> AsyncIterator[None]:
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

    app = FastAPI(lifespan=live, docs_url=None, redoc_url=None, openapi_url="/openapi.json", redirect_slashes=False)
    app.openapi = lambda: schemas.describe(desk.standing, chosen.limits.rows, chosen.guides)  # type: ignore[method-assign]
    # Bodies are read by hand, row by row with a reason each: routes take the request as it is.
    app.add_route("/ping", server.ping, methods=["GET"])
    app.add_route("/metrics", server.metrics, methods=["GET"])
    app.add_route("/v1/release", server.release, methods=["GET"])
    app.add_route("/invocations", server.invocations, methods=["POST"])
    app.add_route("/v1/predict", server.invocations, methods=["POST"])
    app.add_route("/v1/explain", server.explain, methods=["POST"])
    app.add_route("/v1/along", server.along, methods=["POST"])
    routes = frozenset(str(getattr(route, "path", "")) for route in app.routes)
    app.add_middleware(Guard, limits=chosen.limits, figures=figures, routes=routes, keys=chosen.keys)

    @app.exception_handler(Refusal)
    async def refused(_: "Request", fault: Refusal) -> "Response":
        headers = {"retry-after": "1"} if fault.status == 503 else None
        return JSONResponse({"error": {"status": fault.status, "reason": fault.reason}}, fault.status, headers)

    @app.exception_handler(HTTPException)
    async def unknown(_: "Request", fault: HTTPException) -> "Response":
        told = {"status": fault.status_code, "reason": str(fault.detail)}
        return JSONResponse({"error": told}, fault.status_code, fault.headers)

    return app


class _Server:
    """The routes, joined to a desk."""

    def __init__(self, desk: "Desk", settings: Settings, figures: Figures) -> None:
        self._desk = desk
        self._settings = settings
        self._figures = figures
        self._turns = Turns(self._answer, lambda: desk.standing.apart, settings.limits.seconds)
        self._quick: quick.Quick | None = None
        self._arrays: tuple[Standing | None, Arrays | None] = (None, None)

    async def renew(self) -> None:
        """Take up newer data and champions for as long as the server stands."""
        while self._settings.renew:
            await asyncio.sleep(self._settings.renew)
            if await asyncio.to_thread(self._desk.renew):
                self._figures.renewals.inc()
                self._figures.tell(self._desk.standing)
            self._figures.troubled.set(bool(self._desk.trouble))

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

    async def invocations(self, request: "Request") -> "Response":
        """Answer each row of the body in its place."""
        from fastapi.responses import Response

        kind = answers.choose(request.headers.get("accept", ""))
        rows = await self._rows(request, self._settings.limits.rows)
        at_hand = self._quick if kind == bodies.JSON else None
        if at_hand is not None and at_hand.standing is self._desk.standing:
            ready = at_hand.answer(rows)
            if ready is not None:
                if self._settings.logbook is not None:
                    self._settings.logbook.keep_ready(at_hand.standing, rows)
                self._figures.rows.labels("answered").inc(len(rows))
                return Response(ready, media_type=kind)
        told = self._at_once(kind, rows) if len(rows) <= turns.FEW else None
        if told is None:
            told = await self._turns.answer(kind, rows)
        self._figures.rows.labels("answered").inc(len(rows) - told.refused)
        self._figures.rows.labels("refused").inc(told.refused)
        return Response(told.body, media_type=kind)

    def _at_once(self, kind: str, rows: Sequence[quick.Record]) -> Answered | None:
        """Answer the rows of a request from arrays; none where it takes a table."""
        now = self._desk.standing
        if self._arrays[0] is not now:
            self._arrays = now, Arrays.of(now)
        arrays = self._arrays[1]
        told = arrays.answer(rows) if arrays is not None else None
        return None if told is None else answers.part(told, [len(rows)], kind, numbered=True)[0]

    def _answer(self, kind: str, asked: Sequence[Sequence[quick.Record]]) -> list[Answered]:
        """Answer rows of requests by one table, and learn from them what the quick way needs."""
        ready = self._at_once(kind, asked[0]) if len(asked) == 1 else None
        if ready is not None:
            return [ready]
        rows = asked[0] if len(asked) == 1 else [row for one in asked for row in one]
        now = self._desk.standing
        table = bodies.table(rows, now.numbers)
        told = answered(self._desk.workspace, now, table, "the request")
        if self._settings.logbook is not None:
            self._settings.logbook.keep(now, told, table.columns)
        if self._quick is None or self._quick.standing is not now:
            self._quick = quick.Quick(self._desk.workspace, now)
        self._quick.learn(rows)
        numbered = "unit" in told.columns and not asking.keyed(self._desk.workspace, now.prepared, table.columns)
        return answers.part(told, [len(one) for one in asked], kind, numbered=numbered)

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
