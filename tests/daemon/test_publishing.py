"""What a consumer finds on the topic."""

import json
from collections.abc import Callable

import pytest

from relay.demo.history import judge
from tests.support.eventually import eventually
from tests.support.history import reads
from tests.support.metrics import metric
from tests.support.outbox import Consume, Outbox, Start

pytestmark = pytest.mark.kafka


def test_the_envelope_is_what_was_stored(outbox: Outbox, relay: Start, read: Consume) -> None:
    payload = '{"a":1,  "b" : "ü \\u2028 🚀", "n": 1.0}'
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload, metadata, headers) VALUES "
        '(\'cluster\', \'My"Name\', %s, \'{"versions": {"x": "1"}}\', \'{"traceparent": "00-1"}\')',
        (payload,),
    )
    row = outbox.connection.execute("SELECT id, event_id::text FROM outbox").fetchone()
    assert row is not None
    relay()
    (message,) = read(count=1)
    assert message.value is not None
    assert message.value.decode() == (
        '{"name": "My\\"Name", "payload": ' + payload + ', "metadata": {"versions": {"x": "1"}}}'
    )
    assert message.key == b"cluster"
    assert message.headers == [
        ("id", row[1].encode()),
        ("seq", str(row[0]).encode()),
        ("traceparent", b"00-1"),
    ]
    outbox.await_empty()


def test_the_relays_versions_fill_a_row_that_has_none(
    outbox: Outbox, relay: Start, read: Consume
) -> None:
    outbox.emit("Plain", key=None)
    relay(SELF_VERSION="1.2.3")
    (message,) = read(count=1)
    envelope = json.loads(message.value or b"")
    assert envelope["metadata"]["versions"]["assisted-installer-service"] == "1.2.3"
    assert message.key is None


def test_two_relays_keep_the_order_of_each_key(outbox: Outbox, relay: Start, read: Consume) -> None:
    outbox.fill(20_000, keys=100)
    relays = [relay(RELAY_LEASE_ROWS="500", RELAY_CHUNK_ROWS="100") for _ in range(2)]
    outbox.await_empty(timeout=60)
    assert [process.terminate() for process in relays] == [0, 0]
    messages = read(count=20_000)
    assert len({message.header("id") for message in messages}) == len(messages) == 20_000
    assert len({message.key for message in messages}) == 100
    assert judge((), reads(messages)).inversions == 0


def test_after_kill_9_another_relay_goes_on(outbox: Outbox, relay: Start, read: Consume) -> None:
    outbox.fill(30_000, keys=50)
    first = relay(RELAY_LEASE_ROWS="1000")
    eventually(lambda: outbox.count() < 28_000, what="the first relay is under way")
    first.kill()
    left = outbox.count()
    assert left > 0
    relay(RELAY_LEASE_ROWS="1000")
    outbox.await_empty(timeout=60)
    messages = read(until=lambda found: len({m.header("id") for m in found}) == 30_000)
    assert len(messages) <= 30_000 + 1000
    assert judge((), reads(messages)).inversions == 0


def test_copies_of_a_row_are_alike(outbox: Outbox, relay: Start, read: Consume) -> None:
    outbox.fill(30_000, keys=50)
    for _ in range(3):
        process = relay(RELAY_LEASE_ROWS="5000")
        before = outbox.count()
        eventually(lambda before=before: outbox.count() < before, what="it is under way")  # type: ignore[misc]
        process.kill()
    relay()
    outbox.await_empty(timeout=60)
    copies: dict[bytes | None, set[tuple[object, ...]]] = {}
    for message in read(until=lambda found: len({m.header("id") for m in found}) == 30_000):
        content = (message.key, message.value, tuple(message.headers), message.partition)
        copies.setdefault(message.header("id"), set()).add(content)
    assert {len(contents) for contents in copies.values()} == {1}


def test_a_row_too_large_is_parked_and_its_neighbours_go_on(
    outbox: Outbox, relay: Start, make_topic: Callable[..., str], consume: Consume
) -> None:
    small = make_topic(config={"max.message.bytes": "50000"})
    for name, size in (("first", 10), ("large", 60_000), ("last", 10)):
        outbox.emit(name, json.dumps({"filler": "x" * size}))
    process = relay(KAFKA_EVENT_STREAM_TOPIC=small)
    assert [json.loads(m.value or b"")["name"] for m in consume(small, count=2)] == [
        "first",
        "last",
    ]
    outbox.await_empty()
    row = outbox.connection.execute("SELECT name, attempts, last_error FROM outbox").fetchone()
    assert row is not None
    assert row[:2] == ("large", 1)
    assert "max.message.bytes" in row[2]
    assert process.wait_for_log("was parked")["level"] == "ERROR"
    assert "xxxx" not in process.output


def test_rows_that_are_only_together_too_large_leave_in_batches_that_kafka_takes(
    outbox: Outbox, relay: Start, make_topic: Callable[..., str], consume: Consume
) -> None:
    small = make_topic(partitions=1, config={"max.message.bytes": "20000"})
    outbox.connection.execute(
        "INSERT INTO outbox (key, name, payload) SELECT 'k', 'n', json_build_object('f', (SELECT "
        "string_agg(md5(random()::text || g || h), '') FROM generate_series(1, 30) AS h)) "
        "FROM generate_series(1, 300) AS g"
    )
    process = relay(KAFKA_EVENT_STREAM_TOPIC=small, KAFKA_PROPERTY_COMPRESSION_TYPE="none")
    outbox.await_empty("true")
    assert len(consume(small)) == 300
    # None was refused: a batch of what Kafka's client takes by default would have been.
    assert metric(process, "published_total") == 300
    assert metric(process, "failed_total") == 0
    assert metric(process, "producer_rebuilds_total", reason="failure") == 0


def test_a_requeued_row_is_found_again(outbox: Outbox, relay: Start, read: Consume) -> None:
    outbox.emit("early")
    outbox.connection.execute("UPDATE outbox SET parked_at = now()")
    relay()
    outbox.fill(1000, keys=10)
    outbox.await_empty()
    # Two refreshes of the watermarks later, nothing below them is looked at any more.
    outbox.emit("between")
    outbox.await_empty()
    outbox.connection.execute("SELECT outbox_requeue(ARRAY[1], 'repaired')")
    outbox.await_empty("true")
    assert len(read(count=1002)) == 1002


def test_a_row_that_commits_late_is_found(
    outbox: Outbox, database_connection: Outbox, relay: Start, read: Consume
) -> None:
    late = database_connection.connection
    late.execute("BEGIN")
    late.execute("SELECT outbox_emit('late', '{}', 'other key')")
    relay()
    for number in range(30):
        outbox.emit(f"early {number}")
        outbox.await_empty()
    late.execute("COMMIT")
    outbox.await_empty("true")
    names = [json.loads(m.value or b"")["name"] for m in read(count=31)]
    assert "late" in names


def test_a_paused_shard_waits(outbox: Outbox, relay: Start, read: Consume) -> None:
    outbox.emit("waits", key="paused")
    outbox.emit("goes", key="free")
    outbox.connection.execute("SELECT outbox_pause(ARRAY[outbox_shard_of('paused')], 'to wait')")
    relay()
    assert [m.key for m in read(count=1)] == [b"free"]
    assert outbox.count("key = 'paused'") == 1
    outbox.connection.execute("SELECT outbox_resume(ARRAY[outbox_shard_of('paused')], 'to go')")
    outbox.await_empty()
