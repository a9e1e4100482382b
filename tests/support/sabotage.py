"""`relay run` that does itself harm at one point of its work, and nowhere else.

Called with the arguments `SIGKILL ack 3`: when the third lease was acknowledged. TERMINATE has
PostgreSQL end the worker's connection, TERMINATE_EACH does so each of so many times; AHEAD and BACK
set this host's clock; RAISE is an error that nobody foresaw, HANG a call that never returns.
TELL_EACH does no harm, and logs each of so many times. The relay's own code knows nothing of this:
the methods are wrapped here, before it starts.
"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import psycopg

from relay.cli.app import main as relay
from relay.daemon import health
from relay.daemon.crew import Crew
from relay.daemon.kafka.delivery import Delivery
from relay.daemon.kafka.producer import GaplessProducer
from relay.daemon.postgres import queries
from relay.daemon.postgres.chunks import ChunkReader
from relay.daemon.postgres.lease import Lease
from relay.daemon.postgres.store import Store
from relay.daemon.rows import Row
from relay.daemon.sampler import Sampler
from relay.daemon.worker import Worker
from relay.database.connection import BoundedConnection

Reached = Callable[..., bool]

TERMINATE: Final = "TERMINATE"
TERMINATE_EACH: Final = "TERMINATE_EACH"
TELL_EACH: Final = "TELL_EACH"
EACH: Final = {TERMINATE_EACH, TELL_EACH}
REACHED: Final = "the point was reached"
RAISE: Final = "RAISE"
HANG: Final = "HANG"
# Of an error's message, which might quote a row.
SECRET: Final = "what-a-row-says"
CLOCK_JUMP_SECONDS: Final = {"AHEAD": 7200.0, "BACK": -7200.0}
# The name of a row.
KILLER: Final = "KillsTheRelay"


def always(*_: object) -> bool:
    return True


def killer_sent(
    _: object, _producer: GaplessProducer, _partition: object, row: Row, *__: object
) -> bool:
    return row.name == KILLER


def deleted(_: object, lease: Lease, *__: object) -> bool:
    if lease.settled_rows:
        # Waits for its answer: until then the statement may not even have been sent.
        lease._connection.execute("SELECT 1").fetchone()  # noqa: SLF001
    return bool(lease.settled_rows)


def commit_sent(
    _: object, connection: BoundedConnection, statement: str, *__: object, **___: object
) -> bool:
    sent = statement.endswith(queries.COMMIT)
    while sent and connection.pgconn.flush():
        pass
    return sent


def sends(part: str) -> Reached:
    """Reached when a statement with this *part* has left, and nothing else was done yet."""
    return lambda _result, _cursor, statement, *_: part in str(statement)


# The class, its method, or several of them, and whether a call of it is the point.
POINTS: Final[dict[str, tuple[type, str, Reached]]] = {
    "claim": (Lease, "__init__", always),
    "claim_sent": (psycopg.Cursor, "execute", sends("SKIP LOCKED")),
    "read_sent": (psycopg.Cursor, "execute", sends("END AS payload")),
    "delete_sent": (psycopg.Cursor, "execute", sends(queries.DELETE)),
    "read": (ChunkReader, "_ask", always),
    "produce": (GaplessProducer, "send", always),
    "killer": (GaplessProducer, "send", killer_sent),
    "ack": (Delivery, "finish", always),
    "delete": (Lease, "settle", deleted),
    "round": (Worker, "_prepare", always),
    "sample": (Sampler, "sample", always),
    "tick": (Crew, "topics_on_hold", always),
    "rise": (Store, "refresh_watermarks", always),
    "request": (health._Server, "service_actions", always),  # noqa: SLF001
    "commit": (BoundedConnection, "execute exchange", commit_sent),
}


def terminate_workers(other: psycopg.Connection[Any]) -> None:
    """End the connections of all workers on this database, and wait until they have ended."""
    other.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name LIKE '%worker%'"
    )


def set_clock(ahead_seconds: float) -> None:
    true_time = time.time
    time.time = lambda: true_time() + ahead_seconds


def harm(what: str) -> None:
    if what in {TERMINATE, TERMINATE_EACH}:
        with psycopg.connect(os.environ["DATABASE_URL"]) as other:
            terminate_workers(other)
    elif what == TELL_EACH:
        logging.getLogger("relay").info(REACHED)
    elif what == RAISE:
        raise KeyError(SECRET)
    elif what == HANG:
        threading.Event().wait()
    elif what in CLOCK_JUMP_SECONDS:
        set_clock(CLOCK_JUMP_SECONDS[what])
    else:
        # To this very thread: it takes no further step.
        signal.pthread_kill(threading.get_ident(), signal.Signals[what])


def sabotage(what: str, point: str, countdown: int) -> None:
    """Do this process the harm when the point is reached for the `countdown`-th time."""
    owner, methods, reached = POINTS[point]

    def sabotaged(original: Callable[..., object]) -> Callable[..., object]:
        @wraps(original)
        def method(self: object, *arguments: object, **named: object) -> object:
            nonlocal countdown
            result = original(self, *arguments, **named)
            if reached(result, self, *arguments):
                countdown -= 1
                if countdown == 0 or (countdown > 0 and what in EACH):
                    harm(what)
            return result

        return method

    for name in methods.split():
        setattr(owner, name, sabotaged(getattr(owner, name)))


def main() -> None:
    """Run the relay that the command line says."""
    sabotage(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.argv[1:] = ["run"]
    relay()
