"""Changes by an operator. PostgreSQL keeps who, when and why, together with the change."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from psycopg import errors

from relay.database.session import Connection, needing
from relay.errors import RelayError
from relay.operations.queries import actions as queries
from relay.operations.selection import Row
from relay.settings import SHARDS

# A pause waits for the leases that are under way, one after the other.
PATIENCE_SECONDS: Final = 120.0

ALL_SHARDS: Final = tuple(range(SHARDS))
NAMED_ROWS: Final = 20


@dataclass(frozen=True)
class Why:
    """The reason of a change, and the person who wants it; PostgreSQL adds its user."""

    reason: str
    person: str | None = None


def requeue(connection: Connection, ids: Sequence[int], why: Why) -> list[int]:
    """Let parked rows go out again; return the ids of those that were parked.

    Raises:
        SchemaError: the user is no operator. The same holds for every change.
    """
    return _change(connection, queries.REQUEUE, ids, why)


def discard(connection: Connection, ids: Sequence[int], why: Why) -> list[int]:
    """Delete rows that are parked or in a paused shard; return the ids of those that were.

    `saved_rows.discard_saved` keeps them in a file first.
    """
    return _change(connection, queries.DISCARD, ids, why)


def redirect(connection: Connection, ids: Sequence[int], topic: str | None, why: Why) -> list[int]:
    """Send rows to another topic, null for the relay's default; return the ids of those changed.

    Waits for the leases under way. Parked rows stay parked.

    Raises:
        RelayError: Kafka knows no such name.
    """
    try:
        return _change(connection, queries.REDIRECT, ids, why, topic=topic)
    except errors.CheckViolation:
        raise RelayError(
            f"{topic!r} is no name of a topic; nothing was changed. Use letters, digits, '.', '_' "
            "and '-', at most 249."
        ) from None


def pause(connection: Connection, shards: Sequence[int], why: Why) -> list[int]:
    """Keep relays from *shards*; return those that were not paused before.

    When it returns, no relay works on them any more.
    """
    return _change(connection, queries.PAUSE, shards, why)


def resume(connection: Connection, shards: Sequence[int], why: Why) -> list[int]:
    """Give *shards* back to the relays; return those that were paused before."""
    return _change(connection, queries.RESUME, shards, why)


def shard_of(connection: Connection, key: str) -> int:
    """Return the shard of *key*."""
    return _execute(connection, queries.SHARD_OF, key=key)[0]


def refuse_states(connection: Connection, rows: Sequence[Row], states: Collection[str]) -> None:
    """Make sure that requeuing *rows* takes no object back to an older state.

    *states* are names whose consumers know no `seq` to tell that a state is old, beside those that
    the relays have recorded.

    Raises:
        RelayError: a row has such a name.
    """
    with connection.transaction():
        recorded = {name for (name,) in connection.execute(queries.STATES.encode())}
    found = [row.id for row in rows if row.name in {*states, *recorded}]
    if found:
        raise RelayError(
            f"States are among the rows; nothing was changed: {named(found)}. Existing consumers "
            "take the last state they read, and a newer one may have gone out. Requeue the events "
            "(--name Event); send the objects as they are now with `relay replay --cluster ID`, or "
            "by a change of each, and discard the old states."
        )


def named(ids: Sequence[int]) -> str:
    """Return *ids* for a message; the first of them where they are many."""
    more = ", …" if len(ids) > NAMED_ROWS else ""
    return ", ".join(map(str, ids[:NAMED_ROWS])) + more


def _change(
    connection: Connection, statement: str, targets: Sequence[int], why: Why, **more: object
) -> list[int]:
    given = {"targets": list(targets), "reason": why.reason, "person": why.person} | more
    with needing("outbox_operator"):
        return _execute(connection, statement, **given)


def _execute(connection: Connection, statement: str, **parameters: object) -> list[int]:
    with connection.transaction():
        return [row[0] for row in connection.execute(statement.encode(), parameters)]
