"""The model-based test: hypothesis looks for an order of things that breaks a promise."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import create_engine

from tests.model.machine import Promises
from tests.model.mutants import MUTANTS, Mutant
from tests.model.service import Base
from tests.support.postgres import Database

EXPLORE = settings(
    max_examples=40,
    stateful_step_count=40,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)

# The first find will do: nobody reads the shortest one.
FIND = settings(EXPLORE, max_examples=60, phases=[Phase.generate], report_multiple_bugs=False)


@pytest.fixture
def machine(database: Database) -> Iterator[type[Promises]]:
    """The machine on this test's own database."""
    dsn = database.dsn.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(dsn)
    Base.metadata.create_all(engine)
    yield type("PromisesHere", (Promises,), {"database": database, "engine": engine})
    engine.dispose()


def test_no_order_of_events_and_faults_breaks_a_promise(machine: type[Promises]) -> None:
    run_state_machine_as_test(machine, settings=EXPLORE)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_without_a_countermeasure_a_promise_is_broken(
    machine: type[Promises], mutant: Mutant
) -> None:
    with ExitStack() as changes, pytest.raises(AssertionError) as broken:
        for change in mutant():
            changes.enter_context(change)
        run_state_machine_as_test(machine, settings=FIND)
    print(
        "BROKEN",
        mutant.__name__,
        str(broken.value)[:200],
        "\n".join(getattr(broken.value, "__notes__", [])),
    )
