"""Lost leases: those that ended without a commit although their relay lives."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psycopg

from relay.daemon.postgres import queries
from relay.daemon.postgres.claims import Claimed
from relay.daemon.postgres.session import Session


class LostLeases:
    """Remembers lost leases, whose shards look as if their relay had died, and clears them."""

    def __init__(self) -> None:
        self._shards: dict[int, Sequence[int]] = {}

    @contextmanager
    def noting(self, claimed: Sequence[Claimed]) -> Iterator[None]:
        """Note the lease of these shards if the database fails in the block."""
        try:
            yield
        except psycopg.Error:
            if claimed:
                self._shards[claimed[0].transaction] = [c.shard for c in claimed]
            raise

    def survive(self, session: Session) -> None:
        """Take back the marks of a death from the shards: this relay lives."""
        for transaction, shards in list(self._shards.items()):
            lost = {"transaction": transaction, "shards": shards}
            with session.transaction() as connection:
                connection.execute(queries.SURVIVE, lost)
                connection.execute(queries.FORGIVE, lost | {"transaction": str(transaction)})
            del self._shards[transaction]
