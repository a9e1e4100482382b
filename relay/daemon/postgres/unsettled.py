"""Unsettled rows: published, or found impossible to publish, and still in the table.

Somebody's open transaction has locked them, or the lease was lost before its commit. The relay
remembers them while it lives and looks past them, so that nobody waits and it sends no copy. It
settles them as soon as it can, under no lease: what was published may go whoever holds the shard.

For other relays, a lease notes in its shards what it published and leaves there. Whoever claims
them next remembers it too. A lost lease has noted nothing: another relay may repeat it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from relay.daemon.postgres import queries
from relay.daemon.postgres.arrays import identities
from relay.daemon.postgres.undeletable import delete
from relay.daemon.rows import Rejected, Row, column
from relay.database.connection import BoundedConnection

_IDENTITY = column("id", "event_id")


@dataclass(frozen=True, slots=True)
class LockedRow:
    """A row that cannot be settled, and the process that has it locked, if that is known."""

    id: int
    pid: int | None
    application: str | None


class Batch:
    """Rows to be settled: those to be deleted, and those to be parked with an error."""

    def __init__(self) -> None:
        # By id, the event id as well: after TRUNCATE … RESTART IDENTITY an id is another row's.
        self.delivered: dict[int, str] = {}
        self.rejected: dict[int, tuple[str, str]] = {}
        # Those that were delivered, and cannot be deleted.
        self.kept: list[int] = []

    def __len__(self) -> int:
        return len(self.delivered) + len(self.rejected)

    @property
    def events(self) -> dict[int, str]:
        """The event ids of all, by id."""
        return self.delivered | {id_: event for id_, (event, _) in self.rejected.items()}

    @property
    def ids(self) -> list[int]:
        """The ids of all."""
        return [*self.delivered, *self.rejected]

    def deliver(self, rows: Sequence[Row]) -> None:
        """Add rows that Kafka has."""
        self.delivered.update(map(_IDENTITY, rows))

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Add rows that can never be published."""
        for one in rejected:
            self.rejected[one.row.id] = (one.row.event_id, one.error)

    def update(self, other: "Batch") -> None:
        """Add those of *other*."""
        self.delivered.update(other.delivered)
        self.rejected.update(other.rejected)

    def keep(self, ids: Iterable[int]) -> None:
        """Drop all but those with these *ids*."""
        kept = set(ids)
        self.delivered = {id_: it for id_, it in self.delivered.items() if id_ in kept}
        self.rejected = {id_: it for id_, it in self.rejected.items() if id_ in kept}

    def settle(self, connection: BoundedConnection) -> list[LockedRow]:
        """Delete and park all that is not locked; return, and keep, the others.

        What cannot be deleted is parked.
        """
        if self.delivered:
            kept = delete(connection, self.delivered)
            self.kept += kept
            self.rejected.update(kept)
        if self.rejected:
            park(connection, self.rejected)
        found = connection.execute(queries.LOCKED, identities(self.events)).fetchall()
        locked = [LockedRow(*row) for row in found]
        self.keep(row.id for row in locked)
        return locked


def park(connection: BoundedConnection, rejected: Mapping[int, tuple[str, str]]) -> None:
    """Park rows, each with its event id and error, unless somebody has them locked."""
    connection.execute(queries.PARK, {
        **identities({id_: event for id_, (event, _) in rejected.items()}),
        # In letters that every encoding has.
        "errors": json.dumps({id_: _plain(error) for id_, (_, error) in rejected.items()}),
    })  # fmt: skip


def note(
    connection: BoundedConnection, shards: Sequence[int], published: Mapping[int, str]
) -> None:
    """Note in *shards* which of their *published* rows are still there."""
    connection.execute(queries.NOTE_UNSETTLED, {**identities(published), "shards": list(shards)})


def _plain(text: str) -> str:
    return text.replace("\0", "").encode("ascii", "backslashreplace").decode()
