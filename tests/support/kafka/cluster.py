"""Three nodes of Apache Kafka, any two of which carry on."""

from typing import Final, Self

from confluent_kafka import ElectionType, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.support.eventually import eventually
from tests.support.kafka.broker import JAVA_OPTIONS, KafkaBroker
from tests.support.kafka.topics import REQUEST_SECONDS, admin_client
from tests.support.started import Started

NODES: Final = (1, 2, 3)
IN_SYNC_SECONDS: Final = 60.0
PROPERTIES: Final = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    # Leaders move when a test says so.
    "auto.leader.rebalance.enable": "false",
}
# Three of them share a machine with the tests.
HEAP: Final = "-Xmx256m"


class KafkaCluster(Started):
    """Three nodes, each of them broker and controller.

    Topics have a replica on each, and two must hold a message before it is acknowledged.
    """

    def __init__(self) -> None:
        options = [HEAP, *(option for option in JAVA_OPTIONS if not option.startswith("-Xmx"))]
        self.nodes = [KafkaBroker(PROPERTIES, node=node, java_options=options) for node in NODES]
        voters = {node: at for each in self.nodes for node, at in each.voters.items()}
        for each in self.nodes:
            each.join(voters)

    @property
    def bootstrap(self) -> str:
        """The advertised addresses of all nodes."""
        return ",".join(node.bootstrap for node in self.nodes)

    @property
    def admin_bootstrap(self) -> str:
        """The direct addresses of all nodes, past any proxy."""
        return ",".join(node.admin_bootstrap for node in self.nodes)

    def start(self) -> Self:
        """Start what does not run, and wait until every node answers.

        Raises:
            KafkaUnavailableError: Java or the jars are missing, or a node did not come up.
        """
        stopped = [node for node in self.nodes if node.pid is None]
        for node in stopped:
            node.launch()
        for node in stopped:
            node.await_answer()
        return self

    def leader(self, topic: str, partition: int = 0) -> KafkaBroker:
        """Return the node that takes the messages of a partition."""
        found = self._admin().list_topics(topic, timeout=REQUEST_SECONDS).topics[topic]
        return self.nodes[NODES.index(found.partitions[partition].leader)]

    def lead_as_created(self, topic: str) -> None:
        """Move the leaders of a topic back to the nodes that were chosen when it was created."""
        admin = self._admin()
        known = admin.list_topics(topic, timeout=REQUEST_SECONDS).topics[topic]
        partitions = [TopicPartition(topic, number) for number in known.partitions]
        moved = admin.elect_leaders(ElectionType.PREFERRED, partitions).result(REQUEST_SECONDS)
        for error in moved.values():
            if error is not None and error.code() != KafkaError.ELECTION_NOT_NEEDED:
                raise KafkaException(error)

    def await_in_sync(self, topic: str) -> None:
        """Wait until every node has all of a topic, so that any one of them may be harmed."""
        admin = self._admin()

        def in_sync() -> bool:
            try:
                found = admin.list_topics(topic, timeout=1).topics[topic]
            except KafkaException:
                return False
            partitions = found.partitions.values()
            return bool(partitions) and all(len(each.isrs) == len(NODES) for each in partitions)

        eventually(in_sync, timeout=IN_SYNC_SECONDS, what=f"all replicas of {topic} are in sync")

    def close(self) -> None:
        """End all nodes, frozen or not, and remove their data. May be called again."""
        for node in self.nodes:
            node.close()

    def _admin(self) -> AdminClient:
        return admin_client(self.admin_bootstrap)
