"""Requests whose body is bounded in bytes and time, and read without ambiguity."""

import asyncio
import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote, unquote_to_bytes

from starlette.requests import Request

from relay.service.api.core.refusal import Fault, Refusal, invalid, shown_name

MAX_BYTES: Final = 1 << 20
_SINGLE_HEADERS: Final = ("authorization", "watcher-authorization", "idempotency-key")
_NO_UTF_8: Final = "It must be UTF-8 in percent-encoding"
_UNREADABLE: Final[dict[type[Exception], str]] = {
    UnicodeDecodeError: "It must be JSON in UTF-8",
    RecursionError: "It has too many levels",
}
# The rest of such a body is not read.
_CLOSE: Final = {"Connection": "close"}


class BoundedRequest(Request):
    """A request whose body must arrive within *seconds*."""

    def __init__(self, request: Request, seconds: float) -> None:
        super().__init__(request.scope, request.receive)
        self._seconds = seconds

    async def body(self) -> bytes:
        """Return the whole body.

        Raises:
            Refusal: 408, it does not arrive in time; 413, it is too large.
        """
        if not hasattr(self, "_body"):
            try:
                self._body = await asyncio.wait_for(self._bounded(), self._seconds)
            except TimeoutError:
                raise Refusal(
                    HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time", headers=_CLOSE
                ) from None
        return self._body

    async def json(self) -> Any:  # noqa: ANN401 - whatever JSON is
        """Return the body as JSON in UTF-8, in which no name is given twice.

        Raises:
            Refusal: 400 or 422, it is something else.
        """
        if self.headers.get("content-encoding", "identity").lower() != "identity":
            packed = Fault("header.content-encoding", "The body must be sent without compression")
            raise invalid(HTTPStatus.BAD_REQUEST, [packed])
        try:
            text = (await self.body()).decode("utf-8-sig")
            return json.loads(text, object_pairs_hook=_unambiguous)
        except json.JSONDecodeError as error:
            fault = f"It must be valid JSON, and is not at character {error.pos}"
            raise invalid(HTTPStatus.UNPROCESSABLE_ENTITY, [Fault("body", fault)]) from None
        except (ValueError, RecursionError) as error:
            fault = _UNREADABLE.get(type(error), "A number in it has too many digits")
            raise invalid(HTTPStatus.BAD_REQUEST, [Fault("body", fault)]) from None

    async def _bounded(self) -> bytes:
        parts = bytearray()
        async for part in self.stream():
            parts += part
            if len(parts) > MAX_BYTES:
                raise Refusal(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"The body is larger than {MAX_BYTES} bytes",
                    headers=_CLOSE,
                )
        return bytes(parts)


def refuse_ambiguous(request: Request, lists: frozenset[str]) -> None:
    """Make sure that all is text in UTF-8, and given once: parties on the way could read either.

    *lists*: the query parameters that may be repeated.

    Raises:
        Refusal: 400, with the names.
    """
    names = [name for name, _ in request.query_params.multi_items() if name not in lists]
    headers = [name for name in request.headers if name in _SINGLE_HEADERS]
    faults = [
        *(Fault(f"query.{shown_name(name)}", _NO_UTF_8) for name in _garbled(request)),
        *(Fault(f"query.{shown_name(name)}", "It is given twice") for name in _twice(names)),
        *(Fault(f"header.{name}", "It is given twice") for name in _twice(headers)),
    ]
    if faults:
        raise invalid(HTTPStatus.BAD_REQUEST, faults)


def _garbled(request: Request) -> list[str]:
    """Return the parameters that are not UTF-8: Starlette reads other characters there."""
    parts: list[bytes] = request.scope["query_string"].split(b"&")
    return [unquote(part.partition(b"=")[0]) for part in parts if not _is_text(part)]


def _is_text(part: bytes) -> bool:
    try:
        unquote_to_bytes(part).decode()
    except UnicodeDecodeError:
        return False
    return part.isascii()


def _twice(names: Sequence[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = _twice([name for name, _ in pairs])
        faults = [Fault(f"body.{shown_name(name)}", "It is given twice") for name in twice]
        raise invalid(HTTPStatus.BAD_REQUEST, faults)
    return found
