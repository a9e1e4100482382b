"""Tables whose rows several statements, keys or transactions touch."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy import CHAR, DateTime, ForeignKey, MetaData, Numeric, Uuid
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    metadata = MetaData()


class Machine(Base):
    """A class over two tables, with a heartbeat that nobody wants to read."""

    __tablename__ = "machines"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(default="new")
    beats: Mapped[int] = mapped_column(default=0)
    child: Mapped["Child | None"] = relationship(back_populates="machine")
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "machine"}  # noqa: RUF012


class Server(Machine):
    __tablename__ = "servers"

    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"), primary_key=True)
    rack: Mapped[str] = mapped_column(default="")
    __mapper_args__ = {"polymorphic_identity": "server"}  # noqa: RUF012


class Child(Base):
    __tablename__ = "children"

    id: Mapped[int] = mapped_column(primary_key=True)
    machine_id: Mapped[int | None] = mapped_column(ForeignKey("machines.id"))
    machine: Mapped[Machine | None] = relationship(back_populates="child")


class Texts(Base):
    __tablename__ = "by_text"

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Reading(Base):
    __tablename__ = "by_time"

    sensor: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Country(Base):
    __tablename__ = "by_char"

    code: Mapped[str] = mapped_column(CHAR(6), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Price(Base):
    __tablename__ = "by_number"

    id: Mapped[Decimal] = mapped_column(Numeric(10, 2), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Digest(Base):
    __tablename__ = "by_bytes"

    hash: Mapped[bytes] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class Group(Base):
    __tablename__ = "groups"

    name: Mapped[str] = mapped_column(primary_key=True)


class Member(Base):
    __tablename__ = "members"

    group: Mapped[str] = mapped_column(
        ForeignKey("groups.name", onupdate="CASCADE", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)


class Badge(Base):
    """Not tracked; it lies between a member and a door."""

    __tablename__ = "badges"

    id: Mapped[int] = mapped_column(primary_key=True)
    group: Mapped[str] = mapped_column(
        ForeignKey("groups.name", onupdate="CASCADE", ondelete="CASCADE")
    )


class Door(Base):
    __tablename__ = "doors"

    id: Mapped[int] = mapped_column(primary_key=True)
    badge_id: Mapped[int] = mapped_column(ForeignKey("badges.id", ondelete="CASCADE"))
