"""Doorbell: a notification at each commit that wrote rows, while somebody listens for it.

NOTIFY takes a lock of the whole server at each commit, so a trigger on the outbox sends one only up
to a time that relays put off while they sleep. Its state is a sequence: no row, which old snapshots
would see as it was. Above 0 it is the time in milliseconds up to which writers ring; below 0 the
time up to which a relay is under load, and nobody needs to ring for the others.
"""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.session import Session
from relay.daemon.timing import Deadline, Waiter
from relay.database.connection import BoundedConnection, connect

# Once set; a bell that nobody sets again ends by itself.
RINGS_SECONDS: Final = 60.0
LOADED_SECONDS: Final = 3.0
_TEST_SECONDS: Final = 1.0
_UNLISTEN_ATTEMPTS: Final = 20


@dataclass(frozen=True, slots=True)
class DoorbellSettings:
    """Settings of a doorbell: where to test it from, and where to listen, if not there."""

    conninfo: str
    listen_conninfo: str | None
    name: str
    patience_seconds: float


class Doorbell:
    """Listens on the connection of *session*, or on one of its own. Raises ``psycopg.Error``."""

    def __init__(self, session: Session, settings: DoorbellSettings, waiter: Waiter) -> None:
        self._session = session
        self._settings = settings
        self._waiter = waiter
        self._own: BoundedConnection | None = None
        self._listening: BoundedConnection | None = None
        self._channel = ""
        self._server_pid = 0
        self._token = ""
        self._heard = False
        self._rings = 0

    @property
    def listening(self) -> bool:
        """True while the connection is still the one that LISTEN was sent on."""
        if self._listening is None or self._listening.closed:
            return False
        return self._own is not None or self._session.is_on(self._listening)

    def fault(self) -> str | None:
        """Return the reason why this database has no doorbell to use; None if it has."""
        ((self._channel, fault),) = self._session.ask(queries.BELL)
        return None if fault is None else str(fault)

    def listen(self) -> None:
        """Begin to hear rings.

        Raises:
            DatabaseUnavailableError: there is no connection to listen on.
        """
        s = self._settings
        if s.listen_conninfo is None:
            self._listening = self._session.connection
        else:
            self.close()
            self._own = connect(s.listen_conninfo, f"{s.name} doorbell", s.patience_seconds)
            self._listening = self._own
        self._listening.add_notify_handler(lambda notify: self._note(notify.payload))
        self._server_pid = self._say("LISTEN")

    def works(self) -> bool:
        """Return whether a ring from another connection is heard, while this one is idle.

        On the same connection it would be heard through a pooler that lets no other one through.

        Raises:
            DatabaseUnavailableError: there is no other connection to be had.
        """
        self._token, self._heard = uuid4().hex, False
        ring = queries.RING.format(channel=self._channel, token=self._token)
        if self._own is not None:
            self._session.ask(ring)
        else:
            s = self._settings
            with connect(s.conninfo, f"{s.name} doorbell", s.patience_seconds) as other:
                other.exchange(ring)
        deadline = Deadline(_TEST_SECONDS)
        while not (self._heard or self._waiter.stopping or deadline.passed()):
            self._wait(deadline.left())
        if self._heard and self._listening is not None:
            # It idles from now on. Not before: a pooler that shares connections would give this
            # setting to others.
            self._listening.cursor().execute("SET idle_session_timeout = 0")
        if not self._heard:
            self._unlisten()
        return self._heard

    def ring_from_now(self) -> bool:
        """Let writers ring; return False if another relay is under load, which is not overruled."""
        until = queries.RING_UNTIL.format(milliseconds=int(RINGS_SECONDS * 1000))
        return self._session.ask(until) == [(True,)]

    def stop_ringing(self) -> None:
        """Let nobody ring for a while: this relay is under load, and polls."""
        self._session.ask(queries.LOADED_UNTIL.format(milliseconds=int(LOADED_SECONDS * 1000)))

    def is_set(self) -> bool:
        """Return whether writers ring."""
        return self._session.ask(queries.BELL_IS_SET) == [(True,)]

    def writers(self) -> frozenset[str]:
        """Return the writers that are open, some of which may have seen no bell."""
        found = self._session.ask(queries.LOCKS)
        return frozenset(holder for holder, is_lease in found if not is_lease)

    def await_ring(self, seconds: float) -> bool:
        """Wait for a ring, for *seconds* at most; return whether it rang since the last take()."""
        self._take_in()
        if not self._rings:
            self._wait(seconds)
        return self._rings > 0

    def take(self) -> int:
        """Return the rings since the last call."""
        rings, self._rings = self._rings, 0
        return rings

    def close(self) -> None:
        """Let go of the connection of its own."""
        if self._own is not None:
            self._own.close()
        self._own = self._listening = None

    def _say(self, what: str) -> int:
        """LISTEN or UNLISTEN; return the process of the server that did so."""
        if self._listening is None:
            raise psycopg.OperationalError("not listening")
        cursor = self._listening.cursor()
        cursor.execute(f"{what} {self._channel}; SELECT pg_backend_pid()".encode())
        cursor.nextset()
        found = cursor.fetchone()
        return 0 if found is None else int(found[0])

    def _unlisten(self) -> None:
        """Listen no more, so that a pooler gives nobody else a connection that hears rings.

        It may have another one for each statement, and mostly has the last one first.
        """
        for _ in range(_UNLISTEN_ATTEMPTS):
            if self._say("UNLISTEN") == self._server_pid:
                break
        self._listening = None

    def _wait(self, seconds: float) -> None:
        if self._listening is None:
            raise psycopg.OperationalError("not listening")
        if self._waiter.wait_readable(seconds, self._listening.fileno()):
            self._take_in()

    def _take_in(self) -> None:
        if self._listening is None:
            return
        pgconn = self._listening.pgconn
        pgconn.consume_input()
        while (notify := pgconn.notifies()) is not None:
            self._note(notify.extra.decode())

    def _note(self, payload: str) -> None:
        if not payload:
            self._rings += 1
        elif payload == self._token:
            self._heard = True
