"""When a worker sleeps and when it polls, on a clock and a bell of the test's own."""

import pytest

from relay.daemon import timing, wake_up
from relay.daemon.postgres.doorbell import RINGS_SECONDS
from relay.daemon.timing import Pace, Waiter
from relay.daemon.wake_up import Load, WakeUp
from tests.support.clock import Clock


class FakeBell:
    """A bell whose every answer is the test's; waiting takes no time but the clock's."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.listening = False
        self.heard = True
        self.set = False
        self.overruled = False
        self.tests = 0
        self.slept = 0
        self.stopped = 0
        self.rings = 0

    def fault(self) -> str | None:
        return None

    def listen(self) -> None:
        self.listening = True

    def works(self) -> bool:
        self.tests += 1
        return self.heard

    def ring_from_now(self) -> bool:
        self.set = not self.overruled
        return self.set

    def stop_ringing(self) -> None:
        self.stopped += 1
        self.set = False

    def is_set(self) -> bool:
        return self.set

    def writers(self) -> frozenset[str]:
        return frozenset()

    def await_ring(self, seconds: float) -> bool:
        self.slept += 1
        self._clock.advance(seconds)
        return self.rings > 0

    def take(self) -> int:
        rings, self.rings = self.rings, 0
        return rings

    def close(self) -> None:
        self.listening = False


class Told:
    """Instrumentation that keeps what it is told."""

    def __init__(self) -> None:
        self.switches: list[bool] = []
        self.failures = 0

    def wake_up(self, *, by_bell: bool) -> None:
        self.switches.append(by_bell)

    def doorbell_test_failed(self) -> None:
        self.failures += 1


class Polling(Waiter):
    """Waits on the test's clock."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.waits = 0

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self._clock.advance(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    stopped = Clock()
    stopped.advance(1000.0)
    for module in (timing, wake_up):
        monkeypatch.setattr(module, "boot_seconds", stopped)
    return stopped


@pytest.fixture
def bell(clock: Clock) -> FakeBell:
    return FakeBell(clock)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def waiter(clock: Clock) -> Polling:
    return Polling(clock)


@pytest.fixture
def sleeper(waiter: Polling, bell: FakeBell, told: Told) -> WakeUp:
    """A worker's wake-up that has come to sleep."""
    sleeper = WakeUp(waiter, Pace(0.002, 0.1), bell, told)
    rest(sleeper, 2)
    assert asleep(sleeper)
    return sleeper


def asleep(wake_up: WakeUp) -> bool:
    return wake_up.by_bell


def rest(wake_up: WakeUp, rounds: int, *, rows: int = 0, quiet: bool = True) -> None:
    for _ in range(rounds):
        wake_up.rest(rows, more=False, quiet=quiet)


def test_without_a_bell_a_worker_polls(waiter: Polling, told: Told) -> None:
    rest(WakeUp(waiter, Pace(0.002, 0.1), None, told), 10)
    assert waiter.waits == 10
    assert told.switches == []


def test_a_worker_that_left_something_polls(
    sleeper: WakeUp, waiter: Polling, bell: FakeBell
) -> None:
    slept, waits = bell.slept, waiter.waits
    rest(sleeper, 5, quiet=False)
    assert (bell.slept, waiter.waits) == (slept, waits + 5)


def test_the_self_test_is_repeated_at_each_renewal(
    sleeper: WakeUp, bell: FakeBell, clock: Clock, told: Told
) -> None:
    begun, tests = clock(), bell.tests
    while clock() < begun + 4 * RINGS_SECONDS:
        rest(sleeper, 1)
    assert bell.tests - tests in {7, 8}
    assert told.switches == [True]


def test_a_bell_that_is_not_heard_any_more_is_given_up(
    sleeper: WakeUp, bell: FakeBell, clock: Clock, told: Told
) -> None:
    bell.heard = False
    begun = clock()
    while clock() < begun + RINGS_SECONDS:
        rest(sleeper, 1)
    assert not asleep(sleeper)
    assert told.switches == [True, False]
    assert 1 <= told.failures <= 2
    bell.heard = True
    while clock() < begun + 4 * RINGS_SECONDS:
        rest(sleeper, 1)
    assert asleep(sleeper)


def test_a_bell_that_ended_unseen_is_set_anew_step_by_step(sleeper: WakeUp, clock: Clock) -> None:
    # As of a process that was frozen: writers of that time did not ring.
    clock.advance(RINGS_SECONDS)
    rest(sleeper, 1)
    assert not asleep(sleeper)
    rest(sleeper, 1)
    assert asleep(sleeper)


def test_a_bell_that_somebody_stopped_is_set_again_within_seconds(
    sleeper: WakeUp, bell: FakeBell, clock: Clock
) -> None:
    bell.set = False
    begun = clock()
    while not bell.set:
        rest(sleeper, 1)
        assert clock() <= begun + 6.0
    rest(sleeper, 1)
    assert asleep(sleeper)


def test_under_load_nobody_rings_and_then_again(
    sleeper: WakeUp, bell: FakeBell, clock: Clock, told: Told
) -> None:
    bell.rings = 100
    rest(sleeper, 1)
    rest(sleeper, 1, rows=10)
    assert not asleep(sleeper)
    assert bell.stopped == 1
    begun = clock()
    while clock() < begun + 10.0:
        rest(sleeper, 1, rows=3)
        assert not asleep(sleeper)
    # Said again while it lasts, since it ends by itself.
    assert bell.stopped >= 9
    begun = clock()
    while clock() < begun + 5.0:
        rest(sleeper, 1)
    assert asleep(sleeper)
    assert told.switches == [True, False, True]


def test_a_neighbour_under_load_is_not_overruled(
    waiter: Polling, bell: FakeBell, told: Told, clock: Clock
) -> None:
    bell.overruled = True
    idle = WakeUp(waiter, Pace(0.002, 0.1), bell, told)
    rest(idle, 100)
    assert not asleep(idle)
    bell.overruled = False
    begun = clock()
    while clock() < begun + 2.0:
        rest(idle, 1)
    assert asleep(idle)


@pytest.mark.parametrize(
    ("rings_per_second", "high"), [(10, False), (100, False), (200, False), (400, True)]
)
def test_load_is_high_where_rings_are_too_many(
    clock: Clock,
    rings_per_second: int,
    high: bool,  # noqa: FBT001 - a parameter
) -> None:
    load = Load()
    for _ in range(rings_per_second):
        clock.advance(1 / rings_per_second)
        load.rang(1)
    assert load.high is high


def test_a_burst_is_noticed_within_a_few_milliseconds(clock: Clock) -> None:
    load = Load()
    rings = 0
    while not load.high:
        clock.advance(1 / 2_000)
        load.rang(1)
        rings += 1
    assert rings <= 40
