"""Writers that never wait for the relay: busy ones, rivals for one key, slow and aborting ones."""

import random
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError

from relay.demo.installation import Installation
from relay.demo.tables import Base, Cluster, Host, InfraEnv
from relay.service.outbox import Outbox
from tests.support.postgres import Database

CLUSTERS: Final = 5
RIVALS: Final = 2
SLOW: Final = 2
# Of each writer: together they write hundreds of rows a second, or so few that relays may sleep.
BUSY_SECONDS, QUIET_SECONDS = 0.01, 0.5
_AFTER_OUTAGE_SECONDS: Final = 0.2
_SLOW_SECONDS: Final = (0.5, 4.0)

# InternalError: a standby that is not promoted yet refuses to write, and a pooler may answer BEGIN
# twice when the server ends the connection that it had just chosen.
Outage = (psycopg.OperationalError, psycopg.InternalError, DBAPIError)


class Writers:
    """Threads that write until stop(); what they meet of outages they get over.

    Assign *pause_seconds* to let them write more or less.
    """

    def __init__(self, database: Database, seed: int) -> None:
        self._database = database
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self.pause_seconds = BUSY_SECONDS
        self.interrupted = 0
        self.died: list[str] = []
        dsn = database.dsn.replace("postgresql://", "postgresql+psycopg://", 1)
        # A pooler in transaction mode keeps no prepared statements.
        arguments = {"prepare_threshold": None}
        self._engine = create_engine(dsn, pool_pre_ping=True, connect_args=arguments)
        self._outbox = Outbox(streaming=True)
        for entity in (Cluster, Host, InfraEnv):
            self._outbox.track(entity)

    def start(self) -> None:
        """Create the service's tables and begin to write."""
        Base.metadata.create_all(self._engine)
        with self._database.connect(autocommit=True) as connection:
            connection.execute("CREATE TABLE rivals (id int PRIMARY KEY, count int)")
            connection.execute("INSERT INTO rivals VALUES (1, 0)")
        for _ in range(CLUSTERS):
            installation = Installation(self._engine, self._outbox, self._random.getrandbits(32))
            installation.register()
            self._run(installation.step)
        for number in range(RIVALS):
            self._run(self._rival(number))
        for number in range(SLOW):
            self._run(self._slow(number))

    def stop(self) -> None:
        """Write no more; every transaction has ended when this returns."""
        self._ended.set()
        for thread in self._threads:
            thread.join()
        self._outbox.close()
        self._engine.dispose()

    def _run(self, step: Callable[[], None]) -> None:
        def work() -> None:
            while not self._ended.wait(self.pause_seconds):
                try:
                    step()
                except Outage:
                    self.interrupted += 1
                    self._ended.wait(_AFTER_OUTAGE_SECONDS)
                except Exception as error:
                    self.died.append(f"a writer died: {error!r}")
                    raise

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _rival(self, number: int) -> Callable[[], None]:
        """Change the row that all rivals change: its lock puts their events in order."""

        def step() -> None:
            with self._database.connect() as connection:
                connection.execute("UPDATE rivals SET count = count + 1")
                _emit(connection, f"rival-{number}", key="rivals")

        return step

    def _slow(self, number: int) -> Callable[[], None]:
        """Commit, or roll back, long after the id was drawn."""
        source = random.Random(self._random.getrandbits(32))

        def step() -> None:
            with self._database.connect() as connection:
                _emit(connection, "slow", key=f"slow-{number}")
                with _savepoint_undone(connection):
                    _emit(connection, "phantom", key=f"slow-{number}")
                self._ended.wait(source.uniform(*_SLOW_SECONDS))
                # Its id is far above the first one's: a relay must not find it before that.
                _emit(connection, "at last", key=f"slow-{number}")
                if source.random() < 1 / 3:
                    connection.rollback()

        return step


def _emit(connection: psycopg.Connection, name: str, key: str) -> None:
    connection.execute(
        "SELECT outbox_emit(%s, jsonb_build_object('id', %s::text), %s)",
        (name, str(uuid.uuid4()), key),
    )


@contextmanager
def _savepoint_undone(connection: psycopg.Connection) -> Iterator[None]:
    with connection.transaction(force_rollback=True):
        yield
