"""A key is what the database takes it for, whatever a program writes."""

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any, Final

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from relay import Outbox
from tests.service.sqlalchemy.machines import Base, Country, Digest, Price, Reading, Texts
from tests.support.service import Stored

FOUR = timezone(timedelta(hours=4))
ID: Final = uuid.uuid4()
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)

KEYS: dict[str, tuple[type[Base], Callable[[], Any], Callable[[], Any]]] = {
    "hex": (Texts, lambda: Texts(id=ID.hex), lambda: ID.hex),
    "upper case": (Texts, lambda: Texts(id=str(ID)), lambda: str(ID).upper()),
    "another offset": (
        Reading,
        lambda: Reading(sensor=1, at=NOON),
        lambda: (1, NOON.astimezone(FOUR)),
    ),
    "padded": (Country, lambda: Country(code="DE"), lambda: "DE"),
    "another scale": (Price, lambda: Price(id=Decimal(1)), lambda: Decimal(1)),
}


@pytest.mark.parametrize(("entity", "make", "key"), KEYS.values(), ids=KEYS)
def test_a_key_is_what_the_database_takes_it_for(
    entity: type[Base],
    make: Callable[[], Base],
    key: Callable[[], Any],
    machines: Engine,
    outbox: Outbox,
    stored: Stored,
) -> None:
    outbox.track(entity)
    with Session(machines) as session, session.begin():
        session.add(make())
        session.flush()
        outbox.snapshot(session, entity, key())
    with Session(machines) as session, session.begin():
        found = make()
        if isinstance(found, Texts):
            found.id = key()
        found.value = 1  # type: ignore[attr-defined]
        session.merge(found)
    with Session(machines) as session, session.begin():
        outbox.snapshot(session, entity, key())
    with Session(machines) as session, session.begin():
        session.delete(session.get_one(entity, key()))
    shown = [(row["payload"]["value"], "deleted" in row["payload"]) for row in stored.outbox()]
    assert shown == [(0, False), (1, False), (1, False), (1, True)]
    assert len({str(row["payload"].get("id")) for row in stored.outbox()}) == 1


def test_keys_of_several_types_in_one_read(
    machines: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Texts)
    other = uuid.uuid4()
    with Session(machines) as session, session.begin():
        session.add_all([Texts(id=str(ID)), Texts(id=other.hex)])
        session.flush()
        outbox.snapshot(session, Texts, str(other).upper(), ID.hex)
    assert [row["payload"]["id"] for row in stored.outbox()] == [str(ID), str(other)]


def test_a_key_of_bytes(machines: Engine, outbox: Outbox, stored: Stored) -> None:
    outbox.track(Digest, json={"hash": bytes.hex}, key=lambda state: state["hash"].hex())
    with Session(machines) as session, session.begin():
        session.add_all([Digest(hash=b"\x00\xff'"), Digest(hash=b"\\x00")])
    with Session(machines) as session, session.begin():
        session.get_one(Digest, b"\x00\xff'").value = 1
    shown = [(row["payload"]["hash"], row["payload"]["value"]) for row in stored.outbox()]
    assert shown == [("00ff27", 0), ("5c783030", 0), ("00ff27", 1)]
