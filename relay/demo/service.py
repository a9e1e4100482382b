"""A service to look at: simulated installations, one after the other, until SIGTERM.

`python -m relay.demo.service` writes to the database of DATABASE_URL, as a service would that uses
this package; with ENABLE_EVENT_STREAMING it fills the outbox too. The local stacks run it.
"""

import argparse
import logging
import random
import signal
import threading
from typing import Final

import psycopg
from sqlalchemy import Engine, create_engine
from sqlalchemy.exc import OperationalError, ProgrammingError

from relay import logs, settings
from relay.demo.installation import Installation
from relay.demo.tables import Base, track
from relay.errors import RelayError, SchemaError
from relay.service.outbox import Outbox

RETRY_SECONDS: Final = 2.0

log = logging.getLogger("relay.demo.service")


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m relay.demo.service", description=__doc__)
    parser.add_argument(
        "--pause", type=float, default=0.5, metavar="SECONDS", help="between two transactions (0.5)"
    )
    pause = parser.parse_args().pause
    try:
        loaded = settings.load(database=True, events=True, relay=True)
        outbox = Outbox.from_environment()
    except RelayError as error:
        parser.exit(error.exit_code, f"{error}\n")
    logs.configure(loaded.log.level, loaded.log.format)
    track(outbox)
    Service(_engine(loaded.database), outbox, pause).run()


class Service:
    """Writes a transaction every *pause* seconds, and waits where the database is away."""

    def __init__(self, engine: Engine, outbox: Outbox, pause: float) -> None:
        self._engine = engine
        self._outbox = outbox
        self._pause = pause
        self._stopping = threading.Event()

    def run(self) -> None:
        """Write until a signal says stop."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stopping.set())
        while not self._stopping.is_set():
            try:
                Base.metadata.create_all(self._engine)
                self._install()
            except (OperationalError, ProgrammingError) as error:
                # Away, or without the service's tables: PostgreSQL's words, without the statement.
                log.warning("waiting for the database: %s", str(error.orig).splitlines()[0])
                self._stopping.wait(RETRY_SECONDS)
            except SchemaError as error:
                log.warning("waiting for the database: %s", error)
                self._stopping.wait(RETRY_SECONDS)
        log.info("stopped")

    def _install(self) -> None:
        installation = Installation(self._engine, self._outbox, seed=random.getrandbits(63))
        installation.register()
        log.info("a cluster was registered")
        while not self._stopping.wait(self._pause):
            installation.step()


def _engine(database: settings.DatabaseSettings) -> Engine:
    # By a connection string, since the environment may name the parts of a URL alone.
    return create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(database.conninfo())
    )


if __name__ == "__main__":
    main()
