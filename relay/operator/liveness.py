"""Asking a running relay for its own word, as the health check of a container does."""

import urllib.error
import urllib.request
from typing import Final

from relay.errors import RelayError
from relay.settings import RelaySettings

ANSWER_SECONDS: Final = 3.0
# Addresses to listen on that are none to connect to.
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104


class NotAliveError(RelayError):
    """Nothing answers, or what answers says that it hangs."""


def ask(settings: RelaySettings) -> str:
    """Return what /livez of the relay with these *settings* says.

    Raises:
        NotAliveError: the reason, in the relay's words where it answers.
    """
    host = _EVERYWHERE.get(settings.metrics_host, settings.metrics_host)
    url = f"http://{host}:{settings.metrics_port}/livez"
    try:
        with urllib.request.urlopen(url, timeout=ANSWER_SECONDS) as answer:
            return str(answer.read().decode().strip())
    except urllib.error.HTTPError as error:
        with error:
            raise NotAliveError(f"{url}: {error.read().decode().strip()}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise NotAliveError(f"{url} does not answer ({reason}): is `relay run` running?") from None
