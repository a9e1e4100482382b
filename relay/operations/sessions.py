"""Sessions of PostgreSQL that stand in the way, and their end."""

from psycopg.rows import class_row

from relay.database.session import Connection, bounded, needing
from relay.errors import RelayError
from relay.operations.actions import Why
from relay.operations.outlook.facts import Session
from relay.operations.queries import sessions as queries


def find(connection: Connection, pid: int) -> Session | None:
    """Return the session with this pid if it is in a transaction, in this database."""
    with (
        bounded(connection),
        connection.cursor(row_factory=class_row(Session)) as cursor,
    ):
        return cursor.execute(queries.SESSION, {"pid": pid}).fetchone()


def end(connection: Connection, session: Session, why: Why) -> None:
    """End *session*, and note who did so and why, both or neither.

    Raises:
        RelayError: it is gone, or in another transaction by now; or its times are hidden.
        SchemaError: the user is no operator, or may not end sessions of that user.
    """
    if session.since is None:
        raise RelayError(
            f"The times of session {session.pid} are hidden, so it might be another one by now; "
            "nothing was ended. Grant pg_read_all_stats to this database user."
        )
    given = {
        "pid": session.pid,
        "since": session.since,
        "what": f"pid {session.pid}, {session.application or 'no application name'}, user "
        f"{session.user_name}, since {session.since.isoformat()}",
        "reason": why.reason,
        "person": why.person,
    }
    with connection.transaction():
        with needing("outbox_operator"):
            connection.execute(queries.NOTE, given)
        with needing("pg_signal_backend"):
            ended = connection.execute(queries.END, given).fetchone()
        if ended is None or not ended[0]:
            raise RelayError(
                f"Session {session.pid} is gone, or in another transaction; nothing was ended."
            )
