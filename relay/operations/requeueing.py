"""Requeues that are followed: rows that went out, and rows that came back parked."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from relay.database.session import Connection
from relay.operations.actions import Why, requeue
from relay.operations.selection import Row, Selection, find

LOOK_SECONDS: Final = 0.2

Sleep = Callable[[float], None]


@dataclass(frozen=True)
class Followed:
    """Rows that were requeued: gone, back with an error, or still waiting; and those not tried."""

    ids: Sequence[int]
    back: Sequence[Row] = ()
    waiting: Sequence[int] = ()
    untried: Sequence[int] = ()

    @property
    def all_gone(self) -> bool:
        """True where none came back, waits, or was left untried."""
        return not (self.back or self.waiting or self.untried)


def requeue_and_follow(
    connection: Connection,
    ids: Sequence[int],
    why: Why,
    seconds: float,
    *,
    sleep: Sleep = time.sleep,
) -> Followed:
    """Requeue rows, and watch them for up to *seconds*.

    Raises:
        SchemaError: the user is no operator.
    """
    done = requeue(connection, ids, why)
    deadline = time.monotonic() + seconds
    while True:
        left = find(connection, Selection(ids=done), limit=len(done)) if done else []
        back = [row for row in left if row.state == "parked"]
        waiting = [row.id for row in left if row.state == "pending"]
        if not waiting or time.monotonic() >= deadline:
            return Followed(done, back, waiting)
        sleep(LOOK_SECONDS)


def requeue_one_first(
    connection: Connection,
    ids: Sequence[int],
    why: Why,
    seconds: float,
    *,
    sleep: Sleep = time.sleep,
) -> Followed:
    """Requeue the first row; the others only once it went out. Watch each for up to *seconds*.

    Raises:
        SchemaError: the user is no operator.
    """
    first, rest = ids[:1], ids[1:]
    test = requeue_and_follow(connection, first, why, seconds, sleep=sleep)
    if not test.ids or not test.all_gone:
        return Followed(test.ids, test.back, test.waiting, rest)
    others = requeue_and_follow(connection, rest, why, seconds, sleep=sleep)
    return Followed([*test.ids, *others.ids], others.back, others.waiting)
