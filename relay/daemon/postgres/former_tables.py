"""Former tables: they were the outbox before another one took the name, and rows wait in them."""

from collections.abc import Sequence
from typing import Final

from relay.daemon.postgres import queries
from relay.daemon.timing import Interval
from relay.database.connection import BoundedConnection

# Another table is another epoch. Only one that gets the triggers without being the outbox is not.
_LOOK_SECONDS: Final = 60.0


class FormerTables:
    """Looks for such tables at each new epoch and each minute, and all the time while there are."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._epoch = ""
        self._look = Interval(_LOOK_SECONDS)
        self._known: Sequence[str] = ()

    def left_behind(self, connection: BoundedConnection, epoch: str) -> tuple[int, Sequence[int]]:
        """Return the number of rows left behind, and the time of the oldest of each table, in ms.

        Raises ``psycopg.Error``.
        """
        if self._known or epoch != self._epoch or self._look.due:
            self._known = [table for (table,) in connection.execute(queries.FORMER).fetchall()]
            self._epoch = epoch
            self._look.restart()
        counts, oldest = 0, list[int]()
        for table in self._known:
            statement = queries.LEFT_BEHIND.replace("{table}", table.replace("%", "%%"))
            found = connection.execute(statement.encode(), {"limit": self._rows_max}).fetchone()
            if found is not None and found[0]:
                counts += found[0]
                oldest.append(found[1])
        return counts, oldest
