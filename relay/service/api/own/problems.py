"""Errors as application/problem+json (RFC 9457). None repeats a value that the client sent."""

from http import HTTPStatus
from typing import Any, Final

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from relay.service.api.core.count_headers import described
from relay.service.api.core.refusal import Refusal

MEDIA_TYPE: Final = "application/problem+json"


class Fault(BaseModel):
    """Fault of one part of a request."""

    where: str = Field(description="the part, such as query.limit")
    fault: str = Field(description="what it must be instead")


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    faults: list[Fault] | None = None


def problem(refusal: Refusal, _: Request) -> Response:
    """Return *refusal* as a problem."""
    faults = [Fault(where=each.where, fault=each.fault) for each in refusal.faults]
    details = ProblemDetails(
        title=HTTPStatus(refusal.status_code).phrase,
        status=refusal.status_code,
        detail=refusal.detail,
        faults=faults or None,
    )
    return JSONResponse(
        details.model_dump(exclude_none=True),
        status_code=refusal.status_code,
        headers=dict(refusal.headers or {}),
        media_type=MEDIA_TYPE,
    )


_RETRY: Final = {"Retry-After": described("Seconds until another try may work", "integer")}
_DESCRIPTIONS: Final = {
    400: "The body cannot be read, or something is given twice or out of bounds",
    401: "There is no valid token",
    403: "The token belongs to nobody who may do this",
    404: "There is no such event, cluster or infra-env, or the token may not see it",
    408: "The body did not arrive in time",
    409: "Another event was added with this key",
    413: "The body is too large",
    422: "The request is not valid",
    429: "The name of the event has a rate limit, and another one was just added",
    503: "The database or the key set cannot be used at the moment",
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI responses of these errors."""
    schema = ProblemDetails.model_json_schema()
    return {
        status: {
            "description": _DESCRIPTIONS[status],
            "content": {MEDIA_TYPE: {"schema": schema}},
            **({"headers": _RETRY} if status in {429, 503} else {}),
        }
        for status in statuses
    }
