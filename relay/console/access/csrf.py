"""Proof that a form was sent by a page of ours: a token in it, and in the signed cookie."""

import secrets
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request

from relay.console.access.refusals import forbidden

FIELD: Final = "csrf"
_OURS: Final = frozenset({"same-origin", "none"})


def token(request: Request) -> str:
    """Return the token of the session, made when it is first asked for."""
    if FIELD not in request.session:
        request.session[FIELD] = secrets.token_urlsafe(32)
    return str(request.session[FIELD])


def check(request: Request, given: str, url: str | None) -> None:
    """Make sure that the form was sent by a page of ours; *url*: where browsers find those.

    Raises:
        Refusal: 403, another site sent it, or the form is older than the session.
    """
    origin = request.headers.get("origin")
    # A proxy may have changed the host.
    ours = {request.headers.get("host"), urlsplit(url or "").netloc}
    foreign = origin is not None and urlsplit(origin).netloc not in ours
    if foreign or request.headers.get("sec-fetch-site", "none") not in _OURS:
        raise forbidden("Another site sent this form; nothing was changed.")
    expected = request.session.get(FIELD)
    if not expected or not secrets.compare_digest(str(expected), given):
        raise forbidden("This form is too old; nothing was changed. Open it again.")
