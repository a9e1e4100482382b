import logging

import pytest
from tenacity import Retrying

from relay.daemon.backoff import Backoff
from relay.daemon.timing import Waiter
from relay.errors import BrokerUnavailableError, DatabaseUnavailableError


class Instant(Waiter):
    """Waits for nothing, and notes how long it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
def waiter() -> Instant:
    return Instant()


@pytest.fixture
def backoff(waiter: Instant) -> Backoff:
    return Backoff(waiter, 1.0, broker="kafka:9092", database="db:5432/x")


def test_a_call_that_succeeds_does_not_pass_through_the_retries(
    backoff: Backoff, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retrying, "__call__", None)
    assert backoff(lambda: 7) == 7


def test_every_failed_attempt_is_warned_of_and_followed_by_a_pause(
    backoff: Backoff, waiter: Instant, caplog: pytest.LogCaptureFixture
) -> None:
    outages = [BrokerUnavailableError("no answer"), DatabaseUnavailableError("no route")]

    def call() -> str:
        if outages:
            raise outages.pop(0)
        return "done"

    with caplog.at_level(logging.WARNING):
        assert backoff(call) == "done"
    subjects = [record.getMessage().partition(" cannot")[0] for record in caplog.records]
    assert subjects == ["Kafka at kafka:9092", "PostgreSQL at db:5432/x"]
    assert len(waiter.waits) == 2
    assert all(0 < pause <= 1.5 for pause in waiter.waits)


def test_nothing_is_repeated_after_a_stop(backoff: Backoff, waiter: Instant) -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        waiter.stop()
        raise DatabaseUnavailableError("no route")

    assert backoff(call) is None
    assert len(calls) == 1


def test_any_other_error_is_raised(backoff: Backoff) -> None:
    with pytest.raises(ZeroDivisionError):
        backoff(lambda: 1 // 0)
