"""The promises as invariants, whatever happens in whatever order."""

import itertools
import json
from collections.abc import Hashable, Iterator
from contextlib import ExitStack, suppress
from typing import Final

import psycopg
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Engine

from relay.demo.history import Read, Verdict, judge
from relay.service.outbox import Outbox
from tests.model.broker import PARTITIONS, Broker, Sent
from tests.model.relay import GATE_NAMES, LEASE_ROWS_MAX, SteppedRelay, gates
from tests.model.service import OBJECTS, Book, Box, Service
from tests.support.eventually import eventually
from tests.support.postgres import Database

RELAYS: Final = 2
SERVICES: Final = 3
# One death more, and a row that was beside each of them could be taken for their cause.
DEATHS_MAX: Final = 3
DRAIN_ROUNDS: Final = 300
# Written at the commit, or at once; or never to be published.
EVENTS: Final = ("late", "early", "poison")

services = st.integers(0, SERVICES - 1)
relays = st.integers(0, RELAYS - 1)
keys = st.sampled_from(OBJECTS)


class Promises(RuleBasedStateMachine):
    """Services write, relays work step by step, and things break."""

    database: Database
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.broker = Broker()
        self.book = Book()
        self.deaths = 0
        # By an operator, who empties the table.
        self.discarded: set[Hashable] = set()
        self._stack = ExitStack()
        self._stack.enter_context(gates(self.broker))
        self._outside = self._stack.enter_context(self.database.connect(autocommit=True))
        self._locker = self._stack.enter_context(self.database.connect())
        self._outside.execute("TRUNCATE outbox, boxes")
        self._outside.execute("UPDATE outbox_shard SET isolated_until = NULL, unsettled = NULL")
        self._serve()
        self._relays = [SteppedRelay(n, self.database, self.broker) for n in range(RELAYS)]

    def _serve(self) -> None:
        for key in OBJECTS:
            self._outside.execute("INSERT INTO boxes VALUES (%s, 0)", (key,))
        outbox = Outbox(streaming=True)
        self._stack.callback(outbox.close)
        outbox.track(Box)
        numbers = itertools.count(1)
        self._services = [Service(self.engine, outbox, self.book, numbers) for _ in range(SERVICES)]

    # -- services -----------------------------------------------------------------------------

    @rule(service=services, key=keys, events=st.lists(st.sampled_from(EVENTS), max_size=3))
    def change(self, service: int, key: str, events: list[str]) -> None:
        others = [s for n, s in enumerate(self._services) if n != service]
        if any(key in other.said.locked for other in others):
            return
        self._services[service].change(key)
        for event in events:
            self._services[service].emit(key, early=event == "early", poison=event == "poison")

    @rule(service=services, key=keys, events=st.lists(st.just("late"), max_size=3))
    def change_and_commit(self, service: int, key: str, events: list[str]) -> None:
        if not self._services[service].writing:
            self.change(service, key, events)
            self.end(service, keep=True)

    @rule(service=services, what=st.sampled_from(["begin", "keep", "undo"]))
    def savepoint(self, service: int, what: str) -> None:
        if what == "begin":
            self._services[service].begin_savepoint()
        elif self._services[service].savepoints:
            self._services[service].end_savepoint(keep=what == "keep")

    @rule(service=services, keep=st.sampled_from([True, True, False]))
    def end(self, service: int, keep: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        if self._services[service].writing:
            self._services[service].end(keep=keep)

    # -- relays -------------------------------------------------------------------------------

    @rule(relay=relays, steps=st.integers(1, 8))
    def step(self, relay: int, steps: int) -> None:
        for _ in range(steps):
            self._relays[relay].step()

    @rule(slow=relays, gate=st.sampled_from(GATE_NAMES))
    def overtake(self, slow: int, gate: str) -> None:
        """One relay stands still at a gate while the other goes on."""
        self._relays[slow].go_to(gate)
        self._relays[slow - 1].finish()

    @rule(relay=relays, seconds=st.sampled_from([0.0, 1.1]))
    def finish_round(self, relay: int, seconds: float) -> None:
        self.broker.clock.advance(seconds)
        self._relays[relay].finish()

    @precondition(lambda self: self.deaths < DEATHS_MAX)
    @rule(relay=relays, by_kill=st.booleans())
    def lose_lease(self, relay: int, by_kill: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        self.deaths += 1
        if by_kill:
            self._relays[relay].kill()
        else:
            self._relays[relay].lose_connection()

    # -- operators ----------------------------------------------------------------------------

    @rule()
    def truncate(self) -> None:
        """Empty the outbox and let ids begin anew, where nobody is at work on it."""
        pending, parked = self._rows()
        with suppress(psycopg.errors.LockNotAvailable):
            self._outside.execute("SET LOCAL lock_timeout = 1; TRUNCATE outbox RESTART IDENTITY")
            self.discarded |= pending | parked

    @rule()
    def lock_a_row(self) -> None:
        self._locker.rollback()
        self._locker.execute(
            "SELECT FROM outbox WHERE parked_at IS NULL ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED"
        )

    @rule()
    def unlock_the_row(self) -> None:
        self._locker.rollback()

    # -- the broker ---------------------------------------------------------------------------

    @rule(fault=st.sampled_from(["down", "answers lost", *range(PARTITIONS)]))
    def broker_fails(self, fault: str | int) -> None:
        if fault == "down":
            self.broker.up = False
        elif fault == "answers lost":
            self.broker.answers = False
        else:
            self.broker.stuck.add(int(fault))

    @rule()
    def heal(self) -> None:
        self.broker.heal()

    @rule(seconds=st.sampled_from([0.5, 3.0, 30.0]))
    def late_messages_arrive(self, seconds: float) -> None:
        self.broker.clock.advance(seconds)
        self.broker.let_arrive()

    # -- promises -----------------------------------------------------------------------------

    @invariant()
    def no_promise_is_broken(self) -> None:
        verdict = self._verdict()
        assert not verdict.phantoms, verdict.examples
        assert not verdict.inversions, verdict.examples
        assert not verdict.altered, verdict.examples
        lost_leases = self.deaths + self.broker.purges
        assert verdict.duplicates <= lost_leases * LEASE_ROWS_MAX
        pending, parked = self._rows()
        missing = self._undelivered() - pending
        assert not missing, f"deleted, and not on the topic: {missing}"
        assert parked <= self.book.poison, f"innocent: {parked - self.book.poison}"
        assert self.book.poison <= pending | parked | self.discarded

    @invariant()
    def nobody_sleeps_while_something_waits(self) -> None:
        if all(relay.asleep for relay in self._relays) and self._rows()[0] & self._undelivered():
            eventually(
                lambda: any(relay.rung() for relay in self._relays), timeout=5, what="a ring"
            )

    def teardown(self) -> None:
        """Let everything be well again; then all is delivered, and only poison is left."""
        try:
            self._drain()
            self.no_promise_is_broken()
            assert not self._undelivered()
            assert self._rows() == (set(), self.book.poison - self.discarded)
        finally:
            for relay in self._relays:
                relay.close()
            self._stack.close()

    def _drain(self) -> None:
        for service in self._services:
            if service.writing:
                service.end(keep=True)
        self._locker.rollback()
        self.broker.heal()
        for round_ in range(DRAIN_ROUNDS):
            self._relays[round_ % RELAYS].finish()
            self.broker.clock.advance(1.0)
            if not self._rows()[0]:
                break
        self.broker.let_arrive()

    # -- what is seen from outside ------------------------------------------------------------

    def _verdict(self) -> Verdict:
        return judge(self.book.committed.values(), self._read())

    def _undelivered(self) -> set[Hashable]:
        """Return what was committed, was not emptied away, and is not on the topic."""
        delivered = {read.event_id for read in self._read()}
        return self.book.committed.keys() - delivered - self.discarded

    def _read(self) -> Iterator[Read]:
        for message in self.broker.log:
            what = _what(json.loads(message.value)["payload"], message.key)
            written = self.book.committed.get(what)
            yield Read(written.seq if written else 0, what, message.key, _content(message))

    def _rows(self) -> tuple[set[Hashable], set[Hashable]]:
        """Return what is pending, and what is parked."""
        found = self._outside.execute("SELECT payload, key, parked_at FROM outbox").fetchall()
        pending = {_what(payload, key) for payload, key, parked_at in found if parked_at is None}
        parked = {_what(payload, key) for payload, key, parked_at in found if parked_at}
        return pending, parked


def _what(payload: dict[str, int], key: str | None) -> Hashable:
    if "event" in payload:
        return "event", key, payload["event"]
    return "state", key, payload["version"]


def _content(message: Sent) -> Hashable:
    return message.key, message.value, tuple(message.headers)
