"""Errors as application/problem+json (RFC 9457). None repeats what the client sent."""

import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final

import psycopg
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from psycopg_pool import PoolTimeout
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE: Final = "application/problem+json"

logger = logging.getLogger(__name__)

# pydantic's own words for these quote a part of the input.
_OWN_WORDS: Final = {
    "uuid": "It must be a UUID",
    "datetime": "It must be a time as in 2026-11-24T12:00:00Z",
    "timezone": "It needs a zone, as in 2026-11-24T12:00:00Z",
    "json": "It must be valid JSON",
    "extra": "It is not known here",
}
_LONGEST_NAME: Final = 40


class Fault(BaseModel):
    """What is wrong with one part of a request."""

    where: str = Field(description="the part, such as query.limit")
    fault: str = Field(description="what it must be instead")


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 describes it."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    faults: list[Fault] | None = None


class Problem(Exception):  # noqa: N818 - it is what the client gets
    """Ends a request with *status*; *detail* tells the client what to do."""

    def __init__(
        self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


class ProblemRoute(APIRoute):
    """A route whose every error is a problem, whichever application it is part of."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:  # noqa: D102
        handle = super().get_route_handler()

        async def handle_or_explain(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:  # noqa: BLE001 - the last place that can answer
                return explained(error)

        return handle_or_explain


def explained(error: Exception) -> Response:
    """Return the answer that stands for *error*; what is no fault of the client is logged."""
    match error:
        case Problem():
            return _answer(error.status, error.detail, headers=error.headers)
        case RequestValidationError():
            return _answer(422, "The request is not valid: see faults", _faults(error.errors()))
        case HTTPException():
            return _answer(error.status_code, _detail(error), headers=error.headers)
        case PoolTimeout() | psycopg.Error():
            return _answer(*_of_database(error))
        case _:
            # Without its message, which may quote a payload.
            logger.error("a request failed with %s", _place(error))
            return _answer(500, "An error that is not the client's; the log says more")


def _answer(
    status: int,
    detail: str,
    faults: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = ProblemDetails(
        title=HTTPStatus(status).phrase, status=status, detail=detail, faults=faults
    )
    return JSONResponse(
        problem.model_dump(exclude_none=True),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA_TYPE,
    )


def _detail(error: HTTPException) -> str:
    match error.status_code:
        case 400:
            return "The body cannot be read: send one JSON object in UTF-8"
        case 404:
            return "There is nothing here"
        case 405:
            return "This method is not served here"
        case _:
            return HTTPStatus(error.status_code).description


def _faults(errors: Iterable[Mapping[str, Any]]) -> list[Fault]:
    """Name each place once: a value of the props fits none of several types."""
    found = {fault.where: fault for fault in map(_fault, errors)}
    return list(found.values())


def _fault(error: Mapping[str, Any]) -> Fault:
    """Name the place and the rule. A name that the client made up may itself be a secret."""
    kind = str(error["type"])
    own = next((words for start, words in _OWN_WORDS.items() if kind.startswith(start)), None)
    place = [str(part) for part in error["loc"]]
    if kind.startswith("extra"):
        place[-1] = "(unknown)"
    elif "props" in place[:-1]:
        place = place[: place.index("props") + 1]
        own = "A name or value in it is not JSON that can be stored: a NUL character, or NaN"
    where = ".".join(part for part in place if len(part) <= _LONGEST_NAME)
    return Fault(where=where, fault=own or str(error["msg"]).removeprefix("Value error, "))


def _of_database(error: Exception) -> tuple[int, str]:
    match error:
        case psycopg.errors.QueryCanceled():
            return 503, "The database took too long: narrow the filter or the limit"
        case psycopg.DataError():
            return 422, "The database cannot store or compare a value of the request"
        case psycopg.Error() if error.diag.message_primary:
            said = error.diag.message_primary
        case _:
            said = type(error).__name__
    logger.warning("a request failed: the database cannot be used: %s", said)
    return 503, "The database cannot be used at the moment: try again later"


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"
