"""Three nodes of Kafka: when one dies, the two others carry on, and so does the relay."""

from collections.abc import Iterator

import pytest

from tests.faults.conftest import Recovery
from tests.faults.stream import Stream
from tests.support.eventually import eventually
from tests.support.kafka.cluster import KafkaCluster
from tests.support.kafka.libraries import KafkaUnavailableError
from tests.support.kafka.topics import create_topic, read_topic
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start
from tests.support.requirements import lacking

pytestmark = pytest.mark.kafka

TOPIC = "replicated"
ROWS = 20_000
PARTITIONS = 4
LEASE_ROWS = 1_000
# The cluster takes a node for dead after three seconds; its controller may have been that node.
AFTER_A_DEATH_SECONDS = 12.0


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    try:
        with KafkaCluster() as cluster:
            create_topic(cluster.admin_bootstrap, TOPIC, partitions=PARTITIONS)
            cluster.await_in_sync(TOPIC)
            yield cluster
    except KafkaUnavailableError as error:
        lacking(f"no real Kafka: {error}")


@pytest.fixture
def environment(environment: dict[str, str], cluster: KafkaCluster) -> dict[str, str]:
    return environment | {
        "KAFKA_BOOTSTRAP_SERVER": cluster.bootstrap,
        "KAFKA_EVENT_STREAM_TOPIC": TOPIC,
        "RELAY_LEASE_ROWS": str(LEASE_ROWS),
        "RELAY_STALL_SECONDS": "1",
        "RELAY_BACKOFF_MAX_SECONDS": "1",
    }


def test_the_leader_is_killed(
    cluster: KafkaCluster, outbox: Outbox, relay: Start, recovery: Recovery
) -> None:
    outbox.fill(ROWS, keys=100)
    process = relay()
    eventually(lambda: outbox.count() < ROWS, what="it is under way")
    dead = cluster.leader(TOPIC)
    dead.kill()
    assert outbox.count() > 0
    with recovery(AFTER_A_DEATH_SECONDS):
        outbox.await_empty("true")
    assert metric(process, "parked_total") == 0
    assert cluster.leader(TOPIC) is not dead
    found = Stream(read_topic(cluster.admin_bootstrap, TOPIC))
    assert (found.rows, found.inversions) == (ROWS, 0)
    # One lease, and of each attempt in the outage one row a partition.
    attempts = metric(process, "leases_total", outcome="broken")
    assert found.duplicates <= LEASE_ROWS + attempts * PARTITIONS
