"""What can go wrong, each as one short story: it happens, it lasts, and it is over."""

import random
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import psycopg

from relay.database.migration import migrate
from relay.errors import RelayError
from tests.soak.stage import LEASE_TIMEOUT_SECONDS, MAX_MESSAGE_BYTES, Stage
from tests.support.process import ProcessUnderTest
from tests.support.tcp_proxy import Mode, TcpProxy

MIGRATION_SECONDS: Final = 3.0

# From the moment when all is well again, or when another relay could take over.
AFTER_A_KILL_SECONDS: Final = 5.0
AFTER_A_FREEZE_SECONDS: Final = LEASE_TIMEOUT_SECONDS + 5.0
# The lease of a backend that waits for a vanished peer, and the longest back-off behind it.
AFTER_AN_OUTAGE_SECONDS: Final = LEASE_TIMEOUT_SECONDS + 10.0

Inject = Callable[[Stage, random.Random], Callable[[Stage], None] | None]


@dataclass(frozen=True, slots=True)
class Fault:
    """*inject* returns when recovery begins; what it returns is called when that is complete.

    *leases* is how many relays may have to repeat a lease for it.
    """

    inject: Inject
    recovers_within_seconds: float
    leases: int = 0


def _some(stage: Stage, source: random.Random) -> ProcessUnderTest:
    return source.choice(stage.relays)


def relay_killed(stage: Stage, source: random.Random) -> Callable[[Stage], None]:
    stage.end_relay(_some(stage, source))
    return _start_another


def _start_another(stage: Stage) -> None:
    stage.start_relay()


def relay_terminated(stage: Stage, source: random.Random) -> None:
    relay = _some(stage, source)
    assert relay.terminate() == 0, relay.output
    stage.end_relay(relay)
    stage.start_relay()


def relay_frozen(stage: Stage, source: random.Random) -> Callable[[Stage], None]:
    relay = _some(stage, source)
    relay.send_signal(signal.SIGSTOP)
    return lambda _: relay.send_signal(signal.SIGCONT)


def broker_restarted(stage: Stage, _: random.Random) -> None:
    stage.broker.stop()
    stage.broker.start()


def broker_killed(stage: Stage, _: random.Random) -> None:
    stage.broker.kill()
    stage.broker.start()


def broker_frozen(stage: Stage, source: random.Random) -> None:
    stage.broker.pause()
    time.sleep(source.uniform(1, 6))
    stage.broker.resume()


def _network(proxy: Callable[[Stage], TcpProxy], mode: Mode) -> Inject:
    def inject(stage: Stage, source: random.Random) -> None:
        proxy(stage).mode = mode
        time.sleep(source.uniform(0.5, 6))
        proxy(stage).mode = Mode.PASS

    return inject


def backends_terminated(stage: Stage, _: random.Random) -> None:
    with stage.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name LIKE 'outbox-relay%'"
        )


def postgres_crashed(stage: Stage, _: random.Random) -> None:
    stage.postgres.stop("immediate")
    stage.postgres.start()


def table_locked(stage: Stage, source: random.Random) -> None:
    with stage.database.connect() as connection:
        connection.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
        time.sleep(source.uniform(0.5, 3))


def transaction_left_open(stage: Stage, source: random.Random) -> None:
    with stage.database.connect() as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM outbox")
        time.sleep(source.uniform(2, 6))


def migrated(stage: Stage, _: random.Random) -> None:
    # Between writers that are never done it may not get its locks, and then gives up unharmed.
    with suppress(RelayError):
        migrate(stage.postgres.dsn(), wait_seconds=MIGRATION_SECONDS, again=True)


def poison_written(stage: Stage, source: random.Random) -> None:
    with stage.connect() as connection:
        connection.execute(
            "INSERT INTO outbox (key, name, payload) "
            "SELECT %s, 'Poison', json_build_object('filler', repeat('x', %s))",
            (source.choice(["rivals", "slow-0", "alone"]), 2 * MAX_MESSAGE_BYTES),
        )


def _kafka(stage: Stage) -> TcpProxy:
    return stage.to_kafka


def _postgres(stage: Stage) -> TcpProxy:
    return stage.to_postgres


def _outage(inject: Inject, leases: int) -> Fault:
    return Fault(inject, AFTER_AN_OUTAGE_SECONDS, leases)


def faults(relays: int) -> Mapping[str, Fault]:
    """Return all faults by name, for a stage with so many *relays*."""
    return {
        "relay_killed": Fault(relay_killed, AFTER_A_KILL_SECONDS, 1),
        "relay_frozen": Fault(relay_frozen, AFTER_A_FREEZE_SECONDS, 1),
        "relay_terminated": Fault(relay_terminated, AFTER_A_KILL_SECONDS, 0),
        "broker_restarted": _outage(broker_restarted, relays),
        "broker_killed": _outage(broker_killed, relays),
        "broker_frozen": _outage(broker_frozen, relays),
        "kafka_cut": _outage(_network(_kafka, Mode.CUT), relays),
        "kafka_black_hole": _outage(_network(_kafka, Mode.BLACK_HOLE), relays),
        "kafka_answers_lost": _outage(_network(_kafka, Mode.DROP_RESPONSES), relays),
        "postgres_cut": _outage(_network(_postgres, Mode.CUT), relays),
        "postgres_black_hole": _outage(_network(_postgres, Mode.BLACK_HOLE), relays),
        "postgres_answers_lost": _outage(_network(_postgres, Mode.DROP_RESPONSES), relays),
        "postgres_crashed": _outage(postgres_crashed, relays),
        "backends_terminated": _outage(backends_terminated, relays),
        "table_locked": _outage(table_locked, relays),
        "transaction_left_open": _outage(transaction_left_open, 0),
        "migrated": _outage(migrated, relays),
        "poison_written": _outage(poison_written, 0),
    }


def wait_until_gone(stage: Stage, upto: int, seconds: float) -> float:
    """Wait until no pending row up to the id *upto* is left; return how long that took.

    Raises:
        TimeoutError: not within *seconds*.
    """
    begun = time.monotonic()
    while (lasted := time.monotonic() - begun) < seconds:
        with suppress(psycopg.OperationalError), stage.connect() as connection:
            left = connection.execute(
                "SELECT FROM outbox WHERE id <= %s AND parked_at IS NULL LIMIT 1", (upto,)
            ).fetchone()
            if left is None:
                return lasted
        time.sleep(0.05)
    raise TimeoutError(f"rows still wait after {seconds:g} s")
