"""Answers: a page as the client asks for it, and a refusal as a page."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from relay.console import plain
from relay.console.access import csrf
from relay.console.access.person import Person
from relay.console.access.refusals import Refusal, SignInNeededError
from relay.console.content import Button, Notice, Page
from relay.console.rendering import Frame, html
from relay.errors import DatabaseUnavailableError, RelayError, SchemaError
from relay.settings import ConsoleSettings, SignIn

RETRY_SECONDS = "5"


def page(
    shown: Page, request: Request, person: Person | None, settings: ConsoleSettings
) -> Response:
    """Return *shown* as HTML, or as text where the client asks for that."""
    headers = {"Vary": "Accept, Cookie"}
    if shown.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = RETRY_SECONDS
    if wants_text(request):
        return PlainTextResponse(plain.text(shown), shown.status, headers)
    frame = Frame(
        person=person,
        root=request.scope.get("root_path", "").rstrip("/"),
        path=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        csrf=csrf.token(request) if person else "",
        note=str(request.session.pop("note", "")) if person else "",
        may_sign_out=person is not None and settings.sign_in is SignIn.OIDC,
    )
    return HTMLResponse(html(shown, frame), shown.status, headers)


def wants_text(request: Request) -> bool:
    """Tell whether the client prefers text to HTML."""
    accepted = request.headers.get("accept", "")
    return "text/plain" in accepted and "text/html" not in accepted


def signed_out(error: SignInNeededError, login: str) -> Page:
    """Return the page for somebody who has to sign in, at *login*, before that is done."""
    button = Button("Sign in", login)
    notice = Notice("note", "You are signed out", f"{error} Nothing was changed.", "", (button,))
    return Page("", "Sign in", (notice,), status=error.status.value, live=False)


def refused(error: Exception) -> Page:
    """Return the page about *error*; what nobody meant to raise is told without its words."""
    match error:
        case Refusal():
            return _page(error.status, error.status.phrase, str(error))
        case DatabaseUnavailableError():
            away = HTTPStatus.SERVICE_UNAVAILABLE
            return _page(away, "The database is away", str(error), live=True)
        case SchemaError():
            status = HTTPStatus.SERVICE_UNAVAILABLE
            return _page(status, "The outbox cannot be read", str(error), live=True)
        case RelayError():
            return _page(HTTPStatus.CONFLICT, "That cannot be done", str(error))
        case HTTPException():
            status = HTTPStatus(error.status_code)
            text = "There is no such page." if status is HTTPStatus.NOT_FOUND else status.phrase
            return _page(status, status.phrase, f"{text} The menu has every screen.")
    return _page(
        HTTPStatus.INTERNAL_SERVER_ERROR, "Something broke", "The log of the console says what."
    )


def _page(status: HTTPStatus, title: str, text: str, *, live: bool = False) -> Page:
    notice = Notice("bad", title, text)
    return Page("", title, (notice,), status=status.value, live=live)
