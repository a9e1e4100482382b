from sqlalchemy.orm import Session
from sqlalchemy.util import ScopedRegistry

from relay.service.records import Emitted
from relay.service.sqlalchemy.buffer import buffer_of


class SessionWriter:
    """Keeps what is emitted until just before the commit."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is a session of SQLAlchemy, also an asynchronous one."""
        return session_of(target) is not None

    def write(self, target: object, emitted: Emitted) -> None:
        """Keep *emitted* until the transaction of *target* commits."""
        _keep(target, emitted)


class AsyncSessionWriter:
    """The same, awaited: nothing is sent before the commit."""

    def accepts(self, target: object) -> bool:
        """Tell whether *target* is a session of SQLAlchemy, also a synchronous one."""
        return session_of(target) is not None

    async def write(self, target: object, emitted: Emitted) -> None:
        """Keep *emitted* until the transaction of *target* commits."""
        _keep(target, emitted)


def _keep(target: object, emitted: Emitted) -> None:
    session = session_of(target)
    assert session is not None  # noqa: S101 - accepted before
    buffer_of(session).add(emitted)


def session_of(target: object) -> Session | None:
    """Return the session that does the work behind *target*; None where it is none."""
    # Of scoped_session and async_scoped_session; the latter's module needs greenlet.
    registry: object = getattr(target, "registry", None)
    if isinstance(registry, ScopedRegistry):
        target = registry()
    session: object = getattr(target, "sync_session", target)
    return session if isinstance(session, Session) else None
