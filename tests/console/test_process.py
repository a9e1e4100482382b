"""`relay console` as a process, and as a part of another application."""

import os
import re
import signal
import socket
from contextlib import asynccontextmanager

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from relay.console import server
from relay.console.app import Console
from relay.settings import load
from tests.support.ports import free_port
from tests.support.postgres import Database
from tests.support.process import RunRelay


@pytest.fixture
def environment(database: Database) -> dict[str, str]:
    return {
        "DATABASE_URL": database.dsn,
        "RELAY_CONSOLE_PORT": str(free_port()),
        "RELAY_METRICS_PORT": str(free_port()),
        "RELAY_API_PORT": str(free_port()),
        "RELAY_LOG_FORMAT": "json",
    }


def test_it_ends_in_order_although_a_browser_listens(
    run_relay: RunRelay, environment: dict[str, str]
) -> None:
    process = run_relay("console", environment=environment)
    url = str(process.wait_for_log("console at", timeout=60)["message"]).rpartition(" ")[2]
    process.wait_for_log("nobody signs in")
    asked = run_relay("live", environment=environment)
    assert (asked.wait(), asked.output) == (0, "alive")
    second = run_relay("console", environment=environment)
    assert second.wait() == 2
    assert "RELAY_CONSOLE_PORT" in second.output
    with httpx2.stream("GET", f"{url}/live", timeout=30) as listening:
        lines = listening.iter_lines()
        assert next(lines) == "retry: 3000"
        assert process.terminate() == 0
        # The stream was ended, not broken.
        assert all(isinstance(line, str) for line in lines)


def test_it_hears_sigterm_as_soon_as_it_says_where_it_is(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    # In place of serving.
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: signal.raise_signal(signal.SIGTERM))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            monkeypatch.setattr(server, "listen", lambda *_: listening)
            server.run(load(database=True, stream=True, console=True))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert ended == [0]


def test_what_would_be_open_to_everybody_does_not_start(
    run_relay: RunRelay, environment: dict[str, str]
) -> None:
    process = run_relay("console", environment=environment | {"RELAY_CONSOLE_HOST": "192.0.2.1"})
    assert process.wait() == 2
    assert "must be a loopback address" in process.output
    assert "Traceback" not in process.output


def test_it_is_mounted_into_another_application(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.dsn)
    monkeypatch.setenv("RELAY_CONSOLE_ACTIONS", "true")
    monkeypatch.delenv("ENABLE_EVENT_STREAMING", raising=False)
    console = Console(load(database=True, stream=True, console=True))

    @asynccontextmanager
    async def lifespan(_: FastAPI):  # type: ignore[no-untyped-def]  # noqa: ANN202 - a generator
        async with console.running():
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/outbox", console.application())
    with TestClient(app, base_url="http://127.0.0.1", client=("127.0.0.1", 1)) as client:
        page = client.get("/outbox/shards").text
        assert 'href="/outbox/relays"' in page
        assert 'hx-get="/outbox/shards"' in page
        assert 'data-root="/outbox"' in page
        assert client.get("/outbox/static/console.css").status_code == 200
        assert "Pause 1 shard" not in page
        form = client.get("/outbox/change/pause?shards=3").text
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        done = client.post(
            "/outbox/change/pause?shards=3",
            data=fields | {"reason": "a test"},
            follow_redirects=False,
        )
        assert done.headers["location"] == "/outbox/shards"
        assert client.get("/relays").status_code == 404
