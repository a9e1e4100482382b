"""Draining while a transaction elsewhere keeps dead rows from vacuum."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from statistics import median

from benchmarks.drain import published
from benchmarks.figures import Figures, in_turn
from benchmarks.stage import Stage
from tests.support.postgres import Database

Pin = Callable[[Stage, Database], AbstractContextManager[None]]


def measure(stage: Stage) -> Figures:
    """Return the worse ratio: a reading transaction here, or a writing one in another database."""
    rates = in_turn(
        stage,
        {
            "dead rows, nothing open": partial(_drain, stage, lambda *_: nullcontext()),
            "dead rows, a reader open": partial(_drain, stage, _reader),
            "dead rows, a writer elsewhere": partial(_drain, stage, _writer_elsewhere),
        },
    )
    free, reading, writing = (median(rates[name]) for name in rates)
    return {"pinned_xmin_ratio": min(reading, writing) / free}


def _drain(stage: Stage, pin: Pin) -> float:
    with (
        stage.backlog() as backlog,
        stage.topic() as topic,
        pin(stage, backlog.database),
        stage.relays(backlog, topic),
    ):
        backlog.leave_dead(stage.sizes.dead)
        return published(stage, backlog, topic)


@contextmanager
def _reader(_: Stage, database: Database) -> Iterator[None]:
    with database.connect() as reader:
        reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT count(*) FROM outbox")
        yield


@contextmanager
def _writer_elsewhere(stage: Stage, _: Database) -> Iterator[None]:
    with stage.postgres.connect() as writer:
        writer.execute("CREATE TABLE elsewhere (number int)")
        yield
        writer.rollback()
