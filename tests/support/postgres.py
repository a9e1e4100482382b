"""Databases for tests: one server a session, one template, one database a test."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from psycopg import Connection, sql
from psycopg.rows import TupleRow

from relay.demo.postgres import EmbeddedPostgres
from tests.support.leftovers import memory

# Safe here: a test may crash the server, but never the machine.
TEST_SETTINGS = {"fsync": "off", "full_page_writes": "off"}


# A server of 200 MB, its log, and what the largest tests put into it.
MEMORY_BYTES = 4 << 30


@dataclass(frozen=True)
class Database:
    """One database, named by a libpq URL of a user who may do everything in it."""

    dsn: str

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.dsn)
        return parts.hostname or "localhost", parts.port or 5432

    @property
    def user(self) -> str:
        return urlsplit(self.dsn).username or ""

    @property
    def name(self) -> str:
        return urlsplit(self.dsn).path.removeprefix("/")

    def connect(self, *, autocommit: bool = False) -> Connection[TupleRow]:
        return psycopg.connect(self.dsn, autocommit=autocommit)

    def answers(self) -> bool:
        """Whether a connection is to be had now."""
        try:
            psycopg.connect(self.dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def waiting(self) -> int:
        """How many of its connections wait for a lock; those of other databases don't count."""
        with self.connect() as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ).fetchone()
        assert found is not None
        return int(found[0])

    def sibling(self, name: str) -> "Database":
        """Another database of the same server."""
        return Database(urlsplit(self.dsn)._replace(path=f"/{name}").geturl())

    def via(self, address: tuple[str, int]) -> "Database":
        """The same database behind another address: that of a proxy, a pooler, a copy."""
        parts = urlsplit(self.dsn)
        user = parts.netloc.rpartition("@")[0]
        host = f"{address[0]}:{address[1]}"
        return Database(parts._replace(netloc=f"{user}@{host}" if user else host).geturl())


@contextmanager
def postgres_server() -> Iterator[Database]:
    """The maintenance database of the server at DATABASE_URL, or of an embedded one."""
    if given := os.environ.get("DATABASE_URL"):
        yield Database(given)
        return
    with EmbeddedPostgres(TEST_SETTINGS, parent=_memory()) as server:
        yield Database(server.dsn())


def _memory() -> Path | None:
    """A file system in memory with room for a server; on a disk a new database takes ten times."""
    where = memory()
    return where if where and shutil.disk_usage(where).free > MEMORY_BYTES else None


@contextmanager
def temporary_database(server: Database, template: Database | None = None) -> Iterator[Database]:
    """A new database, a copy of `template` where one is given, dropped with its connections."""
    with server.connect(autocommit=True) as admin, database_by(admin, server, template) as database:
        yield database


@contextmanager
def database_by(
    admin: Connection[TupleRow], server: Database, template: Database | None = None
) -> Iterator[Database]:
    """The same over a connection to *server* that is open already."""
    database = server.sibling(f"relay_test_{uuid.uuid4().hex[:12]}")
    name = sql.Identifier(database.name)
    origin = sql.Identifier(template.name if template else "template0")
    # Files are copied in half the time that the other strategy takes to log each block.
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(name, origin)
    admin.execute(create)
    try:
        yield database
    finally:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def apply_schema(database: Database) -> None:
    """Create the outbox tables, as shipped with the package."""
    schema = resources.files("relay").joinpath("schema.sql").read_text(encoding="utf-8")
    with database.connect() as connection:
        connection.execute(schema.encode())
