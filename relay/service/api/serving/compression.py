import re
from typing import Final

from starlette.datastructures import Headers
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

# Fast rather than small: it is done for each answer.
_LEVEL: Final = 3
_BYTES: Final = 1_000
_REFUSED: Final = re.compile(r"(?i)\bgzip\s*;\s*q=0(\.0*)?\s*(,|$)")


class Compression(GZipMiddleware):
    """Starlette's compression, but for clients that refuse it: it takes `gzip;q=0` for a wish."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(app, minimum_size=_BYTES, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102
        is_refused = scope["type"] == "http" and _REFUSED.search(
            ",".join(Headers(scope=scope).getlist("accept-encoding"))
        )
        await (
            self.app(scope, receive, send) if is_refused else super().__call__(scope, receive, send)
        )
