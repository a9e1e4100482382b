from collections.abc import Callable

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from tests.support.eventually import eventually
from tests.support.kafka.broker import KafkaBroker
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import (
    QUIET,
    admin_client,
    create_topic,
    delete_topic,
    read_topic,
)
from tests.support.outbox import Consume

MakeBroker = Callable[..., KafkaBroker]


def publish(bootstrap: str, topic: str, *values: bytes) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", **QUIET})
    for value in values:
        producer.produce(topic, value, key=b"k", headers=[("seq", b"7")])
    assert producer.flush(20) == 0


def answers(bootstrap: str) -> bool:
    try:
        return bool(admin_client(bootstrap).list_topics(timeout=1).brokers)
    except KafkaException:
        return False


def test_a_message_comes_back_whole(kafka: SessionKafka, topic: str, consume: Consume) -> None:
    publish(kafka.bootstrap, topic, b"one")
    (message,) = consume(topic, count=1)
    assert (message.key, message.value) == (b"k", b"one")
    assert message.header("seq") == b"7"
    assert message.header("id") is None
    assert message.offset == 0
    assert message.partition in range(4)


def test_reading_ends_where_the_topic_ends(
    kafka: SessionKafka, topic: str, consume: Consume
) -> None:
    assert consume(topic) == []
    publish(kafka.bootstrap, topic, b"one", b"two", b"three")
    assert [message.value for message in consume(topic)] == [b"one", b"two", b"three"]
    assert len(consume(topic, until=lambda found: found[-1:] != [])) >= 1


def test_waiting_for_a_message_in_vain_says_so(topic: str, consume: Consume) -> None:
    with pytest.raises(AssertionError, match="read 0 messages"):
        consume(topic, count=1, timeout=0.5)


@pytest.mark.kafka
def test_topics_have_the_wanted_shape(kafka: SessionKafka, make_topic: Callable[..., str]) -> None:
    name = make_topic(partitions=2, config={"max.message.bytes": "2000"})
    topics = admin_client(kafka.bootstrap).list_topics(timeout=10).topics
    assert len(topics[name].partitions) == 2
    assert delivery_error(kafka.bootstrap, name, b"x" * 5000) == KafkaError.MSG_SIZE_TOO_LARGE


def delivery_error(bootstrap: str, topic: str, value: bytes) -> int:
    errors: list[KafkaError | None] = []
    producer = Producer({"bootstrap.servers": bootstrap, **QUIET})
    producer.produce(topic, value, on_delivery=lambda error, _: errors.append(error))
    assert producer.flush(20) == 0
    (error,) = errors
    return error.code() if error else 0


@pytest.mark.kafka
def test_topics_are_not_created_by_asking(kafka: SessionKafka) -> None:
    with pytest.raises(KafkaException):
        read_topic(kafka.bootstrap, "never-created", timeout=1)


@pytest.mark.kafka
def test_deleting_a_missing_topic_is_fine(kafka: SessionKafka) -> None:
    delete_topic(kafka.bootstrap, "never-created")


@pytest.mark.kafka
def test_a_broker_keeps_address_and_messages_through_a_crash(make_broker: MakeBroker) -> None:
    broker = make_broker()
    before = broker.bootstrap
    create_topic(before, "kept", partitions=1)
    publish(before, "kept", b"one")

    broker.pause()
    assert not answers(before)
    broker.resume()
    eventually(lambda: answers(before), timeout=20)

    broker.kill()
    assert broker.pid is None
    assert not answers(before)
    broker.start()
    assert broker.bootstrap == before
    assert [message.value for message in read_topic(before, "kept", count=1)] == [b"one"]


@pytest.mark.kafka
def test_a_broker_may_ask_for_credentials(make_broker: MakeBroker) -> None:
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    broker = make_broker(
        {
            "listener.name.client.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.client.plain.sasl.jaas.config": (
                f'{module} required user_relay="relay-secret";'
            ),
        },
        client_protocol="SASL_PLAINTEXT",
    )
    create_topic(broker.admin_bootstrap, "guarded", partitions=1)
    credentials = {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "relay",
        "sasl.password": "relay-secret",
    }
    assert read_topic(broker.bootstrap, "guarded", config=credentials) == []
    with pytest.raises(KafkaException):
        read_topic(
            broker.bootstrap,
            "guarded",
            config=credentials | {"sasl.password": "wrong"},
            timeout=3,
        )
