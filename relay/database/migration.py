"""Create the outbox tables, or bring them to this release's version."""

import logging
import re
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib import resources
from typing import Any, Final

import psycopg
from psycopg import errors

from relay.database import migrations, queries
from relay.database.indexes import build_missing, without_indexes
from relay.database.location import locate, quoted, search_path
from relay.database.locking import LOCK_TIMEOUT_MS, PATIENCE_SECONDS, alone, retried
from relay.database.migrations import Migration, Phase
from relay.database.ownership import refuse_foreign
from relay.database.schema import SCHEMA_VERSION, SchemaState
from relay.database.session import Connection, connected
from relay.errors import SchemaError

WAIT_SECONDS: Final = 300.0

# "already exists, skipping": what running the schema a second time is made of.
_EXPECTED_NOTICES: Final = {"42P06", "42P07", "42710", "42701"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Migrated:
    """Result of a migration: the *applied* files, and those *waiting* for the phase after."""

    changed: bool
    applied: tuple[str, ...]
    waiting: tuple[str, ...]


def migrate(
    conninfo: str,
    *,
    phase: Phase = Phase.PRE,
    wait_seconds: float = WAIT_SECONDS,
    again: bool = False,
    into: str | None = None,
    states: Collection[str] = (),
) -> Migrated:
    """Bring the outbox tables of one database to this release's version.

    Writers never wait for it longer than a tenth of a second: it takes its locks with a short
    timeout, and tries again for up to *wait_seconds*. Where nothing is due, nothing is locked.

    *phase*: PRE is safe beside programs of the version before; POST takes away what they use. A
    database without the tables gets all at once. *again* applies what may be applied any number of
    times, which grants to roles created since. *into*: the schema of the tables, created if need
    be. *states*: names of states that are never requeued, because their consumers know no `seq`.

    Raises:
        SchemaError: the tables are newer than this release, something else has one of their names,
            or the user may not create them; nothing was changed.
        DatabaseUnavailableError: there is no connection.
        RelayError: the locks were not to be had in time.
    """
    with connected(conninfo, "relay migrate", PATIENCE_SECONDS, schema=into) as connection:
        connection.add_notice_handler(_log_notice)
        run = _Run(connection, phase, wait_seconds, again=again)
        try:
            target = run.target(into)
            if run.is_due(target):
                with alone(conninfo, wait_seconds):
                    run.apply(target)
            run.keep_states(target, states)
        except (errors.InsufficientPrivilege, errors.InvalidSchemaName) as error:
            raise SchemaError(
                f"PostgreSQL refused the migration: {error.diag.message_primary}. Run it as the "
                "owner of the outbox tables, with CREATE on their schema."
            ) from None
        return Migrated(run.changed, tuple(run.applied), run.waiting(target))


def migrate_within(
    connection: psycopg.Connection[Any], *, phase: Phase = Phase.PRE, into: str | None = None
) -> Migrated:
    """Like `migrate`, within the open transaction of *connection*, which is the caller's to commit.

    It does not try again, and what it has locked stays locked until then.

    Raises:
        SchemaError: as `migrate` does.
        RelayError: the locks were not to be had at once.
    """
    # Begins the transaction: a block of ours would else commit it.
    before = connection.execute(queries.TRANSACTION_SETTINGS).fetchone()
    run = _Run(connection, phase, 0.0, again=False, within=True)
    target = run.target(into)
    if run.is_due(target):
        connection.execute(queries.MIGRATION_LOCK)
        run.apply(target)
    waiting = run.waiting(target)
    connection.execute(queries.RESTORE_SETTINGS, before)
    return Migrated(run.changed, tuple(run.applied), waiting)


def script() -> str:
    """Return the DDL, as shipped with the package."""
    return resources.files("relay").joinpath("schema.sql").read_text(encoding="utf-8")


class _Run:
    """One call of migrate(), step by step: each is a transaction of its own."""

    def __init__(
        self,
        connection: Connection,
        phase: Phase,
        wait_seconds: float,
        *,
        again: bool,
        within: bool = False,
    ) -> None:
        self._connection = connection
        self._phase = phase
        self._wait_seconds = wait_seconds
        self._again = again
        self._within = within
        self.changed = False
        self.applied: list[str] = []

    def target(self, into: str | None) -> str:
        """Return the schema that the tables are in, or come to."""
        if into is not None and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", into):
            raise SchemaError(
                f"{into!r} cannot be the schema of the outbox tables: use letters, digits and "
                "underscores. Nothing was changed."
            )
        place = locate(self._connection.execute, into)
        if place is not None:
            return place[0]
        row = self._connection.execute("SELECT current_schema()").fetchone()
        target = into or (row[0] if row else None)
        if target is None:
            raise SchemaError(
                "No schema of this user's search_path exists: name one with --schema, and "
                "`relay migrate` creates it."
            )
        return target

    def keep_states(self, target: str, states: Collection[str]) -> None:
        """Keep the names of states that are never requeued, beside those that are kept already."""
        with self._in(target):
            names = {"states": list(states)}
            # Asked first: whoever may not change it may still look whether all is done.
            if self._connection.execute(queries.KEPT_STATES, names).fetchone() == (False,):
                self._connection.execute(queries.KEEP_STATES, names)

    def is_due(self, target: str) -> bool:
        """Return whether there is anything to do.

        Raises:
            SchemaError: nothing may be done here.
        """
        with self._in(target):
            refuse_foreign(self._connection, target)
            state = self._state()
        if state is None:
            return True
        if state.version > SCHEMA_VERSION:
            raise SchemaError(
                f"The outbox tables have version {state.version}, and this release only knows "
                f"version {SCHEMA_VERSION}: run `relay migrate` of the newer release. Nothing was "
                "changed."
            )
        due = self._due(target)
        return self._again or state.version < SCHEMA_VERSION or bool(due)

    def apply(self, target: str) -> None:
        """Apply what is due. Asked again here: another migration may have been faster."""
        if not self.is_due(target):
            return
        with self._in(target):
            is_new = self._state() is None
        if is_new:
            self._retry(partial(self._apply_schema, target, script()))
            self.applied = [migration.name for migration in migrations.load()]
        else:
            for migration in self._due(target):
                self._retry(partial(self._apply_file, target, migration))
                self.applied.append(migration.name)
            ddl = script() if self._within else without_indexes(script())
            self._retry(partial(self._apply_schema, target, ddl))
            if not self._within:
                build_missing(self._connection, target, script())
        self.changed = True
        logger.info("the outbox tables have version %d now", SCHEMA_VERSION)

    def waiting(self, target: str) -> tuple[str, ...]:
        """Return what this release has, and the database has not had."""
        return tuple(migration.name for migration in self._missing(target))

    def _missing(self, target: str) -> list[Migration]:
        with self._in(target):
            applied: set[int] = set()
            if self._exists("outbox_migration"):
                applied = {number for (number,) in self._connection.execute(queries.APPLIED)}
        return [migration for migration in migrations.load() if migration.number not in applied]

    def _due(self, target: str) -> list[Migration]:
        missing = self._missing(target)
        if self._phase is Phase.POST:
            return missing
        due = [migration for migration in missing if migration.phase is Phase.PRE]
        late = [m.name for m in missing if due and m.number < due[-1].number and m not in due]
        if late:
            raise SchemaError(
                f"The rollout before this one is not finished, {late[0]} is missing: end what runs "
                "of the release before it, run `relay migrate --phase post`, and then this again. "
                "Nothing was changed."
            )
        return due

    def _apply_file(self, target: str, migration: Migration) -> None:
        with self._in(target, lock_timeout=True):
            self._connection.execute(migration.sql.encode())
            self._connection.execute(
                queries.RECORD, {"number": migration.number, "name": migration.name}
            )
        logger.info("migration %s was applied", migration.name)

    def _apply_schema(self, target: str, ddl: str) -> None:
        with self._connection.transaction():
            # Not IF NOT EXISTS alone, which needs the right to create one even where it exists.
            known = self._connection.execute("SELECT to_regnamespace(%s)", [quoted(target)])
            if known.fetchone() == (None,):
                self._connection.execute(f"CREATE SCHEMA {quoted(target)}".encode())
            with self._in(target, lock_timeout=True):
                self._connection.execute(ddl.encode())

    @contextmanager
    def _in(self, target: str, *, lock_timeout: bool = False) -> Iterator[None]:
        with self._connection.transaction():
            if lock_timeout:
                self._connection.execute(
                    queries.LOCK_TIMEOUT, {"milliseconds": str(LOCK_TIMEOUT_MS)}
                )
            self._connection.execute(queries.SEARCH_PATH, {"search_path": search_path(target)})
            yield

    def _exists(self, table: str) -> bool:
        found = self._connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        return found.fetchone() == (True,)

    def _state(self) -> SchemaState | None:
        if not self._exists("outbox_state"):
            return None
        row = self._connection.execute(queries.STATE).fetchone()
        return SchemaState(*row) if row else None

    def _retry(self, step: Callable[[], None]) -> None:
        retried(self._connection, step, self._wait_seconds)


def _log_notice(notice: psycopg.errors.Diagnostic) -> None:
    if notice.sqlstate in _EXPECTED_NOTICES:
        return
    level = logging.WARNING if notice.severity_nonlocalized == "WARNING" else logging.INFO
    logger.log(level, "PostgreSQL: %s", notice.message_primary)
