"""Rows and keys of every shape arrive whole, once and in order."""

import json
from collections.abc import Callable

import pytest

from tests.faults.stream import Stream
from tests.support.outbox import Consume, Outbox, Start

pytestmark = pytest.mark.kafka

DEPTH = 2_000
TEXTS = {
    "megabyte": "x" * 1_000_000,
    "unicode": "Grüße, 世界, עולם, a\u0301 and \u00e1",
    "emoji": "\U0001f680 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "line_separators": "\u2028 \u2029 \u0085 \x7f",
}
PAYLOADS = {
    **{name: json.dumps({"text": text}, ensure_ascii=False) for name, text in TEXTS.items()},
    "escaped": r'{"text": "\u2028\ud83d\ude80\"\\\/\b\f"}',
    "very_deep": '{"a":' * DEPTH + "1" + "}" * DEPTH,
    "numbers": '{"large": 123456789012345678901234567890, "exact": 1.10, "small": 1e-400}',
    "spaced": '{ "a" :\t1 }',
}


@pytest.mark.parametrize("shape", PAYLOADS)
def test_payload(outbox: Outbox, relay: Start, read: Consume, shape: str) -> None:
    payload = PAYLOADS[shape]
    insert = "INSERT INTO outbox (key, name, payload, metadata) VALUES (%s, 'n', %s, '{}')"
    with outbox.connection.transaction():
        for name in ("before", shape, "after"):
            outbox.connection.execute(insert, (name, payload if name == shape else "{}"))
    process = relay()
    outbox.await_empty("true")
    messages = {message.key: message.value for message in read(count=3)}
    stored = payload.encode()
    assert messages[shape.encode()] == b'{"name": "n", "payload": ' + stored + b', "metadata": {}}'
    assert len(messages) == 3
    assert process.terminate() == 0


def test_empty_key(outbox: Outbox, relay: Start, read: Consume) -> None:
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) SELECT '', 'n', '{}' FROM generate_series(1, 100)"
    )
    relay()
    messages = read(count=100)
    assert {message.key for message in messages} == {b""}
    assert len({message.partition for message in messages}) == 1
    assert Stream(messages).inversions == 0


def test_100_000_rows_of_one_key(
    outbox: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    outbox.fill(100_000, keys=1)
    relays = [relay() for _ in range(2)]
    outbox.await_empty("true", timeout=60)
    assert [process.terminate() for process in relays] == [0, 0]
    found = stream()
    assert (found.rows, found.duplicates, found.inversions) == (100_000, 0, 0)


def test_a_thousand_keys_with_one_row_each(
    outbox: Outbox, relay: Start, stream: Callable[[], Stream]
) -> None:
    outbox.fill(1_000, keys=1_000)
    relays = [relay() for _ in range(2)]
    outbox.await_empty("true")
    assert [process.terminate() for process in relays] == [0, 0]
    found = stream()
    assert (found.rows, found.duplicates) == (1_000, 0)
    assert len({message.key for message in found.messages}) == 1_000
