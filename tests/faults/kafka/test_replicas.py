"""A node of the cluster is away: only what needs it waits."""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import pytest
from confluent_kafka.cimpl import NewTopic

from relay.database.session import connected
from relay.operations.doctor import stream
from relay.settings import KafkaSettings
from tests.faults.conftest import AFTER_AN_OUTAGE_SECONDS, Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.incidents import codes, see
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.proxied import ProxiedBroker
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import REQUEST_SECONDS, admin_client, delete_topic
from tests.support.metrics import metric
from tests.support.outbox import Consume, Outbox, Start
from tests.support.postgres import Database

pytestmark = pytest.mark.kafka

ROWS = 200
# Node numbers of the replicas of each partition.
Assignment = Sequence[Sequence[int]]
MakeTopic = Callable[[Assignment, Mapping[str, str]], str]

BOTH_NODES: Final[Assignment] = [[1, 2]]
ONE_NODE_EACH: Final[Assignment] = [[1], [2]]


@pytest.fixture(scope="module")
def joined(proxied: ProxiedBroker) -> Iterator[KafkaBroker]:
    second = KafkaBroker(node=2)
    second.join(proxied.broker.voters)
    with second:
        yield second
        # In good order, so that no topic of a later test is put there.
        second.stop()


@pytest.fixture
def second_node(joined: KafkaBroker) -> Iterator[KafkaBroker]:
    """The second node of the cluster, to be stopped."""
    yield joined
    joined.start()


@pytest.fixture
def assigned_topic(proxied: ProxiedBroker) -> Iterator[MakeTopic]:
    """Make a topic whose replicas are on these nodes."""
    bootstrap = proxied.broker.admin_bootstrap
    admin = admin_client(bootstrap)
    made: list[str] = []

    def make(assignment: Assignment, config: Mapping[str, str]) -> str:
        made.append(name := f"relay-test-{uuid.uuid4().hex[:12]}")
        wanted = NewTopic(
            name,
            num_partitions=len(assignment),
            replica_assignment=[list(nodes) for nodes in assignment],
            config=dict(config),
        )
        admin.create_topics([wanted])[name].result(REQUEST_SECONDS)

        def known() -> bool:
            found = admin.list_topics(timeout=REQUEST_SECONDS).topics.get(name)
            partitions = sorted(found.partitions.items()) if found else []
            return [list(partition.isrs) for _, partition in partitions] == assignment

        eventually(known, timeout=REQUEST_SECONDS)
        return name

    yield make
    for name in made:
        delete_topic(bootstrap, name)


@pytest.fixture
def topic(assigned_topic: MakeTopic, second_node: KafkaBroker) -> str:
    """A topic that does not need the second node."""
    del second_node
    return assigned_topic([[1], [1]], {})


def test_not_enough_in_sync_replicas(
    outbox: Outbox,
    relay: Start,
    second_node: KafkaBroker,
    assigned_topic: MakeTopic,
    consume: Consume,
    others_go_on: Callable[[], None],
    recovery: Recovery,
) -> None:
    other = assigned_topic(BOTH_NODES, {"min.insync.replicas": "2"})
    second_node.stop()
    for number in range(ROWS):
        outbox.emit("waits", key=f"key-{number % 20}", topic=other)
    process = relay()
    warning = process.wait_for_log(f"{other} [0] is on hold")
    assert warning["level"] == "WARNING"
    others_go_on()
    assert outbox.count("parked_at IS NULL AND attempts = 0") == ROWS
    assert metric(process, "failed_total", topic=other) > 0
    second_node.start()
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    found = Stream(consume(other))
    assert (found.rows, found.inversions) == (ROWS, 0)


def test_one_partition_without_a_leader(  # noqa: PLR0913, PLR0917 - fixtures
    outbox: Outbox,
    relay: Start,
    second_node: KafkaBroker,
    assigned_topic: MakeTopic,
    consume: Consume,
    others_go_on: Callable[[], None],
    recovery: Recovery,
    database: Database,
    kafka: SessionKafka,
) -> None:
    other = assigned_topic(ONE_NODE_EACH, {})
    second_node.stop()
    for number in range(ROWS):
        outbox.emit("waits", key=f"key-{number % 20}", topic=other)
    process = relay()
    warning = process.wait_for_log(f"{other} [1] is on hold")
    eventually(lambda: "partition-on-hold" in codes(see(database)), timeout=20)
    given = KafkaSettings(bootstrap_server=kafka.bootstrap, event_stream_topic=other)
    with connected(database.dsn, "test") as connection:
        found = {each.code: each.detail for each in stream.examine(connection, given, None)}
    assert found["partition-without-leader"].startswith("partition 1 has no leader")
    assert warning["level"] == "WARNING"
    assert "no leader" in warning["message"]
    of_leaderless = "outbox_partition('murmur2', key, 2) = 1"
    stuck = outbox.count(of_leaderless)
    outbox.await_empty(f"NOT {of_leaderless}")
    others_go_on()
    assert (
        outbox.count("parked_at IS NULL AND attempts = 0") == outbox.count(of_leaderless) == stuck
    )
    assert 0 < stuck < ROWS
    second_node.start()
    with recovery(AFTER_AN_OUTAGE_SECONDS):
        outbox.await_empty("true")
    read = Stream(consume(other))
    assert (read.rows, read.duplicates, read.inversions) == (ROWS, 0, 0)
