"""Errors as the existing service's clients read them. Generated ones lose any other form."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from relay.service.api.core.count_headers import described
from relay.service.api.core.refusal import Refusal

_OF_TOKENS: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class Error(BaseModel):
    """An error, other than of a token."""

    kind: str = "Error"
    id: int = Field(description="the status")
    href: str = Field(description="the path that was asked")
    code: str = Field(description="the status, as a text")
    reason: str


class InfraError(BaseModel):
    """An error of a token."""

    code: int = Field(description="the status")
    message: str


def error(refusal: Refusal, request: Request) -> Response:
    """Return *refusal* in the existing service's form, which knows no 422."""
    status = HTTPStatus(refusal.status_code)
    if status is HTTPStatus.UNPROCESSABLE_ENTITY:
        status = HTTPStatus.BAD_REQUEST
    reason = "; ".join(f"{each.where}: {each.fault}" for each in refusal.faults) or refusal.detail
    shown = (
        InfraError(code=status, message=reason)
        if status in _OF_TOKENS
        else Error(id=status, href=request.url.path, code=str(status.value), reason=reason)
    )
    return JSONResponse(shown.model_dump(), status, dict(refusal.headers or {}))


_RETRY: Final = {"Retry-After": described("Seconds until another try may work", "integer")}
_DESCRIPTIONS: Final = {
    400: "A parameter or the body is not valid; the reason names it",
    401: "There is no valid token",
    403: "The token belongs to nobody who may do this",
    404: "There is no such cluster or infra-env, or the token may not see it",
    408: "The body did not arrive in time",
    413: "The body is too large",
    429: "The name of the event has a rate limit, and another one was just added",
    503: "The database or the key set cannot be used at the moment",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these errors."""
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "model": InfraError if status in _OF_TOKENS else Error,
            **({"headers": _RETRY} if status in {429, 503} else {}),
        }
        for status in statuses
    }
