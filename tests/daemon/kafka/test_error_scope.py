import pytest
from confluent_kafka import KafkaError

from relay.daemon.kafka.error_scope import ErrorScope, error_scope


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (KafkaError.MSG_SIZE_TOO_LARGE, ErrorScope.ROW),
        (KafkaError.INVALID_RECORD, ErrorScope.ROW),
        (KafkaError.POLICY_VIOLATION, ErrorScope.ROW),
        # The first of the answers that a broker may give, and the number that is none of them.
        (KafkaError.OFFSET_OUT_OF_RANGE, ErrorScope.ROW),
        (KafkaError.NO_ERROR, ErrorScope.BROKER),
        (KafkaError.UNKNOWN_TOPIC_OR_PART, ErrorScope.TOPIC),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, ErrorScope.TOPIC),
        (KafkaError.INVALID_TIMESTAMP, ErrorScope.TOPIC),
        (KafkaError._UNKNOWN_TOPIC, ErrorScope.TOPIC),
        (KafkaError.NOT_ENOUGH_REPLICAS, ErrorScope.PARTITION),
        (KafkaError.LEADER_NOT_AVAILABLE, ErrorScope.PARTITION),
        (KafkaError._UNKNOWN_PARTITION, ErrorScope.PARTITION),
        (KafkaError.SASL_AUTHENTICATION_FAILED, ErrorScope.BROKER),
        (KafkaError.CLUSTER_AUTHORIZATION_FAILED, ErrorScope.BROKER),
        (KafkaError._TRANSPORT, ErrorScope.BROKER),
        (KafkaError._PURGE_QUEUE, ErrorScope.BROKER),
        (KafkaError._PURGE_INFLIGHT, ErrorScope.BROKER),
        # An innocent one in a batch with a bad one: it stays, and is sent again.
        (KafkaError._INVALID_DIFFERENT_RECORD, ErrorScope.BROKER),
    ],
)
def test_an_error_concerns_row_topic_partition_or_broker(code: int, expected: ErrorScope) -> None:
    assert error_scope(KafkaError(code)) is expected
