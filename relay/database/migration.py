import logging
from collections.abc import Callable
from importlib import resources

import psycopg
from psycopg import errors
from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from relay.database import queries, schema
from relay.database.schema import SCHEMA_VERSION
from relay.database.session import Connection, connected
from relay.errors import RelayError, SchemaError

# Whoever writes to the outbox waits behind a waiting migration, and so at most this long.
LOCK_TIMEOUT_MS = 100
RETRY_FIRST_SECONDS = 0.2
RETRY_MAX_SECONDS = 5.0
WAIT_SECONDS = 300.0
# An index on a large table of events takes its time.
PATIENCE_SECONDS = 3600.0

# "already exists, skipping": what running the schema a second time is made of.
_EXPECTED_NOTICES = {"42P06", "42P07", "42710", "42701"}

logger = logging.getLogger(__name__)


def migrate(conninfo: str, *, wait_seconds: float = WAIT_SECONDS, again: bool = False) -> bool:
    """Bring the outbox tables of one database to this release's version.

    Writers never wait for it longer than a tenth of a second: it takes its locks with a short
    timeout, and tries again for up to *wait_seconds*. Where the version is current, nothing is
    locked; *again* applies everything nevertheless, which grants to roles created since.

    Returns whether anything was applied.

    Raises:
        SchemaError: the tables are newer than this release, or the user may not create them.
        DatabaseUnavailableError: there is no connection.
        RelayError: the locks were not to be had in time; nothing was changed.
    """
    with connected(conninfo, "relay migrate", PATIENCE_SECONDS) as connection:
        connection.add_notice_handler(_log_notice)
        if not _is_due(connection, again=again):
            return False
        retrying = Retrying(
            retry=retry_if_exception_type((errors.LockNotAvailable, errors.DeadlockDetected)),
            wait=wait_random_exponential(RETRY_FIRST_SECONDS, max=RETRY_MAX_SECONDS),
            stop=stop_after_delay(wait_seconds),
            before_sleep=_warn_of(connection),
        )
        try:
            return retrying(_apply, connection, again=again)
        except RetryError:
            raise RelayError(
                f"The outbox tables could not be locked within {wait_seconds:g} s, and nothing was "
                f"changed. {_blockers(connection)} Wait until they have ended, or end them, and "
                "run `relay migrate` again."
            ) from None
        except (errors.InsufficientPrivilege, errors.InvalidSchemaName) as error:
            raise SchemaError(
                f"PostgreSQL refused the migration: {error.diag.message_primary}. Run it as the "
                "owner of the outbox tables, with CREATE on the first schema of its search_path."
            ) from None


def script() -> str:
    """Return the DDL, as shipped with the package."""
    return resources.files("relay").joinpath("schema.sql").read_text(encoding="utf-8")


def _is_due(connection: Connection, *, again: bool) -> bool:
    state = schema.read(connection)
    if state and state.version > SCHEMA_VERSION:
        raise SchemaError(
            f"The outbox tables have version {state.version}, and this release only knows version "
            f"{SCHEMA_VERSION}: run `relay migrate` of the newer release. Nothing was changed."
        )
    return again or state is None or state.version < SCHEMA_VERSION


def _apply(connection: Connection, *, again: bool) -> bool:
    with connection.transaction():
        connection.execute(queries.LOCK_TIMEOUT, {"milliseconds": str(LOCK_TIMEOUT_MS)})
        connection.execute(queries.MIGRATION_LOCK)
        # Asked again under the lock: another migration may have been faster.
        if not _is_due(connection, again=again):
            return False
        connection.execute(script().encode())
    logger.info("the outbox tables have version %d now", SCHEMA_VERSION)
    return True


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


def _log_notice(notice: psycopg.errors.Diagnostic) -> None:
    if notice.sqlstate in _EXPECTED_NOTICES:
        return
    level = logging.WARNING if notice.severity_nonlocalized == "WARNING" else logging.INFO
    logger.log(level, "PostgreSQL: %s", notice.message_primary)
