"""The API as a process, or as several."""

import logging
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import wait
from pathlib import Path
from typing import Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from relay import logs, settings
from relay.errors import ConfigurationError
from relay.service.api.access.key_set import KeySet
from relay.service.api.access.keys import KeysUnavailableError
from relay.service.api.app import Api
from relay.service.api.serving.ending import end_on_signals, log_no_cut_off_answers
from relay.service.api.serving.listening import listen
from relay.service.api.serving.memory import return_large_blocks
from relay.service.api.serving.metrics import SHARED
from relay.service.api.serving.protocol import PatientProtocol
from relay.service.api.serving.request_ids import RequestIdFilter
from relay.settings import ApiSettings, Settings

_WORKER: Final = f"{__name__}:worker"
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - only a directory of our own is made in it

logger = logging.getLogger(__name__)


def run(settings: Settings) -> int:
    """Serve the API until SIGTERM or SIGINT; open requests get their answer. Return 0.

    Raises:
        ConfigurationError: a key cannot be used, or the port is taken.
    """
    _check_keys(settings.api)
    app = Api(settings).application()
    listening = listen(settings.api.address, settings.api.port, "API", "RELAY_API")
    server = uvicorn.Server(_config(settings.api, app))
    end_on_signals(server)
    host, port = listening.getsockname()[:2]
    logger.info("serving events on %s:%d", f"[{host}]" if ":" in host else host, port)
    if not settings.api.authentication:
        logger.warning("authentication is off: everybody on this machine may see and add events")
    if settings.api.workers > 1:
        with _shared_metrics():
            config = _config(settings.api, _WORKER, workers=settings.api.workers)
            Multiprocess(config, sockets=[listening]).run()
    else:
        _prepare_process()
        server.run(sockets=[listening])
    logger.info("stopped")
    return 0


def worker() -> ASGIApp:
    """Return the application of one of several processes; its settings are the environment's."""
    loaded = settings.load(database=True, stream=True, api=True)
    logs.configure(loaded.log.level, loaded.log.format)
    log_no_cut_off_answers()
    _prepare_process()
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    return Api(loaded).application()


def _config(api: ApiSettings, app: ASGIApp | str, workers: int = 1) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        workers=workers,
        http=partial(PatientProtocol, patience=api.client_timeout_seconds),  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=max(1, round(api.drain_budget_seconds)),
    )


def _prepare_process() -> None:
    """Have every log line of this process name its request, and large blocks go back."""
    return_large_blocks()
    for handler in logging.getLogger().handlers:
        handler.addFilter(RequestIdFilter())


def _end_with_parent() -> None:
    """Stop as on SIGTERM when the parent is gone, or the port would stay taken."""
    if parent := multiprocessing.parent_process():
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """Give the workers a directory to count in: below TMPDIR if it is set, else in memory."""
    where = _MEMORY if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) else None
    try:
        directory = tempfile.TemporaryDirectory(prefix="outbox-api-", dir=where)
    except OSError:
        raise ConfigurationError(
            ["RELAY_API_WORKERS needs a directory for their metrics: set TMPDIR to a writable one"]
        ) from None
    with directory as path:
        os.environ[SHARED] = path
        try:
            yield
        finally:
            del os.environ[SHARED]


def _check_keys(api: ApiSettings) -> None:
    """Refuse a file that cannot work; a URL may answer later, as a database may."""
    if not api.authentication or not api.jwks:
        return
    keys = KeySet(api.jwks, api.jwks_refresh_seconds)
    if not keys.is_file:
        return
    try:
        keys.load()
    except KeysUnavailableError as error:
        raise ConfigurationError([f"RELAY_API_JWKS: {error}"]) from None
