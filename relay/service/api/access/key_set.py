import asyncio
import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from relay.service.api.access import fetching
from relay.service.api.access.keys import Key, Keys, KeysUnavailableError, parsed

PAUSE_SECONDS: Final = 5.0
"""Between two readings that requests ask for; also between a failed reading and the next."""

WAIT_SECONDS: Final = 1.0
_MISSING_MAX: Final = 1_000

logger = logging.getLogger(__name__)


class KeySet:
    """A JWKS from a file or URL, read again in the background. Thread-safe.

    Requests read nothing themselves: PyJWT's own client fetches within the request, under one
    lock, so that an issuer which hangs would stop the API.
    """

    def __init__(
        self, source: str, refresh_seconds: float, pause_seconds: float = PAUSE_SECONDS
    ) -> None:
        self._source = source
        self._refresh_seconds = refresh_seconds
        self._pause_seconds = min(pause_seconds, refresh_seconds)
        self._keys = Keys(())
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._stopping = False
        self._missing: set[str | None] = set()
        self._asked_at = float("-inf")
        self._reading: Future[None] = Future()

    @property
    def is_file(self) -> bool:
        """True if it needs nothing but this machine."""
        return "://" not in self._source

    @property
    def is_known(self) -> bool:
        """True once a key set was read."""
        return bool(self._keys.keys)

    def start(self) -> None:
        """Begin to read in the background; a file is read at once."""
        self._stopping = False
        if self.is_file:
            self._attempt()
        threading.Thread(target=self._run, name="key set", daemon=True).start()

    def stop(self) -> None:
        """Read no more. Waits for nobody: the thread may hang in a request to the issuer."""
        self._stopping = True
        self._wake.set()

    def load(self) -> None:
        """Read the key set.

        Raises:
            KeysUnavailableError: it cannot be read, or holds no usable key; the old one stays.
        """
        try:
            text = Path(self._source).read_bytes() if self.is_file else fetching.get(self._source)
        except (OSError, ValueError) as error:
            raise KeysUnavailableError(_reason(error)) from None
        self._keys = parsed(text)

    async def find(self, kid: str | None) -> tuple[Key, ...]:
        """Return the keys that a token with this *kid* may be signed with.

        An unknown one has the set read again, once, and waits for it for a second at most.

        Raises:
            KeysUnavailableError: no key set could be read so far.
        """
        found = self._keys.named(kid)
        if not found and (reading := self._ask(kid)):
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(reading), WAIT_SECONDS)
            found = self._keys.named(kid)
        if not self.is_known:
            raise KeysUnavailableError("no key set could be read so far")
        return found

    def _ask(self, kid: str | None) -> Future[None] | None:
        """Have the set read for *kid*; None where that was done, or another one was just read."""
        with self._lock:
            now = time.monotonic()
            if kid in self._missing or len(self._missing) >= _MISSING_MAX:
                return None
            if now - self._asked_at < self._pause_seconds:
                return None
            self._asked_at = now
            self._missing.add(kid)
            # A future of its own for each waiter: one that gives up cancels it.
            waiter: Future[None] = Future()
            self._reading.add_done_callback(partial(_tell, waiter))
            self._wake.set()
            return waiter

    def _run(self) -> None:
        if not self.is_file:
            self._attempt()
        while not self._stopping:
            pause = self._refresh_seconds if self.is_known else self._pause_seconds
            if not self._wake.wait(pause):
                self._missing.clear()
            self._wake.clear()
            if not self._stopping:
                self._attempt()

    def _attempt(self) -> None:
        with self._lock:
            reading, self._reading = self._reading, Future()
        try:
            self.load()
        except KeysUnavailableError as error:
            logger.warning("the key set RELAY_API_JWKS was not read: %s", error)
        finally:
            reading.set_result(None)


def _tell(waiter: Future[None], _: Future[None]) -> None:
    if waiter.set_running_or_notify_cancel():
        waiter.set_result(None)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return str(error.strerror or getattr(error, "reason", "") or error)
    return str(error)
