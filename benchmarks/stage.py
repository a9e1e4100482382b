"""The real servers of a run, and what each measurement starts on them."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import psutil

from benchmarks.account import Account
from benchmarks.backlog import Backlog
from benchmarks.payloads import payloads
from benchmarks.progress import Progress
from benchmarks.sizes import Sizes
from relay.demo.postgres import EmbeddedPostgres
from tests.support.kafka.selection import SessionKafka, session_kafka
from tests.support.kafka.topics import create_topic, delete_topic
from tests.support.postgres import Database, apply_schema, temporary_database
from tests.support.process import ProcessUnderTest, relay_command

SAMPLES = 4_000
PARTITIONS = 8
# A quarter of the memory, as PostgreSQL's manual has it; more than that no backlog here needs.
SHARED_BUFFERS_MIB = min(psutil.virtual_memory().total // 4, 4 << 30) >> 20


@dataclass
class Stage:
    """A PostgreSQL that syncs to disk, a real Kafka, and the account of what was read."""

    postgres: Database
    kafka: SessionKafka
    sizes: Sizes
    progress: Progress
    account: Account = field(default_factory=Account)
    samples: list[str] = field(default_factory=lambda: payloads(SAMPLES))

    @contextmanager
    def backlog(self) -> Iterator[Backlog]:
        """An empty outbox in a database of its own."""
        with temporary_database(self.postgres) as database:
            apply_schema(database)
            backlog = Backlog(database, self.samples)
            try:
                yield backlog
            finally:
                backlog.close()

    @contextmanager
    def topic(self) -> Iterator[str]:
        """A topic of its own."""
        name = f"bench-{uuid.uuid4().hex[:12]}"
        create_topic(self.kafka.bootstrap, name, partitions=PARTITIONS)
        try:
            yield name
        finally:
            delete_topic(self.kafka.bootstrap, name)

    @contextmanager
    def relays(
        self, backlog: Backlog, topic: str, *, count: int = 1, bootstrap: str | None = None
    ) -> Iterator[list[ProcessUnderTest]]:
        """Relay processes at their default settings, ready to work."""
        environment: Mapping[str, str] = {
            "ENABLE_EVENT_STREAMING": "true",
            "DATABASE_URL": backlog.database.dsn,
            "KAFKA_BOOTSTRAP_SERVER": bootstrap or self.kafka.bootstrap,
            "KAFKA_EVENT_STREAM_TOPIC": topic,
            "RELAY_METRICS_HOST": "127.0.0.1",
            "RELAY_METRICS_PORT": "0",
            "RELAY_LOG_FORMAT": "json",
        }
        with ExitStack() as processes:
            started = [
                processes.enter_context(ProcessUnderTest(relay_command("run"), environment))
                for _ in range(count)
            ]
            for process in started:
                process.wait_for_log("relaying to", timeout=60)
            yield started
            for process in started:
                assert process.terminate() == 0, process.output


@contextmanager
def stage(
    sizes: Sizes, progress: Progress, shared_buffers_mib: int = SHARED_BUFFERS_MIB
) -> Iterator[Stage]:
    """Start the servers.

    Raises:
        SystemExit: no real Kafka is to be had; its mock would measure nothing.
    """
    like_production = {"shared_buffers": f"{shared_buffers_mib}MB", "max_wal_size": "4GB"}
    with EmbeddedPostgres(like_production) as server, session_kafka() as kafka:
        if not kafka.is_real:
            raise SystemExit(f"make bench needs a real Kafka: {kafka.absent}")
        yield Stage(Database(server.dsn()), kafka, sizes, progress)
