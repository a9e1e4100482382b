"""A simulated installation: clusters, their infra-envs and hosts, on their way to installed."""

import random
import uuid
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from relay.demo.events import (
    ClusterRegistered,
    ClusterStatusUpdated,
    HostStageReached,
    HostStatusUpdated,
    HostValidationFailed,
    HostValidationFixed,
)
from relay.demo.journey import DISCOVERING, KNOWN, Step, cluster_status, journey
from relay.demo.tables import Cluster, Host, InfraEnv
from relay.service.outbox import Outbox

ABANDONED: Final = 1 / 8


class Abandoned(Exception):  # noqa: N818 - not a failure: the rollback that the demo wants to show
    """The transaction is to be rolled back, on purpose."""


class Installation:
    """Installations of one cluster after the other, a transaction at a time."""

    def __init__(self, engine: Engine, outbox: Outbox, seed: int, hosts: int = 3) -> None:
        self._engine = engine
        self._outbox = outbox
        self._random = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self._size = hosts
        self.name = ""
        self.status = ""
        self.progress = 0
        self.rolled_back = 0

    def register(self) -> None:
        """Write a new cluster, its infra-env and its hosts."""
        cluster, infra_env, *hosts = (self._uuid() for _ in range(2 + self._size))
        name = f"cluster-{cluster.hex[:6]}"
        with Session(self._engine) as session, session.begin():
            session.add(
                Cluster(id=cluster, name=name, status="insufficient", pull_secret="x")  # noqa: S106
            )
            session.flush()
            session.add(InfraEnv(id=infra_env, cluster_id=cluster, name=f"{name}-infra-env"))
            session.flush()
            for number, host in enumerate(hosts):
                session.add(
                    Host(
                        id=host,
                        cluster_id=cluster,
                        infra_env_id=infra_env,
                        name=f"host-{number}",
                        status=DISCOVERING,
                    )
                )
            self._outbox.emit(session, ClusterRegistered(cluster_id=cluster, cluster_name=name))
        self.name, self.status, self.progress = name, "insufficient", 0
        self._cluster = cluster
        self._ids = hosts
        self._reached = [Step(DISCOVERING) for _ in hosts]
        self._ahead = [list(journey(self._random)) for _ in hosts]
        self._total = sum(map(len, self._ahead))

    def step(self) -> None:
        """Let one host get on by one transaction; one in eight is rolled back on purpose.

        Where all are installed, the next cluster is registered.
        """
        movable = [number for number in range(self._size) if self._may_move(number)]
        if not movable:
            self.register()
            return
        number = self._random.choice(movable)
        step = self._ahead[number][0]
        reached = [*self._reached[:number], step, *self._reached[number + 1 :]]
        left = sum(map(len, self._ahead)) - 1
        status, progress = cluster_status(reached), 100 - 100 * left // self._total
        try:
            with Session(self._engine) as session, session.begin():
                self._move_host(session, self._ids[number], step)
                self._move_cluster(session, status, progress)
                self._perhaps_abandon()
        except Abandoned:
            self.rolled_back += 1
        else:
            self._reached, self.status, self.progress = reached, status, progress
            del self._ahead[number][0]

    def _may_move(self, number: int) -> bool:
        """Tell whether a host has steps ahead; none is installed before all of them are known."""
        ready = cluster_status(self._reached) != "insufficient"
        return bool(self._ahead[number]) and (ready or self._reached[number].status != KNOWN)

    def _perhaps_abandon(self) -> None:
        if self._random.random() < ABANDONED:
            raise Abandoned

    def _move_host(self, session: Session, host_id: uuid.UUID, step: Step) -> None:
        host = session.get_one(Host, host_id, with_for_update=True)
        about = {"cluster_id": self._cluster, "host_id": host.id, "host_name": host.name}
        old, host.status, host.stage = host.status, step.status, step.stage
        if step.validation is not None:
            self._validate(session, about, step)
        if old != step.status:
            self._outbox.emit(session, HostStatusUpdated(**about, old=old, new=step.status))
        if step.stage is not None:
            self._outbox.emit(session, HostStageReached(**about, stage=step.stage))

    def _validate(self, session: Session, about: Mapping[str, Any], step: Step) -> None:
        """Report a validation. Half of them begin with a false alarm, undone by a savepoint."""
        kind = HostValidationFixed if step.passed else HostValidationFailed
        if self._random.random() < 1 / 2:
            with session.begin_nested() as savepoint:
                self._outbox.emit(session, kind(**about, validation="false-alarm"))
                savepoint.rollback()
        self._outbox.emit(session, kind(**about, validation=step.validation))

    def _move_cluster(self, session: Session, status: str, progress: int) -> None:
        cluster = session.get_one(Cluster, self._cluster, with_for_update=True)
        old, cluster.status, cluster.progress = cluster.status, status, progress
        if old != status:
            about = {"cluster_id": cluster.id, "cluster_name": cluster.name}
            self._outbox.emit(session, ClusterStatusUpdated(**about, old=old, new=status))

    def _uuid(self) -> uuid.UUID:
        return uuid.UUID(int=self._random.getrandbits(128), version=4)
