"""The console as an ASGI application, of its own or mounted into another one."""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles

from relay.console import answers
from relay.console.access import csrf
from relay.console.access.gate import gate_of
from relay.console.access.refusals import SignInNeededError
from relay.console.changes.making import make
from relay.console.database import Database
from relay.console.doctor import Doctor
from relay.console.export import export
from relay.console.headers import SecurityHeaders
from relay.console.links import to
from relay.console.live import Live
from relay.console.menu import DETAILS, SCREENS, Build
from relay.console.requests import form
from relay.console.visit import Visit
from relay.console.watch import Watch
from relay.errors import RelayError
from relay.settings import Settings, SignIn

COOKIE: Final = "outbox_console"
_GZIP_BYTES: Final = 1_000

log = logging.getLogger(__name__)


class Console:
    """The console of one outbox.

    `application()` is an ASGI application, of its own or to mount below a path of another one.
    Around a mounted one, `async with console.running():` holds the connections to PostgreSQL.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._database = Database(settings.database, settings.console)
        self._watch = Watch(self._database, settings.console.look_seconds)
        self._doctor = Doctor(self._database, settings)
        self._gate = gate_of(settings.console)
        self.live = Live(self._watch)

    @asynccontextmanager
    async def running(self, _: object = None) -> AsyncIterator[None]:
        """Hold the connections while the console is served; a `lifespan` for FastAPI."""
        self._database.open()
        self._watch.start()
        self.live.begin()
        try:
            yield
        finally:
            self.live.end()
            self._watch.stop()
            await run_in_threadpool(self._database.close)

    def application(self) -> FastAPI:
        """Return a new application with every screen."""
        app = FastAPI(
            title="Outbox", lifespan=self.running, openapi_url=None, docs_url=None, redoc_url=None
        )
        for screen in SCREENS:
            app.add_route(screen.path, self._page(screen.build), ["GET"])
        for path, build in DETAILS:
            app.add_route(path, self._page(build), ["GET"])
        app.add_route("/change/{verb}", self._change, ["POST"])
        app.add_route("/export", self._export, ["GET"])
        if self._settings.console.sign_in is SignIn.OIDC:
            # Slow to import, and not needed elsewhere.
            from relay.console.signing_in import SigningIn  # noqa: PLC0415

            SigningIn(self._settings.console).add_to(app)
        app.add_route("/live", self._live, ["GET"])
        app.add_route("/livez", _alive, ["GET"])
        app.mount("/static", StaticFiles(packages=[("relay.console", "static")]), "static")
        # Of an Exception that nothing else handles, Starlette breaks the connection as well.
        for kind in (HTTPException, RelayError, Exception):
            app.add_exception_handler(kind, self._explain)
        self._add_middleware(app)
        return app

    def _add_middleware(self, app: FastAPI) -> None:
        console = self._settings.console
        is_https = (console.url or "").startswith("https://")
        given = console.secret.get_secret_value() if console.secret else secrets.token_hex(32)
        app.add_middleware(GZipMiddleware, minimum_size=_GZIP_BYTES)
        app.add_middleware(
            SessionMiddleware,
            secret_key=given,
            session_cookie=f"__Host-{COOKIE}" if is_https else COOKIE,
            max_age=round(console.session_seconds),
            same_site="lax",
            https_only=is_https,
        )
        app.add_middleware(SecurityHeaders, is_https=is_https)

    def _page(self, build: Build) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            visit = self._visit(request)
            page = await run_in_threadpool(build, visit)
            return await run_in_threadpool(
                answers.page, page, request, visit.person, self._settings.console
            )

        return answer

    def _visit(self, request: Request) -> Visit:
        return Visit(
            person=self._gate.person(request),
            path={name: str(value) for name, value in request.path_params.items()},
            query=dict(request.query_params),
            database=self._database,
            watch=self._watch,
            doctor=self._doctor,
            settings=self._settings,
            waits="hx-request" in request.headers or answers.wants_text(request),
        )

    async def _change(self, request: Request) -> Response:
        visit = self._visit(request)
        given = await form(request)
        csrf.check(request, given.get(csrf.FIELD, ""), self._settings.console.url)
        done = await run_in_threadpool(make, visit, given)
        request.session["note"] = done.note
        root = request.scope.get("root_path", "").rstrip("/")
        return RedirectResponse(f"{root}{done.path}", HTTPStatus.SEE_OTHER)

    async def _export(self, request: Request) -> Response:
        return await run_in_threadpool(export, self._visit(request))

    async def _live(self, request: Request) -> Response:
        self._gate.person(request)
        return self.live.stream()

    async def _explain(self, request: Request, error: Exception) -> Response:
        is_oidc = self._settings.console.sign_in is SignIn.OIDC
        if is_oidc and isinstance(error, SignInNeededError):
            root = request.scope.get("root_path", "").rstrip("/")
            query = f"?{request.url.query}" if request.url.query else ""
            login = to("login", next=request.url.path.removeprefix(root) + query)
            if _leads_to_login(request):
                return RedirectResponse(f"{root}{login}")
            found = answers.signed_out(error, login)
            return answers.page(found, request, None, self._settings.console)
        found = answers.refused(error)
        if found.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            log.error("%s could not be answered", request.url.path, exc_info=error)
        return answers.page(found, request, None, self._settings.console)


def _leads_to_login(request: Request) -> bool:
    """Tell whether a person looks at this, and not a script of a page or a terminal."""
    is_page = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    return is_page and "hx-request" not in request.headers


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive\n")
