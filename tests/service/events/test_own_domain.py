"""An event may belong to something of the service's own: stored, keyed and replayed by it."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from relay import Event, Outbox, Scope, Severity
from relay.errors import EventDefinitionError, PayloadError
from relay.operations.replay import Replay
from relay.service.rate_limits import RateLimits
from tests.support.postgres import Database
from tests.support.service import WRITER, Stored


class OrderEvent(Event, scope="order"):
    order_id: int


class OrderPaid(OrderEvent, severity=Severity.INFO, message="Order {order_id}: {amount} paid"):
    amount: str


class Shipped(Event, severity=Severity.INFO, message="{parcel_id} left", scope="parcel"):
    parcel_id: str | uuid.UUID | None


def emit(database: Database, outbox: Outbox, *events: Event) -> None:
    with psycopg.connect(database.dsn, options=f"-c role={WRITER}") as connection:
        for event in events:
            outbox.emit(connection, event)


def test_its_id_is_stored_as_text_and_keys_the_message(
    database: Database, outbox: Outbox, stored: Stored
) -> None:
    cluster = uuid.uuid4()
    emit(database, outbox, OrderPaid(order_id=42, amount="7 €", cluster_id=cluster))
    emit(database, outbox, Shipped(parcel_id="P-1"))
    paid, shipped = stored.events()
    assert (paid["subject_kind"], paid["subject_id"]) == ("order", "42")
    assert (paid["cluster_id"], paid["props"]) == (cluster, {"order_id": 42, "amount": "7 €"})
    assert (shipped["subject_kind"], shipped["subject_id"]) == ("parcel", "P-1")
    row, other = stored.outbox()
    assert (row["key"], row["payload"]["order_id"]) == ("42", 42)
    assert row["payload"]["message"] == "Order 42: 7 € paid"
    assert other["key"] == "P-1"
    assert other["payload"].keys() == {"message", "severity", "event_time", "parcel_id"}


@pytest.mark.parametrize("parcel", [None, "", "x" * 1025])
def test_an_id_that_cannot_be_one_is_refused(
    database: Database, outbox: Outbox, stored: Stored, parcel: str | None
) -> None:
    with pytest.raises(PayloadError, match="parcel_id"):
        emit(database, outbox, Shipped(parcel_id=parcel))
    assert stored.events() == stored.outbox() == []


def test_a_scope_without_its_field_is_refused_when_the_class_is_defined() -> None:
    with pytest.raises(EventDefinitionError, match='scope="order" needs the field order_id'):

        class Lost(Event, severity=Severity.INFO, message="Lost", scope="order"):
            pass


@pytest.mark.parametrize("scope", ["", "Order", "an order", "1st", "x" * 64])
def test_a_scope_that_can_be_no_field_is_refused(scope: str) -> None:
    with pytest.raises(EventDefinitionError, match=r"give Scope\.CLUSTER"):

        class Lost(Event, severity=Severity.INFO, message="Lost", scope=scope):
            pass


def test_the_usual_scopes_go_by_their_names_too() -> None:
    class Known(Event, severity=Severity.INFO, message="Known", scope="host"):
        pass

    assert Known.definition is not None
    assert Known.definition.scope is Scope.HOST


def test_a_rate_limit_counts_for_each_subject(database: Database, stored: Stored) -> None:
    outbox = Outbox(
        streaming=True, rate_limits=RateLimits({"OrderPaid": timedelta(hours=1)}, streamed=False)
    )
    paid = [OrderPaid(order_id=number, amount="1") for number in (1, 1, 2)]
    emit(database, outbox, *paid)
    assert [event["subject_id"] for event in stored.events()] == ["1", "2"]


def test_one_from_before_is_limited_by_those_of_its_subject(
    database: Database, stored: Stored
) -> None:
    outbox = Outbox(streaming=True, rate_limits=RateLimits({"OrderPaid": timedelta(hours=1)}))
    now = datetime.now(UTC)
    for order, hours in ((1, 0), (1, 3), (1, 3.5), (2, 3.5), (1, 6), (2, 3.6)):
        moment = now - timedelta(hours=hours)
        emit(database, outbox, OrderPaid(order_id=order, amount="1", event_time=moment))
    found = [(event["subject_id"], now - event["event_time"]) for event in stored.events()]
    assert [(order, gone / timedelta(hours=1)) for order, gone in found] == [
        ("1", 0),
        ("1", 3),
        ("2", 3.5),
        ("1", 6),
    ]


def test_a_replay_of_it_is_the_message_again(
    database: Database, outbox: Outbox, stored: Stored
) -> None:
    emit(database, outbox, *(OrderPaid(order_id=number, amount="1") for number in (1, 2)))
    first = stored.outbox()
    connection: Any
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        replay = Replay(None, None, dry_run=False, seen=lambda *_: None, subject=("order", "2"))
        replay.events(connection, outbox._composer)  # noqa: SLF001
    (again,) = stored.outbox()[2:]
    assert again["replayed"]
    same = {name: again[name] for name in ("event_id", "key", "name", "payload")}
    assert same == {name: first[1][name] for name in same}


def test_the_table_takes_no_half_a_subject(database: Database) -> None:
    with (
        psycopg.connect(database.dsn) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="outbox_event_subject_check"),
    ):
        connection.execute(
            "INSERT INTO outbox_event (name, severity, message, subject_kind)"
            " VALUES ('n', 'info', 'm', 'order')"
        )
