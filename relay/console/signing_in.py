"""Signing in and out: the pages that the OpenID provider leads to."""

from http import HTTPStatus

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from relay.console import answers
from relay.console.access import csrf
from relay.console.access.gate import peer
from relay.console.access.limiting import LoginLimit
from relay.console.access.oidc import CALLBACK, Provider
from relay.console.content import Button, Notice, Page
from relay.console.requests import form
from relay.settings import ConsoleSettings


class SigningIn:
    """The pages /login, /callback, /logout and /signed-out."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._provider = Provider(settings)
        self._limit = LoginLimit(settings.logins_per_minute)

    def add_to(self, app: FastAPI) -> None:
        """Add the pages to *app*."""
        app.add_route("/login", self._login, ["GET"])
        app.add_route(CALLBACK, self._callback, ["GET"])
        app.add_route("/logout", self._logout, ["POST"])
        app.add_route("/signed-out", self._signed_out, ["GET"])

    async def _login(self, request: Request) -> Response:
        self._limit.spend(peer(request))
        return await self._provider.send_away(request)

    async def _callback(self, request: Request) -> Response:
        self._limit.spend(peer(request))
        return await self._provider.welcome(request)

    async def _logout(self, request: Request) -> Response:
        given = await form(request)
        csrf.check(request, given.get(csrf.FIELD, ""), self._settings.url)
        request.session.clear()
        root = request.scope.get("root_path", "").rstrip("/")
        return RedirectResponse(f"{root}/signed-out", HTTPStatus.SEE_OTHER)

    async def _signed_out(self, request: Request) -> Response:
        again = Notice(
            "note", "Signed out", "The provider may still know you.", "",
            (Button("Sign in", "/login"),),
        )  # fmt: skip
        page = Page("", "Signed out", (again,), live=False)
        return answers.page(page, request, None, self._settings)
