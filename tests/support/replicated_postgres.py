"""A PostgreSQL server and its streaming replica, which takes its place when it dies."""

from collections.abc import Mapping
from typing import Final

from relay.demo.postgres import EmbeddedPostgres
from tests.support.eventually import eventually
from tests.support.postgres import Database
from tests.support.standby import Standby
from tests.support.started import Started

SETTINGS: Final = {
    # What a standby needs after its copy was made is still there when it connects.
    "wal_keep_size": "512MB",
    "wal_retrieve_retry_interval": "500ms",
}


class ReplicatedPostgres(Started):
    """A primary whose commits wait for its standby, so that a promotion loses none."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._settings = SETTINGS | dict(settings)
        self.primary = EmbeddedPostgres(self._settings)
        self._standby: EmbeddedPostgres | None = None

    @property
    def standby(self) -> EmbeddedPostgres:
        """The standby of this moment; there is none between a promotion and add_standby()."""
        assert self._standby is not None, "there is no standby: call add_standby() first"
        return self._standby

    @property
    def database(self) -> Database:
        """The database on the primary of this moment."""
        return Database(self.primary.dsn())

    def start(self) -> None:
        """Start both."""
        self.primary.start()
        self.add_standby()

    def add_standby(self) -> None:
        """Copy the primary, and let its commits wait for the copy from now on."""
        self._standby = Standby(self.primary, self._settings)
        self._standby.start()
        # Only now, so that the copy, which may become a primary, has it not.
        with self.database.connect(autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            connection.execute("SELECT pg_reload_conf()")
        self.await_standby()

    def await_standby(self) -> None:
        """Wait until commits wait for the standby, and it keeps up with them."""
        with self.database.connect(autocommit=True) as connection:
            eventually(
                lambda: (
                    connection.execute(
                        "SELECT FROM pg_stat_replication WHERE sync_state = 'sync'"
                    ).fetchone()
                    is not None
                ),
                what="the standby follows",
            )

    def cut_off_standby(self) -> None:
        """Let the standby get nothing any more, and commits no longer wait for it."""
        with self.database.connect(autocommit=True) as connection:
            connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
            connection.execute("SELECT pg_reload_conf()")
        with Database(self.standby.dsn()).connect(autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET primary_conninfo = ''")
            connection.execute("SELECT pg_reload_conf()")
            eventually(
                lambda: connection.execute("SELECT FROM pg_stat_wal_receiver").fetchone() is None,
                what="the standby receives nothing",
            )

    def kill_primary(self) -> None:
        """End the primary at once; what it acknowledged its standby has."""
        self.primary.stop("immediate")

    def promote(self) -> None:
        """Let the standby take the place of a primary that is no more, and wait until it writes."""
        dead, self.primary, self._standby = self.primary, self.standby, None
        with self.database.connect(autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
        dead.close()

    def close(self) -> None:
        """End both servers, and remove their data. May be called again."""
        if self._standby is not None:
            self._standby.close()
        self.primary.close()
