"""What streaming costs a writer: a host updated, one event and one snapshot, or the event alone.

The snapshot is taken by the library, or by the trigger of `relay triggers`.
"""

import multiprocessing
import threading
import time
import uuid
from enum import StrEnum
from functools import partial
from statistics import median
from typing import Final

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.figures import Figures, in_turn
from benchmarks.stage import Stage
from relay import Event, Outbox, Severity
from relay.operations.triggers import TrackedTable
from tests.support.postgres import apply_schema, temporary_database

WRITERS: Final = 8
_START_SECONDS: Final = 120.0


class Way(StrEnum):
    """What streams the snapshot of the host; the event is emitted always."""

    LIBRARY = "streaming"
    TRIGGER = "streaming by trigger"
    NONE = "not streaming"


_HOSTS: Final = TrackedTable("hosts", "Host", key=("cluster_id",), columns=("name", "status"))


class Base(DeclarativeBase):
    """The service's own tables."""


class Host(Base):
    """What changes."""

    __tablename__ = "hosts"

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    cluster_id: Mapped[uuid.UUID]
    name: Mapped[str]
    status: Mapped[str]


class HostStatusUpdated(
    Event, severity=Severity.INFO, message="Host {host_name}: updated status to {new}"
):
    """What is told of it."""

    host_name: str
    new: str


def measure(stage: Stage) -> Figures:
    """Return the rates of writers with streaming on, as shares of their rate with it off."""
    found = in_turn(stage, {f"writers, {way}": partial(_rate, stage, way) for way in Way})
    library, trigger, off = (median(rates) for rates in found.values())
    return {
        "writer_ratio": library / off,
        "trigger_writer_ratio": trigger / off,
        "writer_transactions_per_s": library,
    }


def _rate(stage: Stage, way: Way) -> float:
    """Transactions a second of all writers together."""
    with temporary_database(stage.postgres) as database:
        apply_schema(database)
        url = make_url(database.dsn).set(drivername="postgresql+psycopg")
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        if way is Way.TRIGGER:
            with database.connect(autocommit=True) as owner:
                owner.execute(_HOSTS.create().encode())
        work = (url.render_as_string(hide_password=False), way, stage.sizes.writing_seconds)
        spawn = multiprocessing.get_context("spawn")
        with spawn.Manager() as manager, spawn.Pool(WRITERS) as writers:
            begin = manager.Barrier(WRITERS)
            return sum(writers.starmap(_write, [(*work, begin)] * WRITERS, chunksize=1))


def _write(url: str, way: Way, seconds: float, begin: threading.Barrier) -> float:
    """One writer, in a process of its own; returns its transactions a second."""
    engine = create_engine(url)
    outbox = Outbox(streaming=way is not Way.NONE)
    if way is not Way.TRIGGER:
        outbox.track(Host)
    host_id, cluster_id = uuid.uuid4(), uuid.uuid4()
    with Session(engine) as session, session.begin():
        session.add(Host(id=host_id, cluster_id=cluster_id, name="host", status="known"))
    begin.wait(_START_SECONDS)
    begun = time.monotonic()
    count = 0
    while time.monotonic() - begun < seconds:
        count += 1
        with Session(engine) as session, session.begin():
            host = session.get_one(Host, host_id)
            host.status = f"step {count}"
            event = HostStatusUpdated(
                cluster_id=cluster_id, host_id=host_id, host_name=host.name, new=host.status
            )
            outbox.emit(session, event)
    lasted = time.monotonic() - begun
    outbox.close()
    engine.dispose()
    return count / lasted
