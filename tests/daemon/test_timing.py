import threading
import time

import pytest

from relay.daemon import timing
from relay.daemon.timing import Deadline, Interval, Pace, Waiter
from tests.support.clock import Clock

LONG = 60.0
# Where a wait has ended at once: what a busy machine may need to notice.
AT_ONCE = LONG / 2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    monkeypatch.setattr(timing, "boot_seconds", stopped)
    return stopped


def seconds_of(waiter: Waiter, seconds: float) -> float:
    begun = time.monotonic()
    waiter.wait(seconds)
    return time.monotonic() - begun


def test_a_stop_ends_the_wait_and_every_later_one() -> None:
    waiter = Waiter()
    threading.Timer(0.05, waiter.stop).start()
    assert seconds_of(waiter, LONG) < AT_ONCE
    assert waiter.stopping
    assert seconds_of(waiter, LONG) < AT_ONCE


def test_a_wake_up_before_the_wait_is_not_lost_and_counts_once() -> None:
    waiter = Waiter()
    waiter.wake()
    assert seconds_of(waiter, LONG) < AT_ONCE
    assert seconds_of(waiter, 0.05) >= 0.05


def test_a_full_lease_is_followed_at_once() -> None:
    assert Pace(0.002, 0.1).after(20_000, full=True) == 0.0


def test_the_pause_grows_while_idle_up_to_its_limit_and_shrinks_with_work() -> None:
    pace = Pace(0.002, 0.1)
    idle = [pace.after(0, full=False) for _ in range(40)]
    assert idle == sorted(idle)
    assert idle[0] < 0.003
    assert idle[-1] == 0.1
    assert pace.after(3, full=False) == 0.025
    assert pace.after(200, full=False) == 0.002


@pytest.mark.parametrize(("events_per_second", "most_polls"), [(1, 20), (10, 60), (30, 160)])
def test_polls_are_a_few_for_each_row_where_rows_are_sparse(
    events_per_second: int, most_polls: int
) -> None:
    pace, now, events, polls = Pace(0.002, 0.1), 0.0, 0, 0
    while now < 10.0:
        found = int(now * events_per_second) - events
        events += found
        polls += 1
        now += pace.after(found, full=False)
    assert polls / 10.0 < most_polls


def test_a_deadline_passes_by_its_own_clock() -> None:
    now = 50.0

    def clock() -> float:
        return now

    deadline = Deadline(10.0, clock)
    assert (deadline.left(), deadline.passed()) == (10.0, False)
    now += 10.0
    assert (deadline.left(), deadline.passed()) == (0.0, True)


def test_a_stop_leaves_its_budget_to_the_work_under_way(clock: Clock) -> None:
    waiter = Waiter()
    assert not waiter.overdue
    clock.advance(100.0)
    waiter.stop(3.0)
    assert (waiter.stopping, waiter.overdue) == (True, False)
    clock.advance(3.0)
    assert waiter.overdue


def test_a_second_stop_changes_nothing() -> None:
    waiter = Waiter()
    waiter.stop(60.0)
    waiter.stop(0.0)
    assert not waiter.overdue


def test_an_interval_is_due_at_the_start_and_each_time_that_it_has_passed(clock: Clock) -> None:
    interval = Interval(10.0)
    due = [interval.due]
    interval.restart()
    for seconds in (0.0, 9.0, 1.0):
        clock.advance(seconds)
        due.append(interval.due)
    assert due == [True, False, False, True]
