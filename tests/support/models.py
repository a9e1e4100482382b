"""The tables of a small installation service, mapped the way services do it."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, MetaData, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from relay import Event, Severity


class Base(DeclarativeBase):
    metadata = MetaData()
    type_annotation_map = {datetime: DateTime(timezone=True), dict[str, Any]: JSONB}  # noqa: RUF012


class Cluster(Base):
    __tablename__ = "clusters"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]
    status: Mapped[str] = mapped_column(default="insufficient")
    pull_secret: Mapped[str | None] = mapped_column(info={"secret": True})
    hosts: Mapped[list["Host"]] = relationship(
        back_populates="cluster", cascade="all, delete-orphan"
    )


class InfraEnv(Base):
    __tablename__ = "infra_envs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    name: Mapped[str]
    cluster_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("clusters.id"))


class Host(Base):
    __tablename__ = "hosts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    cluster_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("clusters.id"))
    infra_env_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("infra_envs.id"))
    name: Mapped[str] = mapped_column(default="host")
    status: Mapped[str] = mapped_column(default="discovering")
    stage: Mapped[str | None]
    inventory: Mapped[dict[str, Any]] = mapped_column(
        MutableDict.as_mutable(JSON().with_variant(JSONB(), "postgresql")), default=dict
    )
    updated_at: Mapped[datetime] = mapped_column(
        server_default=func.now(), onupdate=func.clock_timestamp()
    )
    cluster: Mapped[Cluster | None] = relationship(back_populates="hosts")


class Disk(Base):
    """A row that two columns identify."""

    __tablename__ = "disks"

    host_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("hosts.id"), primary_key=True)
    path: Mapped[str] = mapped_column(primary_key=True)
    size_gib: Mapped[int]


class HostStatusUpdated(
    Event, severity=Severity.INFO, message="Host {host_name}: updated status from {old} to {new}"
):
    host_name: str
    old: str
    new: str
