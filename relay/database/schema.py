from dataclasses import dataclass
from typing import Any

import psycopg

from relay.errors import SchemaError

# What this program was written for; schema.sql records the same number.
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class SchemaState:
    """What a database says about its outbox tables."""

    version: int
    oldest_relay: int
    streaming: bool


def read(connection: psycopg.Connection[Any]) -> SchemaState | None:
    """Return the state of the outbox tables that *connection* sees; None where there are none.

    Runs in the open transaction, or in one of its own. Nothing is prepared, so that it may be
    repeated behind a pooler.

    Raises:
        SchemaError: the tables are there, and the user may not read them.
    """
    with connection.transaction(), connection.cursor() as cursor:
        # Asked first: a failing SELECT would write an error into the server's log each time.
        cursor.execute("SELECT to_regclass('outbox_state') IS NOT NULL", prepare=False)
        if cursor.fetchone() != (True,):
            return None
        try:
            cursor.execute(
                "SELECT version, oldest_relay, streaming FROM outbox_state", prepare=False
            )
        except psycopg.errors.InsufficientPrivilege:
            raise SchemaError(
                "This database user may not read the outbox tables: grant it one of the roles "
                "outbox_relay, outbox_operator, outbox_reader or outbox_writer."
            ) from None
        row = cursor.fetchone()
    return SchemaState(*row) if row else None


def verify(connection: psycopg.Connection[Any]) -> SchemaState:
    """Make sure that this relay can work with the outbox tables that *connection* sees.

    A newer schema is fine as long as it says that relays as old as this one may use it. Returns
    what the database says.

    Raises:
        SchemaError: the tables are missing, too old or too new, or the user may not read them.
    """
    state = read(connection)
    if state is None:
        raise SchemaError(
            f"There are no outbox tables in the database {connection.info.dbname!r}, or this user "
            "cannot see them: run `relay migrate`. Where that was done, check the database's name, "
            "and the user's search_path and USAGE on the schema."
        )
    if state.version < SCHEMA_VERSION:
        raise SchemaError(
            f"The outbox tables have version {state.version}, and this relay needs version "
            f"{SCHEMA_VERSION}: run `relay migrate` with this relay's release."
        )
    if state.oldest_relay > SCHEMA_VERSION:
        raise SchemaError(
            f"The outbox tables (version {state.version}) need a relay that knows version "
            f"{state.oldest_relay}, and this one knows {SCHEMA_VERSION}: upgrade this relay."
        )
    return state


def record_streaming(connection: psycopg.Connection[Any], *, streaming: bool) -> None:
    """Tell triggers and ``outbox_emit()``, which see no environment, whether to write rows."""
    with connection.transaction():
        connection.execute(
            "UPDATE outbox_state SET streaming = %(streaming)s WHERE streaming <> %(streaming)s",
            {"streaming": streaming},
            prepare=False,
        )
