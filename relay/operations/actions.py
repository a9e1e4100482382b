"""What an operator changes. PostgreSQL keeps who, when and why, together with the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relay.database import schema
from relay.database.session import Connection, connected, needing
from relay.operations.queries import actions as queries
from relay.settings import SHARDS, DatabaseSettings

# A pause waits for the leases that are under way, one after the other.
PATIENCE_SECONDS: Final = 120.0

ALL_SHARDS: Final = tuple(range(SHARDS))


@dataclass(frozen=True)
class Why:
    """The reason of a change, and the person who wants it; PostgreSQL adds its user."""

    reason: str
    person: str | None = None


def requeue(database: DatabaseSettings, ids: Sequence[int], why: Why) -> list[int]:
    """Let parked rows go out again; return the ids of those that were parked."""
    return _change(database, "relay requeue", queries.REQUEUE, ids, why)


def discard(database: DatabaseSettings, ids: Sequence[int], why: Why) -> list[int]:
    """Delete rows that are parked or in a paused shard; return the ids of those that were."""
    return _change(database, "relay discard", queries.DISCARD, ids, why)


def pause(database: DatabaseSettings, shards: Sequence[int], why: Why) -> list[int]:
    """Keep relays from *shards*; return those that were not paused before.

    When it returns, no relay works on them any more.
    """
    return _change(database, "relay pause", queries.PAUSE, shards, why)


def resume(database: DatabaseSettings, shards: Sequence[int], why: Why) -> list[int]:
    """Give *shards* back to the relays; return those that were paused before."""
    return _change(database, "relay resume", queries.RESUME, shards, why)


def shard_of(database: DatabaseSettings, key: str) -> int:
    """Return the shard that has the rows of *key*."""
    with connected(database.conninfo(), "relay") as connection:
        schema.verify(connection)
        return int(_only(connection, queries.SHARD_OF, key=key)[0])


def _change(
    database: DatabaseSettings, name: str, statement: str, targets: Sequence[int], why: Why
) -> list[int]:
    """Raise SchemaError, where the user may not; DatabaseUnavailableError without a connection."""
    with connected(database.conninfo(), name, PATIENCE_SECONDS) as connection:
        schema.verify(connection)
        with needing("outbox_operator"):
            return _only(
                connection, statement, targets=list(targets), reason=why.reason, person=why.person
            )


def _only(connection: Connection, statement: str, **parameters: object) -> list[int]:
    return [row[0] for row in connection.execute(statement.encode(), parameters)]
