"""Forms of requests, bounded in bytes."""

from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from relay.console.access.refusals import Refusal, invalid

MAX_BYTES: Final = 1 << 16
MAX_FIELDS: Final = 20


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form.

    Raises:
        Refusal: 413, it is too large; 400, it is none.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BYTES:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The form is too large.")
    try:
        text = body.decode()
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise invalid("The form cannot be read.") from None
