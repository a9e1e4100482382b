"""Startup: the outbox tables must be there, and must fit this relay."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg

from relay.daemon.backoff import OUTAGES
from relay.daemon.figures import Flag, Report
from relay.daemon.postgres.roster import Roster
from relay.database.connection import BoundedConnection, connect, explain
from relay.database.schema import verify
from relay.database.session import bounded
from relay.errors import DatabaseUnavailableError, SchemaError


@dataclass(slots=True)
class SchemaCheck:
    """Looks at the outbox tables, and says there that this relay lives and what it is told."""

    conninfo: str
    patience_seconds: float
    roster: Roster
    schema: str | None = None
    flag: Flag | None = None

    def fault(self) -> str | None:
        """Return the reason why the tables cannot be used; None if they can."""
        try:
            with self._connected() as database:
                verify(database)
                self.flag = self.roster.sign(database, Report())
        except (DatabaseUnavailableError, SchemaError) as error:
            return str(error)
        except psycopg.Error as error:
            return explain(error)
        return None

    def leave(self) -> None:
        """Say that this relay ends, if it ever said that it lives."""
        if self.flag is not None:
            # Whoever cannot say so is found to be dead a little later.
            with suppress(*OUTAGES), self._connected() as database:
                self.roster.leave(database, Report(), drain_timed_out=False)

    @contextmanager
    def _connected(self) -> Iterator[BoundedConnection]:
        with connect(
            self.conninfo, "outbox-relay start", self.patience_seconds, schema=self.schema
        ) as database:
            # Whatever the defaults of user or database are.
            database.read_only = False
            with bounded(database, int(self.patience_seconds * 1000)):
                yield database
