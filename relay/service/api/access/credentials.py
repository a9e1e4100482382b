"""The token of a request, wherever a face allows it to be."""

from typing import Final

from starlette.requests import Request

API_KEY: Final = "api_key"
"""Query parameter of the existing service's links. Such a URL must never reach a log."""

_SCHEME: Final = "bearer "


def bearer(request: Request) -> str | None:
    """Return the token of `Authorization: Bearer …`."""
    value = request.headers.get("authorization", "")
    return value[len(_SCHEME) :].strip() if value[: len(_SCHEME)].lower() == _SCHEME else None


def any_credential(request: Request) -> str | None:
    """Return the token as the existing service's clients send it, with or without a scheme."""
    if value := request.headers.get("authorization"):
        return bearer(request) or value.strip()
    return request.headers.get("watcher-authorization") or request.query_params.get(API_KEY)
