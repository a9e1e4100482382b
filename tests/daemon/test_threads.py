"""Threads of the relay: their end is noticed, and so is its cause."""

import threading
from collections.abc import Callable

import pytest

from relay.daemon.threads import WatchedThread, cause, stack


def fail() -> None:
    raise ValueError("what a row says")


def leave() -> None:
    raise SystemExit(3)


def ended(thread: WatchedThread) -> WatchedThread:
    thread.start()
    thread.join(60)
    assert not thread.is_alive()
    return thread


@pytest.mark.parametrize(("work", "kind"), [(fail, ValueError), (leave, SystemExit)])
def test_a_thread_keeps_what_ended_it(work: Callable[[], None], kind: type[BaseException]) -> None:
    error = ended(WatchedThread("worker", work)).error
    assert type(error) is kind


def test_the_cause_names_type_and_line_and_no_value() -> None:
    error = ended(WatchedThread("worker", fail)).error
    assert error is not None
    assert cause(error).startswith(f"ValueError in fail, {__file__}:")
    assert "in fail" in stack(error)
    assert "\n    raise ValueError(" in stack(error)
    assert cause(None) == "an end that nobody asked for"


def test_nothing_is_kept_of_a_thread_that_is_done() -> None:
    done = threading.Event()
    assert ended(WatchedThread("worker", done.set)).error is None
    assert done.is_set()
