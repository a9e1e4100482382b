"""PgBouncer in transaction mode, in front of one PostgreSQL server."""

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import LiteralString

import psycopg

from relay.demo.ports import LOOPBACK
from relay.demo.postgres import UNPRIVILEGED_USER
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.postgres import Database
from tests.support.requirements import program
from tests.support.started import Started

Address = tuple[str, int]

PROGRAM = "pgbouncer"
END_SECONDS = 10.0

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = {listen}
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
admin_users = {user}
pool_mode = transaction
default_pool_size = {pool_size}
server_login_retry = 1
"""


class PgBouncer(Started):
    """A pooler whose server may be exchanged for another one behind its clients' backs."""

    def __init__(self, database: Database, pool_size: int = 10) -> None:
        self._program = program(PROGRAM, package="pgbouncer")
        self._database, self._target = database, database.address
        self._pool_size = pool_size
        self.address: Address = (LOOPBACK, free_port())
        self._directory = tempfile.TemporaryDirectory(prefix="relay-pgbouncer-")
        Path(self._directory.name).chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def database(self) -> Database:
        """The database as its clients see it."""
        return self._database.via(self.address)

    @property
    def target(self) -> Address:
        """The server's address; assign another one to let the next transactions go there."""
        return self._target

    @target.setter
    def target(self, address: Address) -> None:
        self._target = address
        self._configure()
        self._command("RELOAD")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let transactions end, and keep the next ones waiting until the block is left."""
        self._command("PAUSE")
        try:
            yield
        finally:
            self._command("RESUME")

    def start(self) -> None:
        """Start it, and wait until it answers."""
        configuration = self._configure()
        # It refuses to run as root.
        account = pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None
        self._process = subprocess.Popen(
            [self._program, "--quiet", configuration],
            stdin=subprocess.DEVNULL,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        eventually(self.database.answers)

    def close(self) -> None:
        """End it, and remove its configuration. May be called again."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal.SIGINT)
            process.wait(END_SECONDS)
        self._directory.cleanup()

    def _command(self, command: LiteralString) -> None:
        console = self.database.sibling("pgbouncer")
        with psycopg.connect(console.dsn, autocommit=True) as administrator:
            administrator.execute(command)

    def _configure(self) -> Path:
        (host, port), (listen, listen_port) = self._target, self.address
        configuration = Path(self._directory.name, "pgbouncer.ini")
        configuration.write_text(
            CONFIGURATION.format(
                host=host, port=port, user=self._database.user,
                listen=listen, listen_port=listen_port, pool_size=self._pool_size,
            )
        )  # fmt: skip
        return configuration


@contextmanager
def pgbouncer(database: Database, pool_size: int = 10) -> Iterator[Database]:
    """*database* as its clients see it through the pooler."""
    with PgBouncer(database, pool_size) as pooler:
        yield pooler.database
