"""The demo service, which the local stacks run in the place of a real one."""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from tests.support.eventually import eventually
from tests.support.postgres import Database, apply_schema
from tests.support.process import ProcessUnderTest

Run = Callable[[Mapping[str, str]], ProcessUnderTest]

STREAMING = {
    "ENABLE_EVENT_STREAMING": "true",
    "KAFKA_BOOTSTRAP_SERVER": "nowhere.invalid:9092",
    "KAFKA_EVENT_STREAM_TOPIC": "events-stream",
}


@pytest.fixture
def run_service(empty_database: Database) -> Iterator[Run]:
    with ExitStack() as services:

        def run(environment: Mapping[str, str]) -> ProcessUnderTest:
            command = [sys.executable, "-m", "relay.demo.service", "--pause", "0"]
            given = {"DATABASE_URL": empty_database.dsn, "RELAY_LOG_FORMAT": "json", **environment}
            return services.enter_context(ProcessUnderTest(command, given))

        yield run


def count(database: Database, table: str) -> int:
    with database.connect() as connection:
        row = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert row is not None
    return int(row[0])


def test_it_waits_for_the_tables_and_then_writes(
    empty_database: Database, run_service: Run
) -> None:
    service = run_service(STREAMING)
    service.wait_for_log('relation "outbox_event" does not exist')
    apply_schema(empty_database)
    eventually(lambda: count(empty_database, "outbox") > 20, what="rows for the relay")
    assert count(empty_database, "outbox_event") > 0
    assert service.terminate() == 0, service.output


def test_without_streaming_it_only_stores_events(
    empty_database: Database, run_service: Run
) -> None:
    apply_schema(empty_database)
    service = run_service({})
    eventually(lambda: count(empty_database, "outbox_event") > 20, what="stored events")
    assert count(empty_database, "outbox") == 0
    assert service.terminate() == 0, service.output


def test_a_bad_configuration_is_named(run_service: Run) -> None:
    service = run_service({"ENABLE_EVENT_STREAMING": "true"})
    assert service.wait() == 2
    assert "KAFKA_BOOTSTRAP_SERVER is missing" in service.output
    assert "Traceback" not in service.output
