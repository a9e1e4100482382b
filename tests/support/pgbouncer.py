"""PgBouncer in transaction mode, in front of one PostgreSQL server."""

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relay.demo.ports import LOOPBACK
from relay.demo.postgres import UNPRIVILEGED_USER
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.postgres import Database
from tests.support.requirements import program

END_SECONDS = 10.0

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}
[pgbouncer]
listen_addr = {listen}
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
"""


@contextmanager
def pgbouncer(database: Database, pool_size: int = 10) -> Iterator[Database]:
    """*database* as its clients see it through the pooler."""
    command = program("pgbouncer", package="pgbouncer")
    (host, port), listen_port = database.address, free_port()
    # It refuses to run as root.
    account = pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="relay-pgbouncer-") as directory:
        configuration = Path(directory, "pgbouncer.ini")
        configuration.write_text(
            CONFIGURATION.format(
                host=host, port=port, user=database.user,
                listen=LOOPBACK, listen_port=listen_port, pool_size=pool_size,
            )
        )  # fmt: skip
        Path(directory).chmod(0o755)
        process = subprocess.Popen(
            [command, "--quiet", configuration],
            stdin=subprocess.DEVNULL,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        pooled = database.via((LOOPBACK, listen_port))
        try:
            eventually(pooled.answers)
            yield pooled
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(END_SECONDS)
