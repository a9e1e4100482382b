"""Blind spot: the rows up to a low watermark, where no worker looks, and none should be pending.

Watermarks are exact for rows that draw their id from the sequence. COPY writes any id, setval()
takes the sequence back, and a session may have kept ids from when the sequence had a cache.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from relay.daemon.exclusions import Exclusions
from relay.daemon.postgres import queries
from relay.daemon.postgres.row_filter import Destination, RowFilter
from relay.daemon.postgres.session import Session

# Of each shard: enough to tell that there are some.
_ROWS_PER_SHARD: Final = 100


@dataclass(frozen=True, slots=True)
class View:
    """Watermarks, the epoch in which they hold, and the exclusions under which they rose.

    *unsettled*: rows that were published, and will be deleted when somebody's lock on them ends.
    *resume*, *beside*: the resume positions, and the writers that must not be seen there.
    """

    epoch: str
    watermarks: tuple[int, ...]
    exclusions: Exclusions
    unsettled: Mapping[int, str] = field(default_factory=dict)
    resume: tuple[int, ...] = ()
    beside: tuple[str, ...] = ()


def missed_rows(session: Session, destination: Destination, view: View) -> Sequence[int]:
    """Return ids of pending rows that *view* leaves out for ever; none in another epoch.

    Raises:
        psycopg.Error: the database failed.
    """
    row_filter = RowFilter(destination, view.exclusions, view.unsettled, view.beside)
    with session.transaction() as connection:
        found = connection.execute(row_filter.applied_to(queries.BELOW), {
            **row_filter.parameters,
            "epoch": view.epoch,
            "watermarks": list(view.watermarks),
            "resume": list(view.resume),
            "limit": _ROWS_PER_SHARD,
        })  # fmt: skip
        return [id_ for (id_,) in found]
