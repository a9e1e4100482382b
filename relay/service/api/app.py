"""The API as an ASGI application, and as a router for another one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.routing import Match

from relay.service.api.access import Tokens
from relay.service.api.adding import Adding
from relay.service.api.bodies import Bounded
from relay.service.api.database import Database
from relay.service.api.keys import KeySet, KeysUnavailableError
from relay.service.api.metrics import ApiMetrics, Measured
from relay.service.api.problems import explained
from relay.service.api.routes import events_router
from relay.service.outbox import Outbox
from relay.service.redaction.redactor import Redactor
from relay.settings import Settings

DESCRIPTION: Final = "Events: what led to the current state, and what, if anything, is wrong."


class Api:
    """The REST API over one database.

    `application()` is an ASGI application of its own; `router` is for one that is there already.
    Around either of them, `async with api.running():` holds the connections to PostgreSQL.
    """

    def __init__(self, settings: Settings, redactor: Redactor | None = None) -> None:
        redactor = redactor or Redactor.from_environment()
        self._database = Database(
            settings.database.conninfo(), settings.api, settings.database.outbox_schema
        )
        self._keys: KeySet | None = None
        tokens = None
        if settings.api.authentication and settings.api.jwks:
            self._keys = KeySet(settings.api.jwks, settings.api.jwks_refresh_seconds)
            tokens = Tokens(settings.api, self._keys)
        adding = Adding(Outbox.from_environment(redactor=redactor), redactor)
        self.router: APIRouter = events_router(self._database, adding, tokens)

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Hold the connections while the API is served; a `lifespan` for FastAPI."""
        self._database.open()
        try:
            yield
        finally:
            await run_in_threadpool(self._database.close)

    def application(self) -> FastAPI:
        """Return a new application with the API, its documentation, health and metrics."""
        metrics = ApiMetrics()
        app = FastAPI(
            title="Events",
            description=DESCRIPTION,
            version=version("outbox-relay"),
            lifespan=self.running,
            redoc_url=None,
        )
        app.include_router(self.router)
        app.include_router(self._operations(metrics), include_in_schema=False)
        for kind in (HTTPException, Exception):
            app.add_exception_handler(kind, self._explain)
        app.add_middleware(Bounded)
        app.add_middleware(Measured, metrics=metrics)
        return app

    def _operations(self, metrics: ApiMetrics) -> APIRouter:
        router = APIRouter()

        @router.get("/livez")
        async def live() -> Response:
            return Response("ok\n", media_type="text/plain")

        @router.get("/readyz")
        def ready() -> Response:
            fault = self._fault()
            status = HTTPStatus.SERVICE_UNAVAILABLE if fault else HTTPStatus.OK
            return Response(f"{fault or 'ok'}\n", status, media_type="text/plain")

        @router.get("/metrics")
        def measured() -> Response:
            return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

        return router

    def _fault(self) -> str | None:
        try:
            if self._keys is not None:
                self._keys.key(None)
        except KeysUnavailableError as error:
            return str(error)
        return self._database.fault()

    async def _explain(self, request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette names the methods of the first route of a path alone.
            allowed = self._methods(request) or set((error.headers or {}).values())
            error.headers = {"Allow": ", ".join(sorted(allowed))}
        return explained(error)

    def _methods(self, request: Request) -> set[str]:
        routes = (route for route in self.router.routes if isinstance(route, APIRoute))
        return {
            method
            for route in routes
            if route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }
