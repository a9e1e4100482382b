"""What streaming costs a writer: a host updated, one event and one snapshot, or the event alone."""

import multiprocessing
import threading
import time
import uuid
from statistics import median
from typing import Final

from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.figures import Figures, in_turn
from benchmarks.stage import Stage
from relay import Event, Outbox, Severity
from tests.support.postgres import apply_schema, temporary_database

WRITERS: Final = 8
_START_SECONDS: Final = 120.0


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
    """Return the rate of writers with streaming on, as a share of their rate with it off."""
    found = in_turn(
        stage,
        {
            "writers, streaming": lambda: _rate(stage, streaming=True),
            "writers, not streaming": lambda: _rate(stage, streaming=False),
        },
    )
    on, off = (median(rates) for rates in found.values())
    return {"writer_ratio": on / off, "writer_transactions_per_s": on}


def _rate(stage: Stage, *, streaming: bool) -> float:
    """Transactions a second of all writers together."""
    with temporary_database(stage.postgres) as database:
        apply_schema(database)
        url = make_url(database.dsn).set(drivername="postgresql+psycopg")
        engine = create_engine(url)
        Base.metadata.create_all(engine)
        engine.dispose()
        work = (url.render_as_string(hide_password=False), streaming, stage.sizes.writing_seconds)
        spawn = multiprocessing.get_context("spawn")
        with spawn.Manager() as manager, spawn.Pool(WRITERS) as writers:
            begin = manager.Barrier(WRITERS)
            return sum(writers.starmap(_write, [(*work, begin)] * WRITERS, chunksize=1))


def _write(url: str, streaming: bool, seconds: float, begin: threading.Barrier) -> float:  # noqa: FBT001 - as starmap passes it
    """One writer, in a process of its own; returns its transactions a second."""
    engine = create_engine(url)
    outbox = Outbox(streaming=streaming)
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
