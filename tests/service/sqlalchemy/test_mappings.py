"""Snapshots of classes that are mapped in less usual ways, and of rows that go with others."""

from collections.abc import Iterator

import pytest
from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    MetaData,
    Table,
    create_engine,
    delete,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    column_property,
    mapped_column,
    relationship,
)

from relay import Outbox
from relay.errors import UntrackedWriteError
from tests.support.postgres import Database
from tests.support.service import Stored, url


class Base(DeclarativeBase):
    metadata = MetaData()


tagged = Table(
    "tagged",
    Base.metadata,
    Column("site_id", ForeignKey("sites.id"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True),
)


class Tag(Base):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(primary_key=True)


class Tagged(Base):
    __table__ = tagged
    __mapper_args__ = {"confirm_deleted_rows": False}  # noqa: RUF012


class Site(Base):
    __tablename__ = "sites"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    size: Mapped[int] = mapped_column(default=0)
    stamp: Mapped[str | None] = mapped_column(server_default=text("'by the server'"))
    first_rack_id: Mapped[int | None] = mapped_column(ForeignKey("racks.id", use_alter=True))
    tags: Mapped[list[Tag]] = relationship(secondary=tagged)
    racks: Mapped[list["Rack"]] = relationship(
        foreign_keys="Rack.site_id", passive_deletes="all", cascade="save-update, merge"
    )
    first_rack: Mapped["Rack | None"] = relationship(foreign_keys=[first_rack_id], post_update=True)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "site"}  # noqa: RUF012

    @hybrid_property
    def is_large(self) -> bool:
        return self.size > 10


class Edge(Site):
    __tablename__ = "edges"

    id: Mapped[int] = mapped_column(ForeignKey("sites.id"), primary_key=True)
    uplink: Mapped[str]
    __mapper_args__ = {"polymorphic_identity": "edge"}  # noqa: RUF012


class Rack(Base):
    __tablename__ = "racks"

    id: Mapped[int] = mapped_column(primary_key=True)
    site_id: Mapped[int | None] = mapped_column(ForeignKey("sites.id", ondelete="CASCADE"))


class Slot(Base):
    __tablename__ = "slots"

    rack_id: Mapped[int] = mapped_column(
        ForeignKey("racks.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)


class Ticket(Base):
    __tablename__ = "tickets"

    id: Mapped[int] = mapped_column(primary_key=True)
    rack_id: Mapped[int | None] = mapped_column(ForeignKey("racks.id", ondelete="SET NULL"))


class Pallet(Base):
    __tablename__ = "pallets"

    id: Mapped[int] = mapped_column(primary_key=True)
    tag_id: Mapped[int | None] = mapped_column(
        ForeignKey("tags.id", ondelete="SET NULL", onupdate="CASCADE")
    )


Site.doubled = column_property(Site.size * 2)


@pytest.fixture
def sites(database: Database) -> Iterator[Engine]:
    engine = create_engine(url(database))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def test_a_class_of_two_tables(sites: Engine, outbox: Outbox, stored: Stored) -> None:
    outbox.track(Edge)
    with Session(sites) as session, session.begin():
        session.add(Edge(id=1, uplink="a"))
    with Session(sites) as session, session.begin():
        session.get_one(Edge, 1).uplink = "b"
    with Session(sites) as session, session.begin():
        session.get_one(Edge, 1).size = 5
    with Session(sites) as session, session.begin():
        session.merge(Edge(id=1, uplink="c"))
    with Session(sites) as session, session.begin():
        session.delete(session.get_one(Edge, 1))
    states = [(row["uplink"], row["size"], "deleted" in row) for row in stored.payloads("Edge")]
    assert states == [
        ("a", 0, False),
        ("b", 0, False),
        ("b", 5, False),
        ("c", 5, False),
        ("c", 5, True),
    ]
    assert stored.payloads("Edge")[0].keys() == {
        "id", "kind", "size", "stamp", "first_rack_id", "uplink"
    }  # fmt: skip


def test_an_association_that_a_relationship_writes_is_refused(
    sites: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Tagged)
    with Session(sites) as session, session.begin():
        session.add_all([Site(id=1), Tag(id=9)])
    with Session(sites) as session:
        site = session.get_one(Site, 1)
        site.tags.append(session.get_one(Tag, 9))
        with pytest.raises(UntrackedWriteError, match="viewonly"):
            session.commit()
    with Session(sites) as session, session.begin():
        session.add(Tagged(site_id=1, tag_id=9))
    assert stored.payloads("Tagged") == [{"site_id": 1, "tag_id": 9}]


def test_what_the_server_makes_of_it(sites: Engine, outbox: Outbox, stored: Stored) -> None:
    outbox.track(Site)
    with sites.begin() as connection:
        connection.execute(
            text(
                "CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS"
                " $$BEGIN NEW.stamp = 'by a trigger'; RETURN NEW; END$$;"
                "CREATE TRIGGER stamp BEFORE UPDATE ON sites"
                " FOR EACH ROW EXECUTE FUNCTION stamp()"
            )
        )
    with Session(sites) as session, session.begin():
        session.add(Site(id=1))
    with Session(sites) as session, session.begin():
        site = session.get_one(Site, 1)
        session.expire(site)
        site.size = Site.size + 1
    states = [(row["stamp"], row["size"]) for row in stored.payloads("Site")]
    assert states == [("by the server", 0), ("by a trigger", 1)]


def test_relationships_publish_the_row_that_holds_the_foreign_key(
    sites: Engine, outbox: Outbox, stored: Stored
) -> None:
    for entity in (Site, Rack):
        outbox.track(entity)
    with Session(sites) as session, session.begin():
        session.add_all([Site(id=1), Rack(id=5), Tag(id=9)])
    before = len(stored.outbox())
    with Session(sites) as session, session.begin():
        site, rack = session.get_one(Site, 1), session.get_one(Rack, 5)
        site.racks.append(rack)
    with Session(sites) as session, session.begin():
        site, rack = session.get_one(Site, 1), session.get_one(Rack, 5)
        site.first_rack = rack
    with Session(sites) as session, session.begin():
        site, tag = session.get_one(Site, 1), session.get_one(Tag, 9)
        # The association has a table of its own, which no column of the site shows.
        site.tags.append(tag)
    assert stored.states()[before:] == [("Rack", 5, False), ("Site", 1, False)]
    assert stored.payloads("Rack")[-1]["site_id"] == 1
    assert stored.payloads("Site")[-1]["first_rack_id"] == 5


def test_rows_that_the_database_takes_along(sites: Engine, outbox: Outbox, stored: Stored) -> None:
    for entity in (Site, Rack, Slot, Ticket):
        outbox.track(entity)
    with Session(sites) as session, session.begin():
        session.add_all([Site(id=1), Site(id=2)])
        session.flush()
        session.add_all([Rack(id=5, site_id=1), Rack(id=6, site_id=2)])
        session.flush()
        session.add_all([Slot(rack_id=5, number=1), Slot(rack_id=6, number=1)])
        session.add_all([Ticket(id=7, rack_id=5), Ticket(id=8, rack_id=6)])
    before = len(stored.outbox())
    with Session(sites) as session, session.begin():
        session.delete(session.get_one(Site, 1))
    assert sorted(stored.states()[before:], key=str) == [
        ("Rack", 5, True),
        ("Site", 1, True),
        ("Slot", None, True),
        ("Ticket", 7, False),
    ]
    assert stored.payloads("Slot")[-1] == {"rack_id": 5, "number": 1, "deleted": True}
    assert stored.payloads("Ticket")[-1] == {"id": 7, "rack_id": None}


def test_rows_that_go_with_one_that_is_not_tracked(
    sites: Engine, outbox: Outbox, stored: Stored
) -> None:
    for entity in (Slot, Ticket, Pallet):
        outbox.track(entity)
    with Session(sites) as session, session.begin():
        session.add_all([Site(id=1), Edge(id=2, uplink="a"), Tag(id=9)])
        session.flush()
        session.add_all([Rack(id=5, site_id=1), Rack(id=6, site_id=2)])
        session.flush()
        session.add_all([Slot(rack_id=5, number=1), Slot(rack_id=6, number=1)])
        session.add_all([Ticket(id=7, rack_id=5), Pallet(id=3, tag_id=9)])
    before = len(stored.outbox())
    with Session(sites) as session, session.begin():
        session.delete(session.get_one(Edge, 2))
    with Session(sites) as session, session.begin():
        session.delete(session.get_one(Rack, 5))
    with Session(sites) as session, session.begin():
        session.get_one(Tag, 9).id = 10
    with Session(sites) as session, session.begin():
        session.delete(session.get_one(Tag, 10))
    assert stored.payloads("Slot")[2:] == [
        {"rack_id": 6, "number": 1, "deleted": True},
        {"rack_id": 5, "number": 1, "deleted": True},
    ]
    assert stored.payloads("Ticket")[1:] == [{"id": 7, "rack_id": None}]
    assert stored.payloads("Pallet")[1:] == [{"id": 3, "tag_id": 10}, {"id": 3, "tag_id": None}]
    deleting = (
        delete(Site), text("DELETE FROM public.racks"), delete(Tag),
        text("WITH gone AS (DELETE FROM sites) SELECT 1"),
        text("MERGE INTO tags USING racks r ON r.id = tags.id WHEN MATCHED THEN DELETE"),
    )  # fmt: skip
    with Session(sites) as session, session.begin():
        for statement in deleting:
            with pytest.raises(UntrackedWriteError, match="ON DELETE"):
                session.execute(statement)
        session.execute(delete(Slot), execution_options={"relay_untracked": True})
        with outbox.untracked():
            session.execute(delete(Edge))
        session.execute(text("UPDATE sites SET size = 3"))
    outbox.close()
    with Session(sites) as session, session.begin():
        session.execute(delete(Rack))
        session.delete(session.get_one(Site, 1))
    assert len(stored.outbox()) == before + 5


KEY_CHANGES = (
    update(Tag).values(id=Tag.id + 1),
    insert(Tag).values(id=9).on_conflict_do_update(index_elements=["id"], set_={"id": 11}),
    text("UPDATE tags AS t SET id = 10 WHERE id = 9"),
    text("update only public.tags set (id) = row (10)"),
    text("INSERT INTO tags VALUES (9) ON CONFLICT (id) DO UPDATE SET id = 10"),
    text("MERGE INTO tags USING racks ON true WHEN MATCHED THEN UPDATE SET id = 10"),
    text("WITH t AS (UPDATE tags SET id = 10 RETURNING id) SELECT id FROM t"),
    text("DO $$ BEGIN UPDATE tags SET id = 10; END $$"),
)


def test_statements_whose_effects_a_foreign_key_hands_on(sites: Engine, outbox: Outbox) -> None:
    for entity in (Slot, Pallet):
        outbox.track(entity)
    with Session(sites) as session, session.begin():
        for statement in KEY_CHANGES:
            with pytest.raises(UntrackedWriteError, match="ON UPDATE"):
                session.execute(statement)
        for emptied in ("racks", "sites, tickets", "only public.tags"):
            # Whatever ON DELETE says, and through tables between.
            with pytest.raises(UntrackedWriteError, match="CASCADE"):
                session.execute(text(f"TRUNCATE {emptied} RESTART IDENTITY CASCADE"))
        session.execute(update(Rack).values(id=Rack.id + 1))
        session.execute(text("UPDATE sites SET size = id, kind = 'x' WHERE id = 1"))
        session.execute(text("INSERT INTO tags VALUES (9) ON CONFLICT (id) DO NOTHING"))
        session.execute(insert(Tag).values(id=9).on_conflict_do_nothing())
        session.execute(text("TRUNCATE tickets CASCADE"))
        with outbox.untracked():
            session.execute(update(Tag).values(id=Tag.id + 1))


def test_a_new_primary_key_is_a_farewell_to_the_old_one(
    sites: Engine, outbox: Outbox, stored: Stored
) -> None:
    outbox.track(Tag)
    with Session(sites) as session, session.begin():
        session.add(Tag(id=1))
    with Session(sites) as session, session.begin():
        session.get_one(Tag, 1).id = 2
    with Session(sites) as session, session.begin():
        tag = Tag(id=7)
        session.add(tag)
        session.flush()
        tag.id = 8
    with Session(sites) as session, session.begin():
        first, second = session.get_one(Tag, 2), session.get_one(Tag, 8)
        first.id = 99
        session.flush()
        second.id = 2
        session.flush()
        first.id = 8
    assert stored.states() == [
        ("Tag", 1, False),
        ("Tag", 1, True),
        ("Tag", 2, False),
        # 7 came and went within the transaction.
        ("Tag", 8, False),
        # So did 99; the others changed places.
        ("Tag", 2, False),
        ("Tag", 8, False),
    ]
