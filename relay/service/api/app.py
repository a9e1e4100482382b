"""The API as an ASGI application, and as a router for another one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from importlib.metadata import version
from typing import Final

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Match

from relay.formats import with_format_defaults
from relay.service.api.access.caller import EVERYBODY, Caller
from relay.service.api.access.credentials import any_credential, bearer
from relay.service.api.access.key_set import KeySet
from relay.service.api.access.ownership import Ownership, by_query
from relay.service.api.access.tokens import Tokens
from relay.service.api.core.adding import Adding
from relay.service.api.core.listing import Listing
from relay.service.api.core.new_event import Bounds
from relay.service.api.core.refusal import refusal
from relay.service.api.database import Database
from relay.service.api.existing_service.errors import error as existing_error
from relay.service.api.existing_service.representation import EVENT as EXISTING_EVENT
from relay.service.api.existing_service.routes import ExistingServiceFace
from relay.service.api.own.problems import problem
from relay.service.api.own.representation import EVENT as OWN_EVENT
from relay.service.api.own.representation import LIST_HEADERS
from relay.service.api.own.routes import OwnFace
from relay.service.api.serving.compression import Compression
from relay.service.api.serving.documentation import documentation
from relay.service.api.serving.health import health
from relay.service.api.serving.metrics import ApiMetrics, Measured
from relay.service.api.serving.request_ids import HEADER, RequestIds
from relay.service.api.serving.route import Authenticate
from relay.service.outbox import Outbox
from relay.service.redaction.redactor import Redactor
from relay.settings import Settings
from relay.settings.api import EXISTING_SERVICE_PATH, Face

_ALLOWED_HEADERS: Final = (
    *("Authorization", "Watcher-Authorization", "Content-Type", "Idempotency-Key"),
    HEADER,
)
DESCRIPTION: Final = "Events: what led to the current state, and what, if anything, is wrong."


class Api:
    """The REST API over one database.

    `application()` is an ASGI application of its own; `router` has the faces for one that is there
    already. Around either of them, `async with api.running():` holds the connections to PostgreSQL.
    *ownership* tells what the caller with these claims owns, in place of the settings' queries.
    """

    def __init__(
        self,
        settings: Settings,
        redactor: Redactor | None = None,
        ownership: Ownership | None = None,
    ) -> None:
        self._settings = settings = with_format_defaults(settings)
        self._database = Database(
            settings.database.conninfo(), settings.api, settings.database.outbox_schema
        )
        self._keys = _key_set(settings)
        self._tokens: Tokens | None = None
        if settings.api.authentication:
            ownership = ownership or by_query(settings.api, self._database)
            self._tokens = Tokens(settings.api, self._keys, ownership)
        adding = self._adding(redactor or Redactor.from_environment())
        self._faces = [self._face(face, adding) for face in Face if face in settings.api.faces]
        self.router = APIRouter()
        for face in self._faces:
            self.router.include_router(face)

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Hold the connections while the API is served; a `lifespan` for FastAPI."""
        self._database.open()
        if self._keys is not None:
            await run_in_threadpool(self._keys.start)
        try:
            yield
        finally:
            if self._keys is not None:
                self._keys.stop()
            await run_in_threadpool(self._database.close)

    def application(self) -> FastAPI:
        """Return a new application with the API, its documentation, health and metrics."""
        metrics = ApiMetrics(self._settings.database.outbox())
        app = FastAPI(
            title="Events",
            description=DESCRIPTION,
            version=version("outbox-relay"),
            lifespan=self.running,
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,
        )
        for face in self._faces:
            # Not included, which would build each of them once more.
            app.router.routes.extend(face.routes)
        app.include_router(health(self.fault, metrics), include_in_schema=False)
        app.include_router(documentation("Events", "/openapi.json"), include_in_schema=False)
        for kind in (HTTPException, Exception):
            app.add_exception_handler(kind, self._explain)
        app.add_middleware(Compression)
        if self._settings.api.cors_origins:
            app.add_middleware(
                CORSMiddleware,
                allow_origins=self._settings.api.cors_origins,
                allow_methods=["GET", "HEAD", "POST"],
                allow_headers=_ALLOWED_HEADERS,
                expose_headers=[*LIST_HEADERS, HEADER, "Retry-After"],
            )
        app.add_middleware(Measured, metrics=metrics)
        app.add_middleware(RequestIds)
        return app

    def fault(self) -> str | None:
        """Return why requests cannot be served; None while they can. Asks the database."""
        if self._keys is not None and not self._keys.is_known:
            return "no key set could be read so far"
        return self._database.fault()

    def _face(self, face: Face, adding: Adding) -> APIRouter:
        api = self._settings.api
        authenticate = self._authenticate(face)
        if face is Face.EVENTS:
            listing = Listing(self._database, OWN_EVENT, api.page_bytes)
            own = OwnFace(api.prefix, listing, adding, authenticate, api.client_timeout_seconds)
            return own.router
        return ExistingServiceFace(
            Listing(self._database, EXISTING_EVENT, api.page_bytes),
            adding,
            authenticate,
            api.client_timeout_seconds,
            streams_rate_limited=bool(self._settings.events.stream_rate_limited),
            deleted_hosts=api.deleted_hosts_query or "",
        ).router

    def _authenticate(self, face: Face) -> Authenticate:
        tokens = self._tokens
        credential = bearer if face is Face.EVENTS else any_credential

        async def authenticate(request: Request) -> Caller:
            return EVERYBODY if tokens is None else await tokens.caller(credential(request))

        return authenticate

    def _adding(self, redactor: Redactor) -> Adding:
        return Adding(
            self._database,
            Outbox.from_environment(redactor=redactor),
            redactor,
            Bounds.of(self._settings.api, self._settings.events.stream_preset),
            self._settings.events.rate_limits,
        )

    async def _explain(self, request: Request, error: Exception) -> Response:
        found = refusal(error)
        if found.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette names the methods of the first route of a path alone.
            allowed = self._methods(request) or set((found.headers or {}).values())
            found.headers = {"Allow": ", ".join(sorted(allowed))}
        show = existing_error if _is_of_existing_service(request) else problem
        response = show(found, request)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _methods(self, request: Request) -> set[str]:
        routes = (route for face in self._faces for route in face.routes)
        return {
            method
            for route in routes
            if isinstance(route, APIRoute) and route.matches(request.scope)[0] is not Match.NONE
            for method in route.methods or ()
        }


def _key_set(settings: Settings) -> KeySet | None:
    if not (settings.api.authentication and settings.api.jwks):
        return None
    return KeySet(settings.api.jwks, settings.api.jwks_refresh_seconds)


def _is_of_existing_service(request: Request) -> bool:
    # The service's whole tree of paths: its clients read no other form.
    return request.url.path.startswith(EXISTING_SERVICE_PATH.rpartition("/")[0])
