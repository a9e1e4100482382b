"""Startup: the outbox tables must be there, and must fit this relay."""

from dataclasses import dataclass

import psycopg

from relay.database.connection import connect, explain
from relay.database.schema import record_streaming, verify
from relay.errors import DatabaseUnavailableError, SchemaError


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """Looks at the outbox tables, and records there whether events are to be streamed."""

    conninfo: str
    patience_seconds: float
    streaming: bool
    schema: str | None = None

    def fault(self) -> str | None:
        """Return the reason why the tables cannot be used; None if they can."""
        try:
            with connect(
                self.conninfo, "outbox-relay start", self.patience_seconds, schema=self.schema
            ) as database:
                verify(database)
                record_streaming(database, streaming=self.streaming)
        except (DatabaseUnavailableError, SchemaError) as error:
            return str(error)
        except psycopg.Error as error:
            return explain(error)
        return None
