"""A simulated installation: clusters, their infra-envs and hosts, on their way to installed."""

import random
import uuid
from typing import Final

from sqlalchemy import Engine, ForeignKey, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from relay.service.events.event import Event
from relay.service.events.severity import Severity
from relay.service.outbox import Outbox

STAGES: Final = (
    "Starting installation",
    "Writing image to disk",
    "Rebooting",
    "Joined",
    "Configuring",
    "Done",
)
VALIDATIONS: Final = ("has-min-memory", "ntp-synced", "belongs-to-majority-group")


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


class ClusterRegistered(
    Event, severity=Severity.INFO, message="Cluster {cluster_name} was registered"
):
    """A cluster is known from now on."""

    cluster_name: str


class HostStatusUpdated(
    Event, severity=Severity.INFO, message="Host {host_name}: updated status from {old} to {new}"
):
    """A host got on, or fell back."""

    host_name: str
    old: str
    new: str


class HostStageReached(
    Event, severity=Severity.INFO, message="Host {host_name}: reached installation stage {stage}"
):
    """A stage of the installation began."""

    host_name: str
    stage: str


class HostValidationFailed(
    Event, severity=Severity.WARNING, message="Host {host_name}: validation {validation} failed"
):
    """Validation of a host that passed before and fails now."""

    host_name: str
    validation: str


def track(outbox: Outbox) -> None:
    """Let every change of the service's own tables become a snapshot."""
    outbox.track(Cluster, name="ClusterState")
    outbox.track(Host)
    outbox.track(InfraEnv)


class Abandoned(Exception):  # noqa: N818 - not a failure: the rollback that the demo wants to show
    """The transaction is to be rolled back, on purpose."""


class Installation:
    """One cluster's installation, a transaction at a time."""

    def __init__(self, engine: Engine, outbox: Outbox, seed: int, hosts: int = 3) -> None:
        self._engine = engine
        self._outbox = outbox
        self._random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._cluster = uuid.UUID(int=self._random.getrandbits(128), version=4)
        self._hosts = [
            uuid.UUID(int=self._random.getrandbits(128), version=4) for _ in range(hosts)
        ]
        self.rolled_back = 0

    def register(self) -> None:
        """Write the cluster, its infra-env and its hosts."""
        name = f"cluster-{self._cluster.hex[:6]}"
        infra_env = uuid.UUID(int=self._random.getrandbits(128), version=4)
        with Session(self._engine) as session, session.begin():
            session.add(
                Cluster(id=self._cluster, name=name, status="installing", pull_secret="x")  # noqa: S106
            )
            session.flush()
            session.add(InfraEnv(id=infra_env, cluster_id=self._cluster, name=f"{name}-infra-env"))
            session.flush()
            for number, host in enumerate(self._hosts):
                session.add(
                    Host(
                        id=host,
                        cluster_id=self._cluster,
                        infra_env_id=infra_env,
                        name=f"host-{number}",
                        status="known",
                    )
                )
            self._outbox.emit(
                session, ClusterRegistered(cluster_id=self._cluster, cluster_name=name)
            )

    def step(self) -> None:
        """Let one host get on by one transaction; one in eight is rolled back on purpose."""
        try:
            with Session(self._engine) as session, session.begin():
                self._advance(session)
                self._perhaps_abandon()
        except Abandoned:
            self.rolled_back += 1

    def _perhaps_abandon(self) -> None:
        if self._random.random() < 1 / 8:
            raise Abandoned

    def _advance(self, session: Session) -> None:
        host = session.get_one(Host, self._random.choice(self._hosts), with_for_update=True)
        if self._random.random() < 1 / 4:
            self._validate(session, host)
            return
        cluster = session.get_one(Cluster, self._cluster, with_for_update=True)
        stage = self._random.choice(STAGES)
        old, host.status = host.status, "installed" if stage == "Done" else "installing"
        host.stage, cluster.progress = stage, cluster.progress + 1
        owners = {"cluster_id": self._cluster, "host_id": host.id}
        self._outbox.emit(session, HostStageReached(**owners, host_name=host.name, stage=stage))
        if old != host.status:
            self._outbox.emit(
                session,
                HostStatusUpdated(**owners, host_name=host.name, old=old, new=host.status),
            )

    def _validate(self, session: Session, host: Host) -> None:
        """Report a validation in a savepoint; half of them turn out to be nothing."""
        savepoint = session.begin_nested()
        host.status = "pending"
        self._outbox.emit(
            session,
            HostValidationFailed(
                cluster_id=self._cluster,
                host_id=host.id,
                host_name=host.name,
                validation=self._random.choice(VALIDATIONS),
            ),
        )
        if self._random.random() < 1 / 2:
            savepoint.rollback()
        else:
            savepoint.commit()
