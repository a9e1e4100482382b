"""The API as a process."""

import logging
import signal
import socket

import uvicorn

from relay.errors import ConfigurationError
from relay.service.api.app import Api
from relay.service.api.keys import KeySet, KeysUnavailableError
from relay.settings import ApiSettings, Settings

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Serve the API until SIGTERM or SIGINT; open requests get their answer. Return 0.

    Raises:
        ConfigurationError: the key set is a file without usable keys, or the port is taken.
    """
    _check_keys(settings.api)
    app = Api(settings).application()
    listening = _listen(settings.api)
    # Uvicorn raises the signal that stopped it once more when it is done: the end is no accident.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, round(settings.api.drain_budget_seconds)),
        )
    )
    host, port = listening.getsockname()[:2]
    logger.info("serving events on %s:%d", host, port)
    if not settings.api.authentication:
        logger.warning("authentication is off: everybody on this machine may see and add events")
    server.run(sockets=[listening])
    logger.info("stopped")
    return 0


def _check_keys(api: ApiSettings) -> None:
    """Refuse a file that cannot work; a URL may answer later, as a database may."""
    if not api.authentication or not api.jwks:
        return
    keys = KeySet(api.jwks, api.jwks_refresh_seconds)
    try:
        keys.load()
    except KeysUnavailableError as error:
        if keys.is_file:
            raise ConfigurationError([f"RELAY_API_JWKS: {error}"]) from None
        logger.warning("the key set RELAY_API_JWKS was not read, trying again: %s", error)


def _listen(api: ApiSettings) -> socket.socket:
    try:
        kind = socket.SOCK_STREAM
        family, *_, address = socket.getaddrinfo(api.address, api.port, type=kind)[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        fault = (
            f"the API cannot listen on {api.address}:{api.port} ({error.strerror}): set "
            "RELAY_API_PORT to a free port and RELAY_API_HOST to an address of this machine, or "
            "stop the program that has the port"
        )
        raise ConfigurationError([fault]) from None
