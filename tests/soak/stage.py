"""Everything real that a soak runs on: servers, faulty networks before them, and the relays."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Final

from psycopg import Connection
from psycopg.rows import TupleRow

from relay.demo.postgres import EmbeddedPostgres
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.topics import create_topic
from tests.support.postgres import Database, apply_schema
from tests.support.process import ProcessUnderTest, relay_command
from tests.support.tcp_proxy import TcpProxy

TOPIC: Final = "soak"
LEASE_ROWS: Final = 500
LEASE_TIMEOUT_SECONDS: Final = 8
# Larger than this is poison.
MAX_MESSAGE_BYTES: Final = 100_000

# What was committed and when it was deleted, kept by the transactions themselves: the truth to
# judge by, however a transaction ended.
_WITNESS: Final = """
CREATE TABLE soak_written (seq bigint, event_id uuid, key text);
CREATE TABLE soak_deleted (event_id uuid, at_ms bigint);
CREATE FUNCTION soak_witness() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO soak_written VALUES (NEW.id, NEW.event_id, NEW.key);
    ELSE
        INSERT INTO soak_deleted
        VALUES (OLD.event_id, extract(epoch FROM clock_timestamp()) * 1000);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER soak_witness AFTER INSERT OR DELETE ON outbox
    FOR EACH ROW EXECUTE FUNCTION soak_witness();
"""


@dataclass
class Stage:
    """The relays reach both servers through proxies; everybody else goes directly."""

    postgres: EmbeddedPostgres
    broker: KafkaBroker
    to_postgres: TcpProxy
    to_kafka: TcpProxy
    relays: list[ProcessUnderTest] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """The database with the outbox."""
        return Database(self.postgres.dsn())

    def connect(self) -> Connection[TupleRow]:
        """Connect past the proxy, in autocommit mode."""
        return self.database.connect(autocommit=True)

    def start_relay(self) -> ProcessUnderTest:
        """Start one relay more."""
        relay = ProcessUnderTest(relay_command("run"), self._environment())
        self.relays.append(relay)
        return relay

    def end_relay(self, relay: ProcessUnderTest) -> None:
        """Forget a relay, which is killed if it still runs."""
        relay.close()
        self.relays.remove(relay)

    def close_relays(self) -> None:
        """Kill what still runs."""
        for relay in self.relays:
            relay.close()

    def _environment(self) -> Mapping[str, str]:
        host, port = self.to_postgres.address
        return {
            "ENABLE_EVENT_STREAMING": "true",
            "DATABASE_URL": f"postgresql://postgres@{host}:{port}/postgres",
            "KAFKA_BOOTSTRAP_SERVER": self.broker.bootstrap,
            "KAFKA_EVENT_STREAM_TOPIC": TOPIC,
            "RELAY_LEASE_ROWS": str(LEASE_ROWS),
            "RELAY_CHUNK_ROWS": "100",
            "RELAY_LEASE_SECONDS": "1",
            "RELAY_STALL_SECONDS": "1.5",
            "RELAY_DELIVERY_BUDGET_SECONDS": "4",
            "RELAY_LEASE_TIMEOUT_SECONDS": str(LEASE_TIMEOUT_SECONDS),
            "RELAY_BACKOFF_MAX_SECONDS": "1",
            "RELAY_DRAIN_BUDGET_SECONDS": "4",
            "RELAY_METRICS_HOST": "127.0.0.1",
            "RELAY_METRICS_PORT": "0",
            "RELAY_LOG_FORMAT": "json",
        }


@contextmanager
def stage(relays: int) -> Iterator[Stage]:
    """Start the servers, the proxies and so many *relays*."""
    with ExitStack() as stack:
        # Off is safe here: the server may crash, the machine does not.
        postgres = stack.enter_context(EmbeddedPostgres({"fsync": "off"}))
        broker = KafkaBroker()
        stack.callback(broker.close)
        to_kafka = stack.enter_context(TcpProxy(broker.address))
        broker.advertise(to_kafka.address)
        broker.start()
        limit = {
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
            "message.timestamp.type": "LogAppendTime",
        }
        create_topic(broker.admin_bootstrap, TOPIC, config=limit)
        to_postgres = stack.enter_context(TcpProxy((postgres.host, postgres.port)))
        on = Stage(postgres, broker, to_postgres, to_kafka)
        apply_schema(on.database)
        with on.connect() as connection:
            connection.execute(_WITNESS)
        stack.callback(on.close_relays)
        for _ in range(relays):
            on.start_relay()
        for relay in on.relays:
            relay.wait_for_log("relaying to", timeout=60)
        yield on
