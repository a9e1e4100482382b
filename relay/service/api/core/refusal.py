"""Refusals: the neutral form of every error, which each face shows in its own way."""

import logging
import math
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import psycopg
from fastapi.exceptions import RequestValidationError
from psycopg_pool import PoolTimeout
from starlette.exceptions import HTTPException

from relay.errors import SchemaError
from relay.service.api.core import cursor
from relay.service.api.core.filter import NO_NUL, NO_NUL_NOR_COMMA

RETRY_SECONDS: Final = 5

logger = logging.getLogger(__name__)

# In place of pydantic's words, which quote a part of the input, or speak of Python's types.
_OWN_WORDS: Final = {
    "uuid": "It must be a UUID",
    "datetime": "It must be a time as in 2026-11-24T12:00:00Z",
    "timezone": "It must have a zone, as in 2026-11-24T12:00:00Z",
    "int": "It must be a whole number in digits alone, such as 100",
    "bool": "It must be true or false",
    "string_unicode": "It has half of a surrogate pair: send whole characters",
    "dict": "It must be a JSON object",
    "model": "It must be a JSON object, sent with Content-Type: application/json",
    "extra": "It is not known here",
    "missing": "It is needed",
}
_OF_PATTERNS: Final = {
    NO_NUL: "It may have no NUL character",
    NO_NUL_NOR_COMMA: "It may have no NUL character",
    cursor.PATTERN: "It must be the header Next-Cursor of the page before",
}
_LONGEST_NAME: Final = 40


class Fault(NamedTuple):
    """A part of a request, such as query.limit, and what it must be instead."""

    where: str
    fault: str


class Refusal(HTTPException):
    """Ends a request; *detail* tells the client what to do. Never repeats a value that was sent."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        faults: Iterable[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            headers = {"Retry-After": str(RETRY_SECONDS), **(headers or {})}
        super().__init__(status, detail, headers)
        self.faults = tuple(faults)


class CutOffError(Exception):
    """Ends the connection within an answer, so that nobody takes a part for the whole.

    The log has the cause already.
    """


def invalid(status: HTTPStatus, faults: Iterable[Fault]) -> Refusal:
    """Return the refusal of a request with these *faults*."""
    return Refusal(status, "The request is not valid: see faults", faults)


def retry_after(seconds: float) -> dict[str, str]:
    """Return the header that says when another try may work."""
    return {"Retry-After": str(max(1, math.ceil(seconds)))}


def refusal(error: Exception) -> Refusal:
    """Return what stands for *error*; what is no fault of the client is logged."""
    match error:
        case Refusal():
            return error
        case RequestValidationError():
            return invalid(HTTPStatus.UNPROCESSABLE_ENTITY, _faults(error.errors()))
        case HTTPException():
            status = HTTPStatus(error.status_code)
            return Refusal(status, _detail(status), headers=error.headers)
        case PoolTimeout() | psycopg.Error() | SchemaError():
            return Refusal(*_of_database(error))
        case CutOffError():
            return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "The answer was cut off")
        case _:
            # Without its message, which may quote a payload.
            logger.error("a request failed with %s", _place(error))
            return Refusal(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "An error that is not the client's; the log says more",
            )


def _detail(status: HTTPStatus) -> str:
    match status:
        case HTTPStatus.BAD_REQUEST:
            return "The body cannot be read: send one JSON object in UTF-8"
        case HTTPStatus.NOT_FOUND:
            return "There is nothing here"
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return "This method is not served here"
        case _:
            return status.description or status.phrase


def _faults(errors: Iterable[Mapping[str, Any]]) -> list[Fault]:
    """Name each place once: a value of the props fits none of several types."""
    found = {fault.where: fault for fault in map(_fault, errors)}
    return list(found.values())


def _fault(error: Mapping[str, Any]) -> Fault:
    kind = str(error["type"])
    own = next((words for start, words in _OWN_WORDS.items() if kind.startswith(start)), None)
    own = _OF_PATTERNS.get(error.get("ctx", {}).get("pattern"), own)
    place = [str(part) for part in error["loc"]]
    if kind.startswith("extra"):
        place[-1] = shown_name(place[-1])
    elif "props" in place[:-1]:
        # A name in there that the client made up may itself be a secret.
        place = place[: place.index("props") + 1]
        own = (
            "A name or value in it cannot be stored: a NUL character, half of a surrogate pair, "
            "NaN, an infinite number, or too many levels"
        )
    return Fault(".".join(place), own or str(error["msg"]).removeprefix("Value error, "))


def shown_name(name: str) -> str:
    """Return the *name* of a parameter as an answer shows it: cut, and in one line."""
    printable = "".join(c if c.isascii() and c.isprintable() else "?" for c in name)
    return printable if len(name) <= _LONGEST_NAME else f"{printable[:_LONGEST_NAME]}…"


def _of_database(error: Exception) -> tuple[HTTPStatus, str]:
    match error:
        case psycopg.errors.QueryCanceled():
            slow = "The database took too long: narrow the filter or the limit"
            return HTTPStatus.SERVICE_UNAVAILABLE, slow
        case psycopg.DataError():
            return (
                HTTPStatus.UNPROCESSABLE_ENTITY,
                "The database cannot store or compare a value of the request",
            )
        case psycopg.Error() if error.diag.message_primary:
            said = error.diag.message_primary
        case _:
            said = type(error).__name__
    logger.warning("a request failed: the database cannot be used: %s", said)
    return (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "The database cannot be used at the moment: try again later",
    )


def _place(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"
