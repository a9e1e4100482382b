"""Startup: the outbox tables must be there, and must fit this relay."""

from dataclasses import dataclass

import psycopg

from relay.database import schema
from relay.database.connection import connect, explain
from relay.errors import DatabaseUnavailableError, SchemaError


@dataclass(frozen=True, slots=True)
class SchemaCheck:
    """Looks at the outbox tables, and records there whether events are to be streamed."""

    conninfo: str
    patience_seconds: float
    streaming: bool

    def fault(self) -> str | None:
        """Return the reason why the tables cannot be used; None if they can."""
        try:
            with connect(self.conninfo, "outbox-relay start", self.patience_seconds) as database:
                schema.verify(database)
                schema.record_streaming(database, streaming=self.streaming)
        except (DatabaseUnavailableError, SchemaError) as error:
            return str(error)
        except psycopg.Error as error:
            return explain(error)
        return None
