"""The model-based test: hypothesis looks for an order of things that breaks a promise."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import create_engine

from tests.model import mutants
from tests.model.machine import Promises
from tests.model.mutants import Mutant
from tests.model.service import Base
from tests.support.postgres import Database

# Derandomised: a run of the tests is the same every time; surprises are the soak's business.
EXPLORE: Final = settings(
    max_examples=30,
    stateful_step_count=40,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
# The first find will do: nobody reads the shortest one.
FIND: Final = settings(
    EXPLORE, max_examples=60, phases=[Phase.generate], report_multiple_bugs=False
)
Play = Callable[[Promises], None]


@pytest.fixture
def machine(database: Database) -> Iterator[type[Promises]]:
    """The machine on this test's own database."""
    dsn = database.dsn.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(dsn)
    Base.metadata.create_all(engine)
    yield type("PromisesHere", (Promises,), {"database": database, "engine": engine})
    engine.dispose()


@pytest.mark.early
def test_no_order_of_events_and_faults_breaks_a_promise(machine: type[Promises]) -> None:
    run_state_machine_as_test(machine, settings=EXPLORE)


@pytest.mark.parametrize(
    "mutant",
    [
        mutants.rows_are_deleted_before_they_are_acknowledged,
        mutants.a_whole_batch_is_parked_with_its_poison,
    ],
    ids=lambda mutant: mutant.__name__,
)
def test_the_search_notices_what_is_missing(machine: type[Promises], mutant: Mutant) -> None:
    with ExitStack() as changes:
        for change in mutant():
            changes.enter_context(change)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(machine, settings=FIND)


def play_one_relay_is_overtaken_before_it_claims(here: Promises) -> None:
    # The one whose leases begin with a message of its own.
    here.change_and_commit(0, "a", ["late"])
    here.overtake(1, "begin")
    here.change_and_commit(0, "a", ["late"])
    here.overtake(1, "begin")
    here.finish_round(1, seconds=0.0)


def play_one_relay_stands_still_with_rows_in_hand(here: Promises) -> None:
    here.change_and_commit(0, "a", ["late"])
    here.overtake(0, "produce")
    here.change_and_commit(0, "a", ["late"])
    here.finish_round(1, seconds=0.0)


def play_a_small_lease_stands_still_with_rows_in_hand(here: Promises) -> None:
    play_one_relay_stands_still_with_rows_in_hand(here)


def play_poison_comes_first(here: Promises) -> None:
    here.change(0, "a", ["poison", "late", "late"])
    here.end(0, keep=True)


def play_a_writer_stays_open(here: Promises) -> None:
    here.change(0, "a", ["early"])
    for number in range(4):
        here.change_and_commit(1, "b", ["late"])
        here.finish_round(number % 2, seconds=3.0)
    here.end(0, keep=True)


def play_a_writer_commits_after_the_look_at_it(here: Promises) -> None:
    # The relay whose claim is a message of its own has a position above the writer's first row.
    here.change(0, "a", ["early"])
    for _ in range(3):
        here.change_and_commit(1, "b", ["late"])
        here.finish_round(1, seconds=3.0)
    here.overtake(1, "begin")
    here.end(0, keep=True)
    here.finish_round(1, seconds=0.0)


def play_another_writer_comes_beside_one(here: Promises) -> None:
    here.change(0, "c", ["early"])
    for _ in range(3):
        here.change_and_commit(1, "b", ["late"])
        here.finish_round(1, seconds=3.0)
    here.change(2, "a", ["early"])
    here.change_and_commit(1, "b", ["late"])
    here.finish_round(1, seconds=3.0)
    here.end(2, keep=True)
    here.finish_round(1, seconds=0.0)


def play_the_outbox_is_emptied(here: Promises) -> None:
    for _ in range(3):
        here.change_and_commit(0, "a", ["late", "late"])
        here.finish_round(0, seconds=3.0)
        here.finish_round(1, seconds=3.0)
    here.truncate()
    # As many ids as before are drawn, when the relays look again.
    for _ in range(4):
        here.change_and_commit(0, "a", ["late", "late"])


def play_somebody_locks_a_row(here: Promises) -> None:
    here.change_and_commit(0, "a", ["late"])
    here.lock_a_row()
    for number in range(6):
        here.finish_round(number % 2, seconds=3.0)


def play_a_writer_commits_while_all_would_sleep(here: Promises) -> None:
    # Alone: whatever else it wrote at the commit would ring.
    here._services[0].emit("a", early=True, poison=False)  # noqa: SLF001
    for _ in range(4):
        here.finish_round(0, seconds=0.1)
        here.finish_round(1, seconds=0.1)
    here.end(0, keep=True)
    here.nobody_sleeps_while_something_waits()


def play_a_savepoint_is_undone(here: Promises) -> None:
    here.change(0, "a", ["late"])
    here.savepoint(0, "begin")
    here.change(0, "b", ["late"])
    here.savepoint(0, "undo")
    here.end(0, keep=True)


PLAYS: Final[dict[Play, Mutant]] = {
    play_one_relay_is_overtaken_before_it_claims: mutants.lock_and_read_share_one_snapshot,
    play_one_relay_stands_still_with_rows_in_hand: mutants.rows_are_locked_instead_of_shards,
    play_a_small_lease_stands_still_with_rows_in_hand: mutants.small_leases_lock_no_shard,
    play_poison_comes_first: mutants.what_is_behind_a_refused_message_goes_on,
    play_a_writer_stays_open: mutants.watermarks_pass_writers_that_have_not_committed,
    play_a_writer_commits_after_the_look_at_it: (
        mutants.reads_resume_beside_writers_that_have_committed
    ),
    play_another_writer_comes_beside_one: (mutants.resume_positions_pass_writers_that_came_since),
    play_the_outbox_is_emptied: mutants.watermarks_outlive_a_truncation,
    play_somebody_locks_a_row: mutants.locked_rows_are_known_to_one_relay_alone,
    play_a_writer_commits_while_all_would_sleep: mutants.nobody_waits_for_writers_that_saw_no_bell,
    play_a_savepoint_is_undone: mutants.the_buffer_forgets_savepoints,
}


def perform(machine: type[Promises], play: Play) -> None:
    here = machine()
    try:
        play(here)
    finally:
        here.teardown()


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_a_play_keeps_the_promises(machine: type[Promises], play: Play) -> None:
    perform(machine, play)


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_without_its_countermeasure_a_play_breaks_them(machine: type[Promises], play: Play) -> None:
    with ExitStack() as changes:
        for change in PLAYS[play]():
            changes.enter_context(change)
        with pytest.raises(AssertionError):
            perform(machine, play)
