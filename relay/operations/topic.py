"""Creation of the stream's topic, before the first consumer looks for it."""

from collections.abc import Mapping
from typing import Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from relay.daemon.kafka.properties import client_properties
from relay.errors import RelayError
from relay.settings import KafkaSettings

ANSWER_SECONDS: Final = 15.0


def create(
    kafka: KafkaSettings, name: str, *, partitions: int, replicas: int, config: Mapping[str, str]
) -> bool:
    """Create the topic *name* at the broker of *kafka*; return False where it exists already.

    *partitions* and *replicas*: -1 is the broker's default.

    Raises:
        RelayError: the broker does not answer, or refuses.
    """
    wanted = NewTopic(
        name, num_partitions=partitions, replication_factor=replicas, config=dict(config)
    )
    # Silent: the answer names every fault.
    quiet: dict[str, str | int | float | bool] = {"log_level": 0}
    client = AdminClient({**client_properties(kafka), **quiet})
    asked = client.create_topics([wanted], request_timeout=ANSWER_SECONDS)
    try:
        asked[name].result(ANSWER_SECONDS + 1)
    except KafkaException as error:
        fault: KafkaError = error.args[0]
        if fault.code() == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise RelayError(
            f"The topic {name} could not be created at {kafka.bootstrap_server}: {fault.str()}. "
            "Check the address, and that the credential may create topics."
        ) from None
    return True
