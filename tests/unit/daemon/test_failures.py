import pytest
from confluent_kafka import KafkaError

from relay.daemon.failures import Concern, concern


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, Concern.ROW),
        (KafkaError.INVALID_RECORD, Concern.ROW),
        (KafkaError.POLICY_VIOLATION, Concern.ROW),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, Concern.TOPIC),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Concern.TOPIC),
        (KafkaError.INVALID_TIMESTAMP, Concern.TOPIC),
        (KafkaError._UNKNOWN_TOPIC, Concern.TOPIC),
        (KafkaError.NOT_ENOUGH_REPLICAS, Concern.PARTITION),
        (KafkaError.LEADER_NOT_AVAILABLE, Concern.PARTITION),
        (KafkaError._UNKNOWN_PARTITION, Concern.PARTITION),
        (KafkaError.SASL_AUTHENTICATION_FAILED, Concern.BROKER),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, Concern.BROKER),
        (KafkaError._TRANSPORT, Concern.BROKER),
        (KafkaError._PURGE_QUEUE, Concern.BROKER),
        (KafkaError._PURGE_INFLIGHT, Concern.BROKER),
        # An innocent one in a batch with a bad one: it stays, and is sent again.
        (KafkaError._INVALID_DIFFERENT_RECORD, Concern.BROKER),
    ],
)
def test_an_error_is_about_the_row_its_place_or_the_broker(code: int, expected: Concern) -> None:
    assert concern(KafkaError(code)) is expected
