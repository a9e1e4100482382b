"""Everything real that a soak runs on: servers, faulty networks before them, and the relays."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from relay.demo.postgres import EmbeddedPostgres
from tests.soak.settings import MAX_MESSAGE_BYTES, RELAY, TOPIC
from tests.soak.witness import WITNESS
from tests.support.kafka.cluster import KafkaCluster
from tests.support.kafka.topics import create_topic
from tests.support.pgbouncer import PROGRAM, PgBouncer
from tests.support.postgres import Database, apply_schema
from tests.support.process import ProcessUnderTest, relay_command
from tests.support.replicated_postgres import ReplicatedPostgres
from tests.support.requirements import find_program
from tests.support.tcp_proxy import TcpProxy

# Every writer and every connection of the relays at once.
POOL_SIZE: Final = 60
START_SECONDS: Final = 60.0

Front = PgBouncer | TcpProxy
Say = Callable[[str], None]


@dataclass
class Stage:
    """Relays reach PgBouncer and Kafka through proxies, writers reach PgBouncer directly.

    Every second relay hears the doorbell past PgBouncer, which lets no ring through.
    The judge and the faults connect to the server that is the primary at the time.
    """

    postgres: ReplicatedPostgres
    front: Front
    kafka: KafkaCluster
    to_postgres: TcpProxy
    past_front: TcpProxy
    to_kafka: list[TcpProxy]
    relays: list[ProcessUnderTest] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=count)

    @property
    def database(self) -> Database:
        """The database with the outbox, on the primary."""
        return self.postgres.database

    @property
    def pooled(self) -> Database:
        """The same as services see it, whichever server is the primary."""
        return self.database.via(self.front.address)

    def connect(self) -> Connection[TupleRow]:
        """Connect to the primary, in autocommit mode."""
        return self.database.connect(autocommit=True)

    def follow(self, server: EmbeddedPostgres) -> None:
        """Send services and relays to this server from now on."""
        self.front.target = self.past_front.target = (server.host, server.port)

    def pause_clients(self) -> AbstractContextManager[None]:
        """Keep transactions from beginning, where the front can do so."""
        return self.front.paused() if isinstance(self.front, PgBouncer) else nullcontext()

    def start_relay(self) -> ProcessUnderTest:
        """Start one relay more."""
        environment = self._environment()
        if next(self._numbers) % 2:
            environment["LISTEN_DATABASE_URL"] = self.database.via(self.past_front.address).dsn
        relay = ProcessUnderTest(relay_command("run"), environment)
        self.relays.append(relay)
        return relay

    def end_relay(self, relay: ProcessUnderTest) -> None:
        """Forget a relay, which is killed if it still runs."""
        relay.close()
        self.relays.remove(relay)

    def fallen_relays(self) -> list[ProcessUnderTest]:
        """Replace the relays that ended by themselves, which none may; return them."""
        fallen = [relay for relay in self.relays if not relay.is_running]
        for relay in fallen:
            self.end_relay(relay)
            self.start_relay()
        return fallen

    def close_relays(self) -> None:
        """Kill what still runs."""
        for relay in self.relays:
            relay.close()

    def _environment(self) -> dict[str, str]:
        return {
            **RELAY,
            "DATABASE_URL": self.database.via(self.to_postgres.address).dsn,
            "KAFKA_BOOTSTRAP_SERVER": self.kafka.bootstrap,
        }


@contextmanager
def stage(relays: int, say: Say) -> Iterator[Stage]:
    """Start the servers, the proxies and so many *relays*."""
    with ExitStack() as stack:
        kafka = KafkaCluster()
        stack.callback(kafka.close)
        to_kafka = [stack.enter_context(TcpProxy(node.address)) for node in kafka.nodes]
        for node, proxy in zip(kafka.nodes, to_kafka, strict=True):
            node.advertise(proxy.address)
        kafka.start()
        # Off is safe here: the servers may crash, the machine does not.
        postgres = stack.enter_context(ReplicatedPostgres({"fsync": "off"}))
        front = stack.enter_context(_front(postgres.database, say))
        to_postgres = stack.enter_context(TcpProxy(front.address))
        past_front = stack.enter_context(TcpProxy(postgres.database.address))
        on = Stage(postgres, front, kafka, to_postgres, past_front, to_kafka)
        stack.callback(on.close_relays)
        _prepare(on)
        for _ in range(relays):
            on.start_relay()
        for relay in on.relays:
            relay.wait_for_log("relaying to", timeout=START_SECONDS)
        yield on


@contextmanager
def _front(database: Database, say: Say) -> Iterator[Front]:
    if find_program(PROGRAM) is None:
        say(f"{PROGRAM} is not installed: a proxy without a pool takes its place")
        with TcpProxy(database.address) as proxy:
            yield proxy
    else:
        with PgBouncer(database, POOL_SIZE) as pooler:
            yield pooler


def _prepare(on: Stage) -> None:
    apply_schema(on.database)
    with on.connect() as connection:
        connection.execute(WITNESS)
    limit = {
        "max.message.bytes": str(MAX_MESSAGE_BYTES),
        "message.timestamp.type": "LogAppendTime",
    }
    create_topic(on.kafka.admin_bootstrap, TOPIC, config=limit)
    on.kafka.await_in_sync(TOPIC)
