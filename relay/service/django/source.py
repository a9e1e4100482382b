from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.db import connections

from relay.service.writer import LOCK_TIMEOUT


class AliasSource:
    """Opens a second connection to a database of the settings, since a thread has one of each."""

    def accepts(self, source: object) -> bool:
        """Tell whether *source* is the alias of a database, such as "default"."""
        return isinstance(source, str) and source in connections

    @contextmanager
    def begin(self, source: str) -> Iterator[Any]:
        """Yield a new connection in a transaction that commits at the end, then close it."""
        connection = connections[source].copy()
        with closing(connection):
            connection.set_autocommit(False)
            try:
                with connection.cursor() as cursor:
                    cursor.execute(LOCK_TIMEOUT)
                yield connection
                connection.commit()
            except BaseException:
                connection.rollback()
                raise
