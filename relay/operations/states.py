"""States that must not go out again."""

from collections.abc import Sequence

from relay.errors import RelayError
from relay.formats import format_of
from relay.operations.selection import Row
from relay.settings import Settings


def refuse_states(settings: Settings, rows: Sequence[Row]) -> None:
    """Make sure that requeuing *rows* takes no object back to an older state.

    Raises:
        RelayError: one is a state, and consumers know no `seq` to tell that it is old.
    """
    names = format_of(settings.events.stream_preset).states
    states = [row.id for row in rows if row.name in names]
    if states:
        some = ", ".join(map(str, states[:20]))
        raise RelayError(
            f"nothing was done, because states are among the rows: {some}. "
            "Existing consumers take the last state they read, and a newer one may have gone out. "
            "Requeue the events (--name Event), let the objects be sent as they are now, and "
            "discard the old states."
        )
