"""Watch: looks at the outbox in the background while somebody reads, for all readers at once.

So a page costs the same whatever waits, and many readers cost the database no more than one.
"""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from relay.console.database import AGAIN, Database
from relay.database import schema
from relay.errors import DatabaseUnavailableError, RelayError
from relay.operations import outlook, rights, samples, shards
from relay.operations.outlook import Outlook
from relay.operations.rights import Rights
from relay.operations.samples import Sample
from relay.operations.shards import ShardState

# Nobody has asked for so long: nobody reads.
IDLE_SECONDS: Final = 30.0
# A tenth of the time at most is spent looking.
PAUSE_PARTS: Final = 10
WAIT_SECONDS: Final = 12.0
REFRESH_SECONDS: Final = 5.0
# For the next look, before the last one is shown with its age.
GLANCE_SECONDS: Final = 0.05

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Look:
    """State of the outbox at one moment. *is_old*: a newer one is under way."""

    at: datetime
    outlook: Outlook
    rights: Rights
    shards: Sequence[ShardState]
    samples: Sequence[Sample]
    is_old: bool = False


@dataclass(frozen=True)
class _Published:
    """A look, or the reason why there is none. *begun*: by this machine's clock."""

    number: int = 0
    begun: float = float("-inf")
    found: Look | RelayError | None = None


class Watch:
    """The latest look: an immutable value that one thread publishes and others read."""

    def __init__(self, database: Database, seconds: float) -> None:
        self._database = database
        self._seconds = seconds
        self._latest = _Published()
        self._asked = float("-inf")
        self._again = threading.Event()
        self._published = threading.Condition()
        self._stopping = False
        # After the latest look: in it none begins, unless somebody comes.
        self._pause = 0.0

    def start(self) -> None:
        """Begin to look, as soon as somebody asks."""
        self._stopping = False
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def stop(self) -> None:
        """Look no more. Waits for nobody: a query may hang."""
        self._stopping = True
        self._again.set()

    @property
    def number(self) -> int:
        """The number of the latest look."""
        return self._latest.number

    def attend(self) -> None:
        """Go on looking: somebody still reads."""
        was_idle = time.monotonic() - self._asked > IDLE_SECONDS
        self._asked = time.monotonic()
        if was_idle:
            self._again.set()

    def latest(self, *, waits: bool = False) -> Look:
        """Return the latest look, however old where the next is not there soon.

        *waits*: for the next one, where the last is old, as everybody does for the first.

        Raises:
            RelayError: the outbox cannot be looked at.
        """
        asked = time.monotonic()
        self.attend()
        # The next may be as long under way as pauses last, where a look takes long.
        oldest = asked - max(3 * self._seconds, IDLE_SECONDS / 3, 2 * self._pause)
        is_there = isinstance(self._latest.found, Look)
        self._wait_for(oldest, GLANCE_SECONDS if is_there and not waits else WAIT_SECONDS)
        latest = self._latest
        if isinstance(latest.found, Look):
            return replace(latest.found, is_old=latest.begun < oldest)
        raise latest.found or DatabaseUnavailableError("PostgreSQL takes long to answer. " + AGAIN)

    def refresh(self) -> None:
        """Look again now, and wait for it: something was changed."""
        self._asked = changed = time.monotonic()
        self._again.set()
        self._wait_for(changed, REFRESH_SECONDS)

    def _wait_for(self, begun: float, seconds: float) -> None:
        """Wait for a look that began then, or later."""
        with self._published:
            self._published.wait_for(lambda: self._latest.begun >= begun, seconds)

    def _run(self) -> None:
        while not self._stopping:
            pause: float | None = None
            begun = time.monotonic()
            if begun - self._asked <= IDLE_SECONDS:
                found = self._look()
                pause = max(self._seconds, PAUSE_PARTS * (time.monotonic() - begun))
                self._pause = pause
                self._publish(begun, found)
            self._again.wait(pause)
            self._again.clear()

    def _look(self) -> Look | RelayError:
        try:
            with self._database.connection() as connection:
                schema.verify(connection)
                return Look(
                    at=datetime.now(UTC),
                    outlook=outlook.look(connection),
                    rights=rights.of(connection),
                    shards=shards.read(connection),
                    samples=samples.read(connection),
                )
        except RelayError as error:
            return error
        except Exception:
            log.exception("the outbox could not be looked at")
            return RelayError("The outbox could not be looked at: the log of the console says why.")

    def _publish(self, begun: float, found: Look | RelayError) -> None:
        with self._published:
            self._latest = _Published(self._latest.number + 1, begun, found)
            self._published.notify_all()
