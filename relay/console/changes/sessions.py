"""The change of a session: its end."""

from relay.console import cells
from relay.console.access.refusals import invalid, not_found
from relay.console.changes.change import Done, Form, Prepared, digest
from relay.console.content import Facts
from relay.console.links import to
from relay.console.visit import Visit
from relay.database.session import Connection
from relay.operations import sessions
from relay.operations.actions import Why


def end(visit: Visit) -> Prepared:
    """Prepare to end a session that holds something."""
    pid = visit.number("pid")
    if pid is None:
        raise invalid("The address names no session.")
    with visit.database.connection() as connection:
        found = sessions.find(connection, pid)
    if found is None:
        raise not_found(f"Session {pid} is gone, or has no transaction open.")

    def act(connection: Connection, why: Why, _: Form) -> Done:
        sessions.end(connection, found, why)
        return Done(f"Session {pid} was ended.", to("history"))

    shown = Facts(
        "Session",
        (
            ("Application", cells.text(found.application)),
            ("User", cells.text(found.user_name)),
            ("Transaction since", cells.moment(found.since)),
            ("Open for", cells.age(found.seconds)),
        ),
    )
    return Prepared(
        title=f"End session {pid}",
        consequence="Its transaction is rolled back, and its client loses the connection.",
        count=1,
        seen=digest([pid, found.since]),
        submit=f"End session {pid}",
        back=to("shards"),
        act=act,
        shown=(shown,),
        danger=True,
    )
