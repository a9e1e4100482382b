"""A row that cannot be published is parked alone, wherever it is in its batch or in its key."""

import itertools
import json
from collections.abc import Callable
from typing import Final

import pytest

from tests.faults.stream import Stream
from tests.support.kafka.selection import SessionKafka
from tests.support.kafka.topics import set_topic_config
from tests.support.metrics import metric
from tests.support.outbox import Outbox, Start

pytestmark = pytest.mark.kafka

ROWS = 60
POSITIONS = {"first": 0, "middle": ROWS // 2, "last": ROWS - 1}
# Keys in one batch: a key of each row's own, or one for all of them.
SCOPES: Final[dict[str, Callable[[int], str]]] = {"batch": "key-{}".format, "key": lambda _: "k"}

BATCH_ROWS = {"batch": "1000", "key": "10"}

SMALL_LIMIT_BYTES = 50_000
HARMLESS = json.dumps({"a": 1})
TOO_LARGE = json.dumps({"filler": "x" * 60_000})


def write(outbox: Outbox, position: int, scope: str, payload: str, headers: str) -> None:
    """Write all rows in one transaction, so that they meet in one batch."""
    with outbox.as_version_1() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO outbox (key, name, payload, headers) VALUES (%s, %s, %s, %s)",
            [
                (SCOPES[scope](number), "poison", payload, headers)
                if number == position
                else (SCOPES[scope](number), "innocent", HARMLESS, None)
                for number in range(ROWS)
            ],
        )


def assert_parked_alone(outbox: Outbox, error: str, stream: Stream, times: int = 1) -> None:
    rows = outbox.connection.execute("SELECT name, attempts, last_error FROM outbox").fetchall()
    assert [row[:2] for row in rows] == [("poison", 1)]
    assert error in rows[0][2]
    assert (stream.rows, stream.duplicates, stream.inversions) == (times * (ROWS - 1), 0, 0)


# Text that Python cannot read, though PostgreSQL takes it, among them.
UNREADABLE: Final = [
    ('{"traceparent": 7}', "header 'traceparent' is not text"),
    (r'{"a": "\ud800"}', "header 'a' holds half a surrogate pair"),
    ('{"a": ' + "[" * 3_000 + "]" * 3_000 + "}", "headers cannot be read"),
    ('{"a": ' + "1" * 5_000 + "}", "headers cannot be read"),
]


def test_poison_that_cannot_be_read(
    outbox: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    process = relay()
    everywhere = itertools.product(POSITIONS, SCOPES, UNREADABLE[:1])
    middle = itertools.product(["middle"], ["key"], UNREADABLE[1:])
    cases = [*everywhere, *middle]
    for number, (position, scope, (headers, error)) in enumerate(cases, start=1):
        write(outbox, POSITIONS[position], scope, HARMLESS, headers)
        outbox.await_empty()
        assert_parked_alone(outbox, error, stream(), times=number)
        outbox.connection.execute("DELETE FROM outbox")
    assert process.wait_for_log("was parked")["level"] == "ERROR"
    assert metric(process, "parked_total", reason="unreadable") == len(cases)


@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("scope", SCOPES)
def test_poison_that_kafka_refuses(
    outbox: Outbox,
    relay: Start,
    kafka: SessionKafka,
    topic: str,
    stream: Callable[[], Stream],
    position: str,
    scope: str,
) -> None:
    # A limit that is told wrongly: only the broker finds out, and refuses the whole batch. The
    # batches behind it are small enough and on their way.
    set_topic_config(kafka.bootstrap, topic, "max.message.bytes", str(SMALL_LIMIT_BYTES))
    write(outbox, POSITIONS[position], scope, TOO_LARGE, "{}")
    process = relay(
        RELAY_MAX_MESSAGE_BYTES="1000000",
        KAFKA_PROPERTY_COMPRESSION_TYPE="none",
        KAFKA_PROPERTY_BATCH_NUM_MESSAGES=BATCH_ROWS[scope],
    )
    outbox.await_empty()
    assert_parked_alone(outbox, "Kafka refused it alone", stream())
    assert metric(process, "parked_total", reason="too_large") == 1
    assert "xxxx" not in process.output
