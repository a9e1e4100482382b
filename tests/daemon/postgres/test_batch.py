"""Batches of rows to be settled, and the texts that go to PostgreSQL with them."""

import json

import pytest

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres.arrays import array
from relay.daemon.postgres.unsettled import Batch
from relay.daemon.rows import Reason, Rejected, Row
from tests.daemon.conftest import MakeStore
from tests.support.outbox import Outbox


def row(id_: int) -> Row:
    return Row(
        id=id_,
        event_id=f"event-{id_}",
        shard=0,
        topic=None,
        key=None,
        name="Row",
        payload="{}",
        metadata=None,
        headers=None,
        created_ms=0,
        size=2,
    )


@pytest.fixture
def batch() -> Batch:
    """Two rows that were delivered, and one that never will be."""
    found = Batch()
    found.deliver([row(1), row(2)])
    found.reject([Rejected(row(3), Reason.REFUSED, "refused")])
    return found


def test_a_batch_knows_rows_by_both_ids(batch: Batch) -> None:
    assert batch.delivered == {1: "event-1", 2: "event-2"}
    assert batch.rejected == {3: ("event-3", "refused")}
    assert (len(batch), batch.ids) == (3, [1, 2, 3])


def test_a_batch_keeps_what_it_is_told_to_keep(batch: Batch) -> None:
    batch.keep([2, 3, 4])
    assert batch.ids == [2, 3]


def test_a_batch_takes_in_another(batch: Batch) -> None:
    other = Batch()
    other.deliver([row(9)])
    batch.update(other)
    assert batch.ids == [1, 2, 9, 3]


@pytest.mark.parametrize(
    ("values", "text"), [([], "{}"), ([1], "{1}"), ([-3, 2**63 - 1], "{-3,9223372036854775807}")]
)
def test_an_array_as_postgresql_writes_it(values: list[int], text: str) -> None:
    assert array(values) == text


@pytest.mark.parametrize(
    "headers",
    [None, "{}", " { } ", "{\n}\n", '{"a": "b"}', ' {"a" :"b, }", "c":"{"} ', '{"x": "\\u0000"}'],
)
def test_a_replay_adds_its_header_to_whatever_text_is_there(
    outbox: Outbox, make_store: MakeStore, headers: str | None
) -> None:
    # As in tables that are older than the rule: jsonb would refuse some of these.
    outbox.connection.execute("ALTER TABLE outbox DISABLE TRIGGER outbox_refused")
    outbox.connection.execute(
        "INSERT INTO outbox (name, payload, headers, replayed) VALUES ('Row', '{}', %s, true)",
        (headers,),
    )
    with make_store().lease(Exclusions()) as lease:
        assert lease is not None
        ((found,),) = lease.chunks()
    assert json.loads(found.headers or "") == json.loads(headers or "{}") | {"replay": "true"}
