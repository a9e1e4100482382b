"""The real worker, on the real database, stepped from gate to gate."""

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from types import SimpleNamespace
from typing import Final
from unittest.mock import patch

import psycopg

from relay.daemon import timing, wake_up, worker
from relay.daemon.assembly import make_worker
from relay.daemon.backoff import OUTAGES
from relay.daemon.kafka import producer
from relay.daemon.postgres import queries
from relay.daemon.postgres.doorbell import Doorbell
from relay.daemon.postgres.store import Store
from relay.daemon.telemetry.metrics import Metrics
from relay.database.connection import BoundedConnection
from relay.settings import Settings
from tests.model.broker import Broker, Producer
from tests.model.stepping import Stepped, gate
from tests.support.postgres import Database
from tests.support.sabotage import POINTS, Reached
from tests.support.settings import streaming

LEASE_ROWS: Final = 6
LEASE_SHARDS: Final = 4
# As in a database that has not had the functions yet: the two ways work side by side.
WITHOUT_SMALL_LEASES: Final = {1}
# A chunk is dealt out to the shards in equal parts, rounded up.
LEASE_ROWS_MAX: Final = LEASE_ROWS + LEASE_SHARDS - 1
_LONG_SECONDS: Final = 600.0


def _executed(statement: str) -> Reached:
    """Return whether *statement* was the last one sent, once the database has worked on it."""

    def reached(_: object, connection: BoundedConnection, sent: str, *__: object) -> bool:
        if sent.endswith(statement):
            connection.execute("SELECT 1").fetchone()
        return sent.endswith(statement)

    return reached


GATES: Final[tuple[tuple[str, type, str, Reached], ...]] = (
    # Of a lease alone, and whatever isolation a mutant gives it.
    ("begin", BoundedConnection, "execute", _executed("READ WRITE")),
    ("commit", BoundedConnection, "execute", _executed(queries.COMMIT)),
    ("commit", BoundedConnection, "exchange", _executed(queries.COMMIT)),
    *((point, *POINTS[point]) for point in ("claim", "produce", "ack", "delete")),
)

GATE_NAMES: Final = ("append", *dict.fromkeys(name for name, *_ in GATES))


class SteppedRelay:
    """One relay. Its rounds are the real ones; it stops at each gate and may die there."""

    def __init__(self, number: int, database: Database, broker: Broker) -> None:
        self._database = database
        self._broker = broker
        self._number = number
        self._producers: list[Producer] = []
        self._rested = False
        self._round: Stepped | None = None
        self._start()

    def _start(self) -> None:
        self._worker = make_worker(self._number, _settings(self._database), Metrics())
        if self._number in WITHOUT_SMALL_LEASES:
            self._leave_functions_out(self._worker._store)  # noqa: SLF001
        self._worker._publisher.holds._clock = self._broker.clock  # noqa: SLF001

    @staticmethod
    def _leave_functions_out(store: Store) -> None:
        connect = store.connect

        def connected() -> None:
            connect()
            store._has_functions = False  # noqa: SLF001

        store.connect = connected  # type: ignore[method-assign]

    def step(self) -> None:
        """Go on to the next gate, or to the end of the round."""
        if self._round is None:
            self._round = Stepped(self._one_round)
        self._round.step()
        if self._round.ended:
            self._round = None

    def go_to(self, gate: str) -> None:
        """Go on to the next gate of that name, or to the end of the round."""
        self.step()
        while self._round is not None and self._round.at != gate:
            self.step()

    def finish(self) -> None:
        """Go on to the end of the round; begin one if there is none."""
        self.step()
        while self._round is not None:
            self.step()

    def kill(self) -> None:
        """Die here, as by kill -9; another process takes its place."""
        self.lose_connection()
        if self._round is not None:
            self._round.kill()
            self._round = None
        self._worker._store.close()  # noqa: SLF001
        producer = self._worker._publisher._producer  # noqa: SLF001
        if producer is not None:
            producer._producer.vanish()  # type: ignore[attr-defined]  # noqa: SLF001
        self._start()

    def lose_connection(self) -> None:
        """Let PostgreSQL end the connection; the relay does not know yet."""
        connection = self._worker._store._session._connection  # noqa: SLF001
        if connection is not None and not connection.closed:
            with self._database.connect(autocommit=True) as other:
                other.execute(
                    "SELECT pg_terminate_backend(%s, 10000)", (connection.info.backend_pid,)
                )

    def close(self) -> None:
        """Be gone for good."""
        self.kill()
        self._worker.close()

    @property
    def asleep(self) -> bool:
        """Whether it would do nothing now, but for the look that it takes each second."""
        wake_up = self._worker._wake_up  # noqa: SLF001
        return self._round is None and self._rested and wake_up.by_bell and not wake_up.rang

    def rung(self) -> bool:
        """Return whether a ring has come since it fell asleep, or its connection is lost."""
        bell = self._worker._wake_up._bell  # noqa: SLF001
        try:
            return bell is None or bell.await_ring(0.0)
        except psycopg.Error:
            return True

    def _one_round(self) -> None:
        self._rested = False
        try:
            round_ = self._worker.round()
        except OUTAGES:
            logging.getLogger(__name__).debug("an outage", exc_info=True)
            return
        wake_up = self._worker._wake_up  # noqa: SLF001
        wake_up.rest(round_.rows, more=round_.more, quiet=round_.quiet)
        self._rested = round_.quiet


@contextmanager
def gates(broker: Broker) -> Iterator[None]:
    """Put gates into the relay's code, and give it the *broker* and its clock."""
    clock = SimpleNamespace(monotonic=broker.clock, time=broker.clock)
    with ExitStack() as patches:
        for point, owner, method, reached in GATES:
            gated = _gated(getattr(owner, method), point, reached)
            patches.enter_context(patch.object(owner, method, gated))
        patches.enter_context(patch.object(producer, "Producer", partial(Producer, broker)))
        patches.enter_context(patch.object(producer, "time", clock))
        patches.enter_context(patch.object(worker, "time", clock))
        patches.enter_context(patch.object(timing, "boot_seconds", broker.clock))
        patches.enter_context(patch.object(wake_up, "boot_seconds", broker.clock))
        # Whoever steps the relays says how long they wait.
        patches.enter_context(patch.object(timing.Waiter, "wait", lambda *_: None))
        patches.enter_context(patch.object(Doorbell, "await_ring", _rings_now))
        yield


def _gated(original: Callable[..., object], point: str, reached: Reached) -> Callable[..., object]:
    @wraps(original)
    def gated(self: object, *arguments: object, **named: object) -> object:
        result = original(self, *arguments, **named)
        if reached(result, self, *arguments):
            gate(point)
        return result

    return gated


def _rings_now(bell: Doorbell, _: float) -> bool:
    bell._take_in()  # noqa: SLF001
    return bell._rings > 0  # noqa: SLF001


def _settings(database: Database) -> Settings:
    return streaming(
        dsn=database.dsn,
        bootstrap="in-memory",
        topic="stream",
        lease_rows=LEASE_ROWS,
        lease_shards=LEASE_SHARDS,
        chunk_rows=3,
        max_message_bytes=100_000,
        delivery_budget_seconds=10,
        lease_timeout_seconds=_LONG_SECONDS,
    )
