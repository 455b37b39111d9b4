"""The application of a server: FastAPI, which has and describes the routes, behind a guard."""

from fastapi import FastAPI

from asof.api.guards import Receive, Scope, Send


class Application(FastAPI):
    """FastAPI that hands a request straight to the outermost of its layers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; what FastAPI asks its surroundings before each of them is not asked."""
        if scope["type"] != "http" or self.middleware_stack is None:
            await super().__call__(scope, receive, send)
            return
        scope["app"] = self
        await self.middleware_stack(scope, receive, send)
