"""Locks of a migration: one at a time, and none that makes a writer wait for long."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from psycopg import errors
from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from relay.database import queries
from relay.database.session import Connection, connected
from relay.errors import RelayError

# Whoever writes to the outbox waits behind a waiting migration, and so at most this long.
LOCK_TIMEOUT_MS: Final = 100
RETRY_FIRST_SECONDS: Final = 0.2
RETRY_MAX_SECONDS: Final = 5.0
# An index on a large table of events takes its time.
PATIENCE_SECONDS: Final = 3600.0

logger = logging.getLogger(__name__)


def retried(connection: Connection, step: Callable[[], None], wait_seconds: float) -> None:
    """Do *step* until its locks are to be had.

    Raises:
        RelayError: they were not for *wait_seconds*.
    """
    retrying = Retrying(
        retry=retry_if_exception_type((errors.LockNotAvailable, errors.DeadlockDetected)),
        wait=wait_random_exponential(RETRY_FIRST_SECONDS, max=RETRY_MAX_SECONDS),
        stop=stop_after_delay(wait_seconds),
        before_sleep=_warn_of(connection),
    )
    try:
        retrying(step)
    except RetryError:
        raise RelayError(
            f"The outbox tables could not be locked within {wait_seconds:g} s. "
            f"{_blockers(connection)} Wait until they have ended, or end them, and run "
            "`relay migrate` again: it goes on where it stopped."
        ) from None


@contextmanager
def alone(conninfo: str, wait_seconds: float) -> Iterator[None]:
    """Let no other migration run meanwhile.

    By a lock in a transaction of a second connection: what is built CONCURRENTLY may not be in one,
    and a pooler would forget the lock of a session.

    Raises:
        RelayError: another one has not ended for *wait_seconds*.
    """
    with (
        connected(conninfo, "relay migrate", PATIENCE_SECONDS) as connection,
        connection.transaction(),
        connection.cursor() as cursor,
    ):
        milliseconds = str(max(1, int(wait_seconds * 1000)))
        cursor.execute(queries.LOCK_TIMEOUT, {"milliseconds": milliseconds})
        cursor.execute(queries.NO_IDLE_TIMEOUT)
        try:
            cursor.execute(queries.MIGRATION_LOCK)
        except errors.LockNotAvailable:
            raise RelayError(
                f"Another `relay migrate` has not ended within {wait_seconds:g} s, and nothing was "
                "changed: wait for it, and run this again."
            ) from None
        yield


def _warn_of(connection: Connection) -> Callable[[RetryCallState], None]:
    def warn(state: RetryCallState) -> None:
        pause = state.next_action.sleep if state.next_action else 0
        logger.warning(
            "the outbox tables are in use, trying again in %.1f s. %s",
            pause,
            _blockers(connection),
        )

    return warn


def _blockers(connection: Connection) -> str:
    rows = connection.execute(queries.BLOCKERS).fetchall()
    named = ", ".join(
        f"{pid} ({application or 'no application_name'})" for pid, application in rows
    )
    return f"Transactions that use them, by process id: {named or 'none any more'}."
