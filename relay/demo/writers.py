"""The demo's service: installations that write, each in a thread of its own."""

import threading
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final, Self

from sqlalchemy import create_engine, select, update

from relay.demo.events import HostLogsCollected, HostStatusUpdated
from relay.demo.installation import Installation
from relay.demo.tables import Base, Host, track
from relay.service.outbox import Outbox

CLUSTERS: Final = 4


class Writers:
    """Installations of several clusters side by side, in the database of *dsn*."""

    def __init__(self, dsn: str, seed: int) -> None:
        self._engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1))
        Base.metadata.create_all(self._engine)
        self._outbox = Outbox(streaming=True)
        track(self._outbox)
        self._threads = ThreadPoolExecutor(CLUSTERS)
        self._undone = 0
        self.installations: Sequence[Installation] = [
            Installation(self._engine, self._outbox, seed * CLUSTERS + number)
            for number in range(CLUSTERS)
        ]

    @property
    def rolled_back(self) -> int:
        """Transactions that came to nothing so far."""
        return self._undone + sum(each.rolled_back for each in self.installations)

    def register(self) -> None:
        """Register the first clusters."""
        list(self._threads.map(Installation.register, self.installations))

    @contextmanager
    def at_work(self, pause_seconds: float) -> Iterator[None]:
        """Write, a transaction every *pause_seconds* in each thread, as long as the block lasts."""
        ended = threading.Event()

        def work(installation: Installation) -> None:
            while not ended.wait(pause_seconds):
                installation.step()

        futures = [self._threads.submit(work, each) for each in self.installations]
        try:
            yield
        finally:
            ended.set()
            for future in futures:
                future.result()

    def collect_logs(self, characters: int) -> uuid.UUID:
        """Commit one event that is as long as its log; return its id."""
        about = {"cluster_id": uuid.uuid4(), "host_id": uuid.uuid4(), "host_name": "host-0"}
        with self._engine.begin() as connection:
            return self._outbox.emit(connection, HostLogsCollected(**about, log="." * characters))

    def roll_back(self) -> list[uuid.UUID]:
        """Change hosts, write an event of each, and roll back; return the ids that were written."""
        with self._engine.connect() as connection, connection.begin() as transaction:
            hosts = connection.execute(select(Host).limit(3).with_for_update()).all()
            changed = update(Host).where(Host.id.in_([host.id for host in hosts]))
            # Without snapshots of them: an event of each is enough to see.
            connection.execute(
                changed.values(status="error"), execution_options={"relay_untracked": True}
            )
            ids = [
                self._outbox.emit(
                    connection,
                    HostStatusUpdated(
                        cluster_id=host.cluster_id,
                        host_id=host.id,
                        host_name=host.name,
                        old=host.status,
                        new="error",
                    ),
                )
                for host in hosts
            ]
            transaction.rollback()
        self._undone += 1
        return ids

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._threads.shutdown()
        self._outbox.close()
        self._engine.dispose()
