"""The connection of a command, opened in one place."""

from collections.abc import Iterator
from contextlib import contextmanager

from relay.database import schema
from relay.database.session import PATIENCE_SECONDS, Connection, connected
from relay.settings import Settings, load


@contextmanager
def database(
    command: str, settings: Settings | None = None, *, patience_seconds: float = PATIENCE_SECONDS
) -> Iterator[Connection]:
    """Yield a connection to the outbox that *settings*, or else the environment, name.

    PostgreSQL shows *command* as its application name.

    Raises:
        ConfigurationError: the environment names no database.
        DatabaseUnavailableError: there is no connection, or it broke.
        SchemaError: the outbox tables are missing or do not fit this release.
    """
    given = settings or load(database=True)
    where = given.database
    with connected(
        where.conninfo(), command, patience_seconds, schema=where.outbox_schema
    ) as connection:
        schema.verify(connection)
        yield connection
