"""Draining while a transaction that wrote to the outbox stays open, and dead rows pile up."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from statistics import median

from benchmarks.drain import published
from benchmarks.figures import Figures, in_turn
from benchmarks.stage import Stage
from tests.support.postgres import Database


def measure(stage: Stage) -> Figures:
    """Return the rate beside an open writer, as a part of the rate without one."""
    rates = in_turn(
        stage,
        {
            "dead rows, no writer open": partial(_drain, stage, writes=False),
            "dead rows, a writer of the outbox open": partial(_drain, stage, writes=True),
        },
    )
    free, beside = (median(rates[name]) for name in rates)
    return {"open_writer_ratio": beside / free}


def _drain(stage: Stage, *, writes: bool) -> float:
    with (
        stage.backlog() as backlog,
        stage.topic() as topic,
        _open(backlog.database) if writes else nullcontext(),
        stage.relays(backlog, topic),
    ):
        backlog.leave_dead(stage.sizes.dead)
        return published(stage, backlog, topic)


@contextmanager
def _open(database: Database) -> Iterator[None]:
    with database.connect() as writer:
        writer.execute("INSERT INTO outbox (key, name, payload) VALUES ('open', 'Open', '{}')")
        yield
        writer.rollback()
