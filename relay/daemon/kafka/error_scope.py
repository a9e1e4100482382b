"""Scope of a Kafka error: row, topic, partition or broker."""

from enum import Enum, auto
from typing import Final

from confluent_kafka import KafkaError


class ErrorScope(Enum):
    """Scope of an error: what has to give way."""

    ROW = auto()
    TOPIC = auto()
    PARTITION = auto()
    BROKER = auto()


_TOPIC: Final = frozenset({
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
    # Of a message that the topic takes to be too old or too new: a clock is wrong, not the row.
    KafkaError.INVALID_TIMESTAMP,
    KafkaError._UNKNOWN_TOPIC,
})  # fmt: skip
_PARTITION: Final = frozenset({
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.NOT_ENOUGH_REPLICAS,
    KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
    KafkaError.KAFKA_STORAGE_ERROR,
    KafkaError._UNKNOWN_PARTITION,
})  # fmt: skip
_BROKER: Final = frozenset({
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
    KafkaError.DUPLICATE_SEQUENCE_NUMBER,
    KafkaError.UNKNOWN_PRODUCER_ID,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError.THROTTLING_QUOTA_EXCEEDED,
})  # fmt: skip
TOO_LARGE: Final = frozenset({
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.RECORD_LIST_TOO_LARGE,
})  # fmt: skip


def error_scope(error: KafkaError) -> ErrorScope:
    """Return the scope of *error*.

    An answer of the broker's that is final and not known here is taken to be about the row: sent
    alone, it shows whether that is so, and nothing behind it waits for ever.
    """
    code = error.code()
    if code in _TOPIC:
        return ErrorScope.TOPIC
    if code in _PARTITION:
        return ErrorScope.PARTITION
    from_broker = code > 0
    if from_broker and code not in _BROKER and not error.retriable():
        return ErrorScope.ROW
    return ErrorScope.BROKER
