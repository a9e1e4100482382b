"""The simulated service's own tables: clusters, their infra-envs and hosts."""

import uuid

from sqlalchemy import ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from relay.service.outbox import Outbox


class Base(DeclarativeBase):
    """The service's own tables."""

    metadata = MetaData()


class Cluster(Base):
    """A cluster that is being installed."""

    __tablename__ = "clusters"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    status: Mapped[str]
    progress: Mapped[int] = mapped_column(default=0)
    pull_secret: Mapped[str] = mapped_column(info={"secret": True})


class InfraEnv(Base):
    """Image that hosts boot from before they belong to a cluster."""

    __tablename__ = "infra_envs"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("clusters.id"))
    name: Mapped[str]


class Host(Base):
    """A machine on its way into a cluster."""

    __tablename__ = "hosts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("clusters.id"))
    infra_env_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("infra_envs.id"))
    name: Mapped[str]
    status: Mapped[str]
    stage: Mapped[str | None]


def track(outbox: Outbox) -> None:
    """Let every change of the service's own tables become a snapshot."""
    outbox.track(Cluster, name="ClusterState")
    outbox.track(Host)
    outbox.track(InfraEnv)
