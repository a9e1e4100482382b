import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial

import pytest

from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import (
    ConsumedMessage,
    admin_client,
    create_topic,
    delete_topic,
    read_topic,
)
from tests.support.outbox import Consume, Outbox, Start
from tests.support.postgres import Database
from tests.support.process import ProcessUnderTest, relay_process
from tests.support.requirements import lacking

pytest_plugins = [
    "tests.support.scheduling",
    "tests.support.session",
    "tests.support.service",
]


@pytest.fixture(autouse=True)
def _real_kafka_where_marked(request: pytest.FixtureRequest) -> None:
    if request.node.get_closest_marker("kafka"):
        kafka: SessionKafka = request.getfixturevalue("kafka")
        if not kafka.is_real:
            lacking(f"no real Kafka: {kafka.absent}")


@pytest.fixture
def make_broker() -> Iterator[Callable[..., KafkaBroker]]:
    """Start a broker for one test alone: `make_broker(properties, client_protocol=...)`.

    With `start=False` the test starts it, after it told where to advertise it.
    """
    with ExitStack() as brokers:

        def make(
            properties: Mapping[str, str] | None = None,
            *,
            client_protocol: str = "PLAINTEXT",
            start: bool = True,
        ) -> KafkaBroker:
            broker = KafkaBroker(properties, client_protocol=client_protocol)
            brokers.callback(broker.close)
            try:
                return broker.start() if start else broker
            except KafkaUnavailableError as error:
                lacking(f"no real Kafka: {error}")

        yield make


@pytest.fixture
def make_topic(kafka: SessionKafka) -> Iterator[Callable[..., str]]:
    """Create a topic for one test alone: `make_topic(partitions=4, config={...})` names it."""
    with ExitStack() as topics:

        def make(*, partitions: int = 4, config: Mapping[str, str] | None = None) -> str:
            name = f"relay-test-{uuid.uuid4().hex[:12]}"
            if kafka.is_real:
                create_topic(kafka.bootstrap, name, partitions=partitions, config=config)
                topics.callback(delete_topic, kafka.bootstrap, name)
            else:
                # The mock has no such request: it makes a topic when asked about one.
                assert (partitions, config) == (4, None), "the mock knows only default topics"
                admin_client(kafka.bootstrap).list_topics(name, timeout=10)
            return name

        yield make


@pytest.fixture
def topic(make_topic: Callable[..., str]) -> str:
    """A topic of four partitions, for one test alone."""
    return make_topic()


@pytest.fixture
def consume(kafka: SessionKafka) -> Callable[..., list[ConsumedMessage]]:
    """`read_topic` on this session's broker: `consume(topic, count=3)`."""
    return partial(read_topic, kafka.bootstrap)


@pytest.fixture
def run_relay() -> Iterator[Callable[..., ProcessUnderTest]]:
    """Start `relay ...` as a user would: `run_relay("run", environment={...})`."""
    with ExitStack() as processes:

        def run(*arguments: str, environment: Mapping[str, str]) -> ProcessUnderTest:
            return processes.enter_context(relay_process(*arguments, environment=environment))

        yield run


@pytest.fixture
def outbox(database: Database) -> Iterator[Outbox]:
    with database.connect(autocommit=True) as connection:
        yield Outbox(connection)


@pytest.fixture
def database_connection(database: Database) -> Iterator[Outbox]:
    """A second connection, for another transaction at the same time."""
    with database.connect(autocommit=True) as connection:
        yield Outbox(connection)


@pytest.fixture
def environment(database: Database, kafka: SessionKafka, topic: str) -> dict[str, str]:
    """What a relay needs to run on this test's database and topic."""
    return {
        "ENABLE_EVENT_STREAMING": "true",
        "DATABASE_URL": database.dsn,
        "KAFKA_BOOTSTRAP_SERVER": kafka.bootstrap,
        "KAFKA_EVENT_STREAM_TOPIC": topic,
        "RELAY_METRICS_HOST": "127.0.0.1",
        "RELAY_METRICS_PORT": "0",
        "RELAY_LOG_FORMAT": "json",
    }


@pytest.fixture
def relay(run_relay: Start, environment: dict[str, str]) -> Start:
    """Start `relay run`; keyword arguments change its environment."""

    def start(**changes: str) -> ProcessUnderTest:
        return run_relay("run", environment=environment | changes)

    return start


@pytest.fixture
def sabotaged(environment: dict[str, str]) -> Iterator[Callable[..., ProcessUnderTest]]:
    """Start a relay that does itself harm: `sabotaged("SIGKILL", "ack", 3)`."""
    # The whole relay, which not every version of every library has to run.
    from tests.support import sabotage  # noqa: PLC0415

    with ExitStack() as processes:

        def start(what: str, point: str, countdown: int = 1, **changes: str) -> ProcessUnderTest:
            command = [sabotage.__file__, what, point, str(countdown)]
            process = ProcessUnderTest(command, environment | changes, program=sabotage.main)
            return processes.enter_context(process)

        yield start


@pytest.fixture
def read(consume: Consume, topic: str) -> Consume:
    """Read this test's topic from its beginning."""
    return partial(consume, topic)
