"""The consumer that the tests of the preset trust stops where the real one does."""

import pytest

from tests.support.strict_consumer import Stopped, StrictConsumer


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"null",
        b"[]",
        b"{}",
        b'{"name": null, "payload": {}}',
        b'{"name": "Heartbeat", "payload": {}}',
        b'{"name": "HostStatusUpdated", "payload": {}}',
        b'{"name": "Event", "payload": {"x": NaN}}',
        b'{"name": "Event", "payload": {}, "metadata": []}',
    ],
)
def test_it_stops(value: bytes | None) -> None:
    with pytest.raises(Stopped):
        StrictConsumer().read(value)


def test_it_drops_what_it_does_not_understand() -> None:
    consumer = StrictConsumer()
    consumer.read(b'{"name": "Event", "payload": {"message": "m", "props": "{}"}}')
    consumer.read(b'{"name": "Event", "payload": {"cluster_id": "c", "props": {}}}')
    assert len(consumer.dropped) == 2


def test_it_enriches_an_event_with_what_it_read_before() -> None:
    consumer = StrictConsumer()
    event = b'{"name": "Event", "payload": {"cluster_id": "c", "message": "%b", "event_time": "t",'
    event += b' "props": "{\\"a\\": 1}"}, "metadata": {"versions": {"x": "1"}}}'
    consumer.read(event % b"before")
    consumer.read(b'{"name": "ClusterState", "payload": {"id": "c"}}')
    consumer.read(event % b"after")
    before, after = consumer.documents["before", "t"], consumer.documents["after", "t"]
    assert (before["cluster"], after["cluster"]) == (None, {"id": "c"})
    assert (after["props"], after["versions"], after["release_tag"]) == ({"a": 1}, {"x": "1"}, None)
