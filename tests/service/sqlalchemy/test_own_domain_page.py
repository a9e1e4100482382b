"""The example of docs/own-domain.md, run as it stands there; and a model of SQLModel, tracked."""

import re
from typing import Any

from sqlalchemy import create_engine
from sqlalchemy.orm import Session
from sqlmodel import Field, SQLModel
from sqlmodel import Session as ModelSession

from relay import Message, Outbox
from tests.support.postgres import Database
from tests.support.repository import ROOT
from tests.support.service import Stored, url


def test_the_shop_of_the_page(database: Database, stored: Stored) -> None:
    page = (ROOT / "docs" / "own-domain.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    # A name of its own: SQLAlchemy looks up annotations there.
    shop: dict[str, Any] = {"__name__": "shop"}
    exec(example, shop)  # noqa: S102 - our own page
    engine = create_engine(url(database))
    shop["Base"].metadata.create_all(engine)
    with Session(engine) as session:
        session.add(shop["Order"](id=42, status="new"))
        session.commit()
        shop["pay"](session, 42, "7 €")
    engine.dispose()
    shop["outbox"].close()
    assert [(row["name"], row["key"]) for row in stored.outbox()] == [
        ("Order", "42"),
        ("Order", "42"),
        ("OrderPaid", "42"),
    ]
    (event,) = stored.events()
    assert (event["subject_kind"], event["subject_id"]) == ("order", "42")


class Parcel(SQLModel, table=True):
    id: int = Field(primary_key=True)
    place: str


def test_sqlmodel_is_tracked_like_any_mapped_class(
    database: Database, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Parcel)
    engine = create_engine(url(database))
    SQLModel.metadata.create_all(engine)
    with ModelSession(engine) as session:
        session.add(Parcel(id=1, place="north"))
        outbox.emit(session, Message("Sent", {}), key="1")
        session.commit()
        session.delete(session.get_one(Parcel, 1))
        session.commit()
    engine.dispose()
    assert stored.names() == ["Parcel", "Sent", "Parcel"]
    assert stored.payloads("Parcel")[1] == {"id": 1, "place": "north", "deleted": True}
