"""`relay create-topic`: the topic is there before the first message."""

import uuid
from collections.abc import Iterator

import pytest

from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import admin_client, delete_topic
from tests.support.outbox import Start

pytestmark = pytest.mark.kafka


@pytest.fixture
def name(kafka: SessionKafka) -> Iterator[str]:
    name = f"relay-test-{uuid.uuid4().hex[:12]}"
    yield name
    delete_topic(kafka.bootstrap, name)


def environment(bootstrap: str, name: str) -> dict[str, str]:
    return {
        "ENABLE_EVENT_STREAMING": "true",
        "KAFKA_BOOTSTRAP_SERVER": bootstrap,
        "KAFKA_EVENT_STREAM_TOPIC": name,
    }


def test_it_is_created_once(run_relay: Start, kafka: SessionKafka, name: str) -> None:
    given = environment(kafka.bootstrap, name)
    options = ("--partitions", "3", "--replicas", "1", "--config", "retention.ms=60000")
    first = run_relay("create-topic", *options, environment=given)
    assert (first.wait(), first.stdout) == (0, [f"The topic {name} was created."])
    again = run_relay("create-topic", "--partitions", "9", environment=given)
    assert (again.wait(), again.stdout) == (
        0,
        [f"The topic {name} exists already; nothing was changed."],
    )
    topic = admin_client(kafka.bootstrap).list_topics(name, timeout=10).topics[name]
    assert len(topic.partitions) == 3


def test_what_the_broker_refuses(run_relay: Start, kafka: SessionKafka, name: str) -> None:
    given = environment(kafka.bootstrap, name)
    process = run_relay("create-topic", "--config", "nonsense=1", environment=given)
    assert process.wait() == 1
    assert f"The topic {name} could not be created" in process.output
    assert "Unknown topic config name: nonsense" in process.output


@pytest.mark.parametrize(
    ("options", "changes", "fault"),
    [
        (["--config", "nonsense"], {}, "write NAME=VALUE"),
        ([], {"ENABLE_EVENT_STREAMING": "false"}, "ENABLE_EVENT_STREAMING is off"),
        ([], {"KAFKA_EVENT_STREAM_TOPIC": ""}, "KAFKA_EVENT_STREAM_TOPIC is missing"),
    ],
)
def test_what_it_is_not_told(
    run_relay: Start, options: list[str], changes: dict[str, str], fault: str
) -> None:
    given = environment("127.0.0.1:1", "never-made") | changes
    process = run_relay("create-topic", *options, environment=given)
    assert process.wait() == 2
    assert fault in process.output
