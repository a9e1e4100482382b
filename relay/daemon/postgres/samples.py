"""Samples: the table outbox_sample, the last day of the outbox for whoever draws it."""

from typing import Final

from relay.daemon.figures import Figures
from relay.database.session import Connection

# One row a minute, whoever comes first. A second relay finds it there and writes nothing.
_RECORD: Final = """
INSERT INTO outbox_sample (at, pending, parked, lag_seconds, published, relays)
SELECT date_trunc('minute', clock_timestamp()),
       %(pending)s,
       %(parked)s,
       %(lag_seconds)s,
       coalesce(sum(published), 0),
       count(*) FILTER (WHERE ended_at IS NULL AND alive_until > clock_timestamp())
  FROM outbox_relay
    ON CONFLICT (at) DO NOTHING
"""

_FORGET: Final = "DELETE FROM outbox_sample WHERE at < clock_timestamp() - interval '1 day'"


def record(connection: Connection, figures: Figures) -> None:
    """Keep the figures as those of this minute, and forget what is older than a day.

    Raises:
        psycopg.Error: the database failed.
    """
    parameters = {
        # All that waits, whatever for.
        "pending": figures.pending + figures.held + figures.paused,
        "parked": figures.parked,
        "lag_seconds": figures.lag_seconds,
    }
    if connection.execute(_RECORD, parameters).rowcount:
        connection.execute(_FORGET)
