"""Fetching a key set from a URL, bounded in time and bytes."""

import time
import urllib.request
from http.client import HTTPMessage
from typing import IO, Final

FETCH_SECONDS: Final = 5.0
MAX_BYTES: Final = 1 << 20


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Refuses to be led from https to http: there the keys could be swapped on the way."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if req.type == "https" and not newurl.startswith("https://"):
            raise OSError("it redirects from https to http")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER: Final = urllib.request.build_opener(_NoDowngrade)


def get(url: str) -> bytes:
    """Return what is behind *url*.

    Raises:
        OSError: nothing answers in time.
        ValueError: the answer is too large.
    """
    deadline = time.monotonic() + FETCH_SECONDS
    parts: list[bytes] = []
    size = 0
    with _OPENER.open(url, timeout=FETCH_SECONDS) as answer:
        while part := answer.read1(1 << 16):
            parts.append(part)
            size += len(part)
            if size > MAX_BYTES:
                raise ValueError(f"it is larger than {MAX_BYTES} bytes")
            # The timeout of a socket begins anew with each byte.
            if time.monotonic() > deadline:
                raise TimeoutError("it did not arrive in time")
    return b"".join(parts)
