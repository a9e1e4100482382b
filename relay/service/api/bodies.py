"""A limit on what a client may send, before anything reads it."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES: Final = 1 << 20


class Bounded:
    """ASGI middleware that ends a request whose body is too large."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        received = 0

        async def counting() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > MAX_BYTES:
                # Raised where the body is read, so the route answers it like any other error.
                raise HTTPException(413)
            return message

        await self._app(scope, counting if scope["type"] == "http" else receive, send)
