"""The version of the outbox tables, and whether this program can work with them."""

from dataclasses import dataclass
from typing import Any

import psycopg

from relay.database import migrations, queries
from relay.database.location import locate, search_path
from relay.database.ownership import refuse_foreign
from relay.errors import SchemaError

# What this program was written for; schema.sql records the same number.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class SchemaState:
    """State of the outbox tables, as their database says it."""

    version: int
    oldest_relay: int
    streaming: bool


def read(connection: psycopg.Connection[Any]) -> SchemaState | None:
    """Return the state of the outbox tables that *connection* sees; None where there are none.

    Runs in the open transaction, or in one of its own. Nothing is prepared, so that it may be
    repeated behind a pooler.

    Raises:
        SchemaError: the user may not read the tables, something else has one of their names, or
            they are in several schemas.
    """
    with connection.transaction():
        place = locate(connection.execute)
        schema = place[0] if place else _current(connection)
        if schema is not None:
            refuse_foreign(connection, schema)
        if place is None:
            return None
        if not place[1]:
            connection.execute(queries.SEARCH_PATH, {"search_path": search_path(place[0])})
        try:
            # A savepoint: a refusal leaves the transaction usable.
            with connection.transaction():
                row = connection.execute(queries.STATE, prepare=False).fetchone()
        except psycopg.errors.InsufficientPrivilege:
            raise SchemaError(
                f"The user {connection.info.user} may not read the outbox tables in the schema "
                f"{place[0]}: grant it one of the roles outbox_relay, outbox_operator, "
                "outbox_reader or outbox_writer."
            ) from None
    return SchemaState(*row) if row else None


def verify(connection: psycopg.Connection[Any]) -> SchemaState:
    """Make sure that this program can work with the outbox tables that *connection* sees.

    A newer schema is fine as long as it says that relays as old as this one may use it. Returns
    what the database says.

    Raises:
        SchemaError: the tables are missing, too old, too new or not ours, or the user may not read
            them.
    """
    state = read(connection)
    if state is None:
        raise SchemaError(
            f"The database {connection.info.dbname} has no outbox tables that the user "
            f"{connection.info.user} can find: run `relay migrate`. If that was done, check the "
            "database's name and OUTBOX_SCHEMA."
        )
    if state.version < SCHEMA_VERSION:
        raise SchemaError(
            f"The outbox tables have version {state.version}, and this release needs version "
            f"{SCHEMA_VERSION}: run `relay migrate` of this release."
        )
    if state.oldest_relay > SCHEMA_VERSION:
        raise SchemaError(
            f"The outbox tables (version {state.version}) need a release that knows version "
            f"{state.oldest_relay}, and this one knows {SCHEMA_VERSION}: upgrade this relay."
        )
    return state


def waiting(connection: psycopg.Connection[Any]) -> tuple[str, ...]:
    """Return the migrations of this release that the outbox tables have not had yet.

    None are known to a user who may not look.
    """
    try:
        with connection.transaction():
            place = locate(connection.execute)
            if place is None:
                return ()
            connection.execute(queries.SEARCH_PATH, {"search_path": search_path(place[0])})
            applied = {number for (number,) in connection.execute(queries.APPLIED, prepare=False)}
    except psycopg.errors.InsufficientPrivilege:
        return ()
    return tuple(m.name for m in migrations.load() if m.number not in applied)


def _current(connection: psycopg.Connection[Any]) -> str | None:
    row = connection.execute("SELECT current_schema()", prepare=False).fetchone()
    return row[0] if row else None
