"""Request ids: taken over from the client or made here, answered, and in every log line."""

import logging
import re
from contextvars import ContextVar
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADER: Final = "X-Request-ID"

_ACCEPTED: Final = re.compile(r"[A-Za-z0-9._~+/=:-]{1,128}")
_current: Final[ContextVar[str | None]] = ContextVar("request_id", default=None)


class RequestIds:
    """ASGI middleware that gives each request an id. A client's own is kept if it is harmless."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _ACCEPTED.fullmatch(given) else uuid4().hex

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        token = _current.set(request_id)
        try:
            await self._app(scope, receive, naming)
        finally:
            _current.reset(token)


class RequestIdFilter(logging.Filter):
    """Adds the id of the request that a log line is about."""

    def filter(self, record: logging.LogRecord) -> bool:  # noqa: D102
        if (request_id := _current.get()) is not None:
            record.request_id = request_id
        return True
