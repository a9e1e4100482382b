"""A hot standby of an embedded PostgreSQL server, for failovers."""

from collections.abc import Mapping

from relay.demo.postgres import EmbeddedPostgres


class Standby(EmbeddedPostgres):
    """A copy of *primary* that follows it, read-only until `SELECT pg_promote()`."""

    def __init__(self, primary: EmbeddedPostgres, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self._primary = primary

    def _creation(self) -> list[str]:
        command = ["pg_basebackup", "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        return [*command, f"--dbname={self._primary.dsn()}", f"--pgdata={self._data}"]
