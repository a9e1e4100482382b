"""Liveness: the health check of a container."""

import urllib.error
import urllib.request
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from relay.errors import RelayError

ANSWER_SECONDS: Final = 3.0
# Addresses to listen on that are none to connect to.
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


class NotAliveError(RelayError):
    """Nothing answers, or the process that answers says that it hangs."""


def ask(addresses: Sequence[tuple[str, int]]) -> str:
    """Return the answer of /livez at the first of *addresses* (host, port) where a process listens.

    Raises:
        NotAliveError: the reason, in the process's own words where it answers.
    """
    pages = [_page(host, port) for host, port in addresses]
    for page in pages:
        with suppress(ConnectionRefusedError):
            return _answer(page)
    raise NotAliveError(
        f"nothing listens on {' or '.join(pages)}: is `relay run`, `relay api` or `relay console` "
        "running?"
    )


def _page(host: str, port: int) -> str:
    return f"http://{_EVERYWHERE.get(host, host)}:{port}/livez"


def _answer(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:  # noqa: S310 - http
            return str(answer.read().decode().strip())
    except urllib.error.HTTPError as error:
        with error:
            raise NotAliveError(f"{url}: {error.read().decode().strip()}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ConnectionRefusedError):
            raise reason from None
        raise NotAliveError(f"{url} does not answer: {reason}") from None
