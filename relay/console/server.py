"""The console as a process."""

import logging
from functools import partial

import uvicorn

from relay.console.app import Console
from relay.service.api.serving.ending import end_on_signals
from relay.service.api.serving.listening import listen
from relay.service.api.serving.protocol import PatientProtocol
from relay.settings import Settings, SignIn

CLIENT_SECONDS = 10.0
DRAIN_SECONDS = 5

logger = logging.getLogger(__name__)


class _Server(uvicorn.Server):
    """Server that ends the streams of events first, or it would wait for them."""

    def __init__(self, config: uvicorn.Config, console: Console) -> None:
        super().__init__(config)
        self._console = console

    def handle_exit(self, sig: int, frame: object) -> None:
        self._console.live.end()
        super().handle_exit(sig, frame)  # type: ignore[arg-type]


def run(settings: Settings) -> int:
    """Serve the console until SIGTERM or SIGINT. Return 0.

    Raises:
        ConfigurationError: the port is taken.
    """
    console = Console(settings)
    listening = listen(settings.console.address, settings.console.port, "console", "RELAY_CONSOLE")
    config = uvicorn.Config(
        console.application(),
        http=partial(PatientProtocol, patience=CLIENT_SECONDS),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        # Whom the gate trusts is the address of the socket.
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    server = _Server(config, console)
    end_on_signals(server)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    logger.info("console at %s", settings.console.url or f"http://{shown}:{port}")
    if settings.console.sign_in is SignIn.LOOPBACK:
        logger.warning("nobody signs in: everybody on this machine may look")
    server.run(sockets=[listening])
    logger.info("stopped")
    return 0
