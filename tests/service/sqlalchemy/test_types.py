"""What JSON cannot hold is found when a class is tracked, not at some commit of the service."""

import enum
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    CHAR,
    JSON,
    DateTime,
    Engine,
    Enum,
    Float,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    PickleType,
    String,
    Time,
    TypeDecorator,
    Uuid,
    create_engine,
)
from sqlalchemy.dialects.postgresql import (
    CIDR,
    DOMAIN,
    HSTORE,
    INET,
    INT4RANGE,
    JSONB,
    MACADDR,
    TSTZMULTIRANGE,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeEngine

from relay import Outbox
from relay.errors import EventDefinitionError, PayloadError
from tests.support.postgres import Database
from tests.support.service import Stored, url


class Zoned(TypeDecorator[datetime]):
    impl = DateTime
    cache_ok = True

    def process_result_value(self, value: datetime | None, _dialect: Any) -> datetime | None:  # noqa: ANN401
        return value and value.replace(tzinfo=UTC)


class Plain(TypeDecorator[str]):
    impl = String
    cache_ok = True


class Bytes(TypeDecorator[bytes]):
    impl = LargeBinary
    cache_ok = True


class Size(enum.Enum):
    SMALL = "small"


class Odd(enum.Enum):
    ONE = timedelta(1)


REFUSED: dict[str, TypeEngine[Any]] = {
    "inet": INET(),
    "cidr": CIDR(),
    "time": Time(),
    "interval": Interval(),
    "bytes": LargeBinary(),
    "naive": DateTime(),
    "range": INT4RANGE(),
    "multirange": TSTZMULTIRANGE(),
    "decorator": Zoned(),
    "decorated bytes": Bytes(),
    "array of times": ARRAY(Time()),
    "array of decorators": ARRAY(Zoned()),
    "domain": DOMAIN("addresses", INET()),
    "pickle": PickleType(),
    "odd enum": Enum(Odd),
}
TAKEN: dict[str, TypeEngine[Any]] = {
    "text": String(),
    "char": CHAR(3),
    "number": Integer(),
    "zoned": DateTime(timezone=True),
    "uuid": Uuid(),
    "json": JSON(),
    "jsonb": JSONB(),
    "hstore": HSTORE(),
    "mac": MACADDR(),
    "array": ARRAY(String()),
    "enum": Enum(Size),
    "decorated": Plain(),
    "domain": DOMAIN("names", String()),
}


def mapped(kind: TypeEngine[Any]) -> type[Any]:
    class Base(DeclarativeBase):
        metadata = MetaData()

    class Thing(Base):
        __tablename__ = "things"

        id: Mapped[int] = mapped_column(primary_key=True)
        value: Mapped[Any] = mapped_column(kind)

    return Thing


@pytest.mark.parametrize("kind", REFUSED.values(), ids=REFUSED)
def test_refused_when_tracked(kind: TypeEngine[Any], outbox: Outbox) -> None:
    thing = mapped(kind)
    with pytest.raises(EventDefinitionError, match=r"Thing\.value .*json=\{'value'"):
        outbox.track(thing)
    outbox.track(thing, json={"value": str})


@pytest.mark.parametrize("kind", TAKEN.values(), ids=TAKEN)
def test_taken(kind: TypeEngine[Any], outbox: Outbox) -> None:
    outbox.track(mapped(kind))


class Base(DeclarativeBase):
    metadata = MetaData()


class Place(Base):
    __tablename__ = "places"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[Any] = mapped_column(INET, nullable=True)
    opens: Mapped[time | None]
    height: Mapped[float | None] = mapped_column(Float)
    facts: Mapped[Any] = mapped_column(JSON, nullable=True)


@pytest.fixture
def places(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_a_converter_for_a_column(places: Engine, outbox: Outbox, stored: Stored) -> None:
    outbox.track(Place, json={"address": str, "opens": time.isoformat})
    with Session(places) as session, session.begin():
        session.add_all([Place(id=1, address="10.0.0.1", opens=time(8, 30)), Place(id=2)])
    shown = [(row["address"], row["opens"]) for row in stored.payloads("Place")]
    assert shown == [("10.0.0.1", "08:30:00"), (None, None)]


@pytest.mark.parametrize(
    ("values", "column"),
    [({"height": float("nan")}, "height"), ({"facts": {"a": "x\x00y"}}, "facts")],
)
def test_a_value_that_json_does_not_know_names_its_column(
    values: dict[str, Any], column: str, places: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Place, exclude=["address", "opens"])
    with Session(places) as session:
        session.add(Place(id=1, **values))
        with pytest.raises(PayloadError, match=rf"Place: .*'{column}'.*json="):
            session.commit()
        session.rollback()
    outbox.close()
    outbox.track(Place, exclude=["address", "opens"], json={column: lambda _: None})
    with Session(places) as session, session.begin():
        session.add(Place(id=1, **values))
    assert stored.payloads("Place")[0][column] is None
