"""Users of the database who have only the rights that a deployment gives them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from psycopg import sql

from tests.support.postgres import Database

PASSWORD = "sesame"


@contextmanager
def stranger(database: Database, name: str = "stranger") -> Iterator[Database]:
    """*database* as a new user sees it who may do nothing in it yet; dropped after.

    Every connection of the user must be closed by then.
    """
    user = f"{name}_{uuid.uuid4().hex[:8]}"
    role = sql.Identifier(user)
    with database.connect(autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, PASSWORD))
        try:
            parts = urlsplit(database.dsn)
            host = parts.netloc.rpartition("@")[2]
            netloc = f"{user}:{PASSWORD}@{host}"
            yield Database(parts._replace(netloc=netloc).geturl())
        finally:
            admin.execute(sql.SQL("DROP OWNED BY {}").format(role))
            admin.execute(sql.SQL("DROP ROLE {}").format(role))


@contextmanager
def member(database: Database, *roles: str) -> Iterator[Database]:
    """*database* as a new user sees it who is in *roles* and may do nothing else; dropped after."""
    groups = sql.SQL(", ").join(map(sql.Identifier, roles))
    with stranger(database, roles[0]) as user:
        with database.connect(autocommit=True) as admin:
            admin.execute(sql.SQL("GRANT {} TO {}").format(groups, sql.Identifier(user.user)))
        yield user
