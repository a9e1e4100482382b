"""A process that serves ends in order at whatever moment it is asked to."""

import logging
import os
import signal
import socket
from asyncio import CancelledError
from collections.abc import Iterator

import pytest
import uvicorn

from relay.service.api.core.refusal import CutOffError
from relay.service.api.serving import server
from relay.service.api.serving.ending import end_on_signals
from relay.settings import load

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture(autouse=True)
def own_handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Handlers of this test alone; the end of the process is an exception."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    monkeypatch.setattr(os, "_exit", _exit)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _exit(code: int) -> None:
    raise SystemExit(code)


@pytest.mark.parametrize("number", SIGNALS)
def test_it_ends_before_it_serves_and_is_left_to_uvicorn_later(number: signal.Signals) -> None:
    serving = uvicorn.Server(uvicorn.Config(app=""))
    end_on_signals(serving)
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(number)
    assert ended.value.code == 0
    # Raised once more by uvicorn, at its end.
    serving.should_exit = True
    signal.raise_signal(number)


@pytest.mark.parametrize(
    ("error", "is_logged"),
    [(CancelledError(), False), (CutOffError(), False), (ValueError(), True)],
)
def test_an_answer_that_was_cut_off_leaves_no_traceback(
    *, error: BaseException, is_logged: bool
) -> None:
    end_on_signals(uvicorn.Server(uvicorn.Config(app="", log_config=None)))
    logger = logging.getLogger("uvicorn.error")
    fault = (type(error), error, None)
    record = logger.makeRecord(logger.name, logging.ERROR, "", 0, "Exception in…", (), fault)
    assert bool(logger.filter(record)) == is_logged


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_api_hears_sigterm_as_soon_as_it_says_where_it_is(
    api_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    for name, value in (api_environment | {"RELAY_API_WORKERS": workers}).items():
        monkeypatch.setenv(name, value)

    def say(text: str, *_: object) -> None:
        if text.startswith("serving events on"):
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(server.logger, "info", say)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(server, "listen", lambda *_: listening)
        with pytest.raises(SystemExit) as ended:
            server.run(load(database=True, stream=True, api=True))
    assert ended.value.code == 0
