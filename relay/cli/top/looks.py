"""Looks at the outbox, one after the other, over a connection that is opened anew if it breaks."""

import time
from contextlib import ExitStack
from dataclasses import dataclass

from relay.cli.database import database
from relay.database.session import Connection
from relay.errors import RelayError
from relay.operations.outlook import Outlook, look
from relay.operations.status import Status, inspect

LISTED: int = 200


@dataclass(frozen=True)
class Look:
    """Outlook and status of one moment, and the growth of the backlog in rows a second."""

    status: Status
    outlook: Outlook
    at: float
    growth: float | None = None


class Looks:
    """Takes a look when asked; *fault* says why the last one failed."""

    def __init__(self) -> None:
        self.last: Look | None = None
        self.fault: str | None = None
        self._open = ExitStack()
        self._connection: Connection | None = None

    def take(self) -> None:
        """Look now. A database that is away is a fault, and asked again the next time."""
        try:
            connection = self.connection()
            outlook = look(connection)
            status = inspect(connection, keys=LISTED, parked=LISTED, facts=outlook.facts)
        except RelayError as error:
            self.close()
            if self.last is None:
                raise
            self.fault = str(error)
            return
        self.fault = None
        moment = time.monotonic()
        self.last = Look(status, outlook, moment, _growth(self.last, status, moment))

    def connection(self) -> Connection:
        """Return the connection, opened where there is none.

        Raises:
            RelayError: the database cannot be used.
        """
        if self._connection is None or self._connection.closed:
            self._open.close()
            self._connection = self._open.enter_context(database("relay top"))
        return self._connection

    def close(self) -> None:
        """Close the connection."""
        self._connection = None
        self._open.close()


def _growth(before: Look | None, status: Status, moment: float) -> float | None:
    if before is None or before.status.pending is None or status.pending is None:
        return None
    if before.status.pending_is_capped or status.pending_is_capped or moment <= before.at:
        return None
    return (status.pending - before.status.pending) / (moment - before.at)
