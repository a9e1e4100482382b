"""Recovery: everything written before is delivered."""

import time
from contextlib import suppress

import psycopg

from tests.soak.stage import Stage


def last_id(stage: Stage) -> int:
    """Return the highest id that was committed."""
    with stage.connect() as connection:
        row = connection.execute("SELECT coalesce(max(seq), 0) FROM soak_written").fetchone()
    assert row is not None
    return int(row[0])


def wait_until_gone(stage: Stage, upto: int, seconds: float) -> float:
    """Wait until no pending row up to the id *upto* is left; return how long that took.

    Raises:
        TimeoutError: not within *seconds*.
    """
    begun = time.monotonic()
    while (lasted := time.monotonic() - begun) < seconds:
        with suppress(psycopg.OperationalError), stage.connect() as connection:
            left = connection.execute(
                "SELECT FROM outbox WHERE id <= %s AND parked_at IS NULL LIMIT 1", (upto,)
            ).fetchone()
            if left is None:
                return lasted
        time.sleep(0.05)
    raise TimeoutError(f"rows still wait after {seconds:g} s")
