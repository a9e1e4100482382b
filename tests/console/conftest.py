from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from starlette.testclient import TestClient

from relay.console.app import Console
from relay.settings import load
from tests.console.incident import fill
from tests.support.outbox import Outbox
from tests.support.postgres import Database

LOOPBACK = "http://127.0.0.1:8091"
Serve = Callable[..., TestClient]


@pytest.fixture
def incident(outbox: Outbox) -> Outbox:
    """An outbox in trouble: rows that wait, are parked, held and paused."""
    fill(outbox.connection)
    return outbox


@pytest.fixture
def serve(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serve the console as these variables say: `serve(RELAY_CONSOLE_ACTIONS="true")`."""
    with ExitStack() as clients:

        def start(*, peer: str = "127.0.0.1", base: str = LOOPBACK, **variables: str) -> TestClient:
            environment = {"DATABASE_URL": database.dsn, "RELAY_CONSOLE_LOOK_SECONDS": "0.2"}
            for name, value in (environment | variables).items():
                monkeypatch.setenv(name, value)
            monkeypatch.delenv("ENABLE_EVENT_STREAMING", raising=False)
            app = Console(load(database=True, stream=True, console=True)).application()
            client = TestClient(
                app,
                base_url=base,
                client=(peer, 50_000),
                follow_redirects=False,
            )
            return clients.enter_context(client)

        yield start


@pytest.fixture
def console(serve: Serve) -> TestClient:
    """The console on loopback, read-only."""
    return serve()


@pytest.fixture
def acting(serve: Serve) -> TestClient:
    """The console on loopback, with actions."""
    return serve(RELAY_CONSOLE_ACTIONS="true")
