"""Backoff while the database or the broker is away."""

import logging
from collections.abc import Callable
from typing import Final, TypeVar

import psycopg
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential_jitter

from relay.daemon.timing import Waiter
from relay.database.connection import explain
from relay.errors import BrokerUnavailableError, DatabaseUnavailableError, SchemaError

log = logging.getLogger(__name__)

FIRST_SECONDS: Final = 0.2
# A schema that does not fit may be mended while the relay runs.
OUTAGES: Final = (BrokerUnavailableError, DatabaseUnavailableError, SchemaError, psycopg.Error)

T = TypeVar("T")


def reason(error: BaseException) -> str:
    """Return the reason of an outage, without what could quote a row."""
    return explain(error) if isinstance(error, psycopg.Error) else str(error)


class Backoff:
    """Repeats a call until it ends without an outage, or until a stop.

    Every failed attempt logs one warning. The pause doubles up to *longest_seconds*.
    """

    def __init__(
        self, waiter: Waiter, longest_seconds: float, *, broker: str, database: str
    ) -> None:
        self._retrying = _retrying(waiter, longest_seconds, broker, database)

    def __call__(self, call: Callable[[], T]) -> T | None:
        """Return the result of *call*; None after a stop."""
        # tenacity's own first attempt would cost a tenth of what an idle relay does.
        try:
            return call()
        except OUTAGES as error:
            failed = [error]

        def again() -> T:
            if failed:
                raise failed.pop()
            return call()

        return self._retrying(again)


def _retrying(waiter: Waiter, longest_seconds: float, broker: str, database: str) -> Retrying:
    def warn(attempt: RetryCallState) -> None:
        error = attempt.outcome.exception() if attempt.outcome else None
        pause = attempt.next_action.sleep if attempt.next_action else 0.0
        if isinstance(error, BrokerUnavailableError):
            subject = f"Kafka at {broker}"
        else:
            subject = f"PostgreSQL at {database}"
        log.warning(
            "%s cannot be used: %s; rows wait, next attempt in %.1f s",
            subject, reason(error) if error else "", pause,
            extra={"attempt": attempt.attempt_number},
        )  # fmt: skip

    return Retrying(
        sleep=waiter.wait,
        stop=lambda _: waiter.stopping,
        wait=wait_exponential_jitter(multiplier=FIRST_SECONDS, max=longest_seconds, jitter=0.5),
        retry=retry_if_exception_type(OUTAGES),
        before_sleep=warn,
        retry_error_callback=lambda _: None,
    )
