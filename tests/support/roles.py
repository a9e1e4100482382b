"""Users of the database who have only the rights that a deployment gives them."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from psycopg import sql

from tests.support.postgres import Database

PASSWORD = "sesame"


@contextmanager
def member(database: Database, *roles: str) -> Iterator[Database]:
    """*database* as a new user sees it who is in *roles* and may do nothing else; dropped after.

    Every connection of the user must be closed by then.
    """
    user = f"{roles[0]}_{uuid.uuid4().hex[:8]}"
    name = sql.Identifier(user)
    groups = sql.SQL(", ").join(map(sql.Identifier, roles))
    with database.connect(autocommit=True) as admin:
        admin.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE {}").format(name, PASSWORD, groups)
        )
        try:
            parts = urlsplit(database.dsn)
            host = parts.netloc.rpartition("@")[2]
            netloc = f"{user}:{PASSWORD}@{host}"
            yield Database(parts._replace(netloc=netloc).geturl())
        finally:
            admin.execute(sql.SQL("DROP ROLE {}").format(name))
